"""What every package needs: text, files, errors, records."""
