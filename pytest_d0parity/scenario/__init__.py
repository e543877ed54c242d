"""What one log is about: options, thresholds, tables of a project, and the names in a sweep."""
