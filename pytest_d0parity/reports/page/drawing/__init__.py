"""What the page draws: charts as records of paths for its template, and pictures as PNG."""
