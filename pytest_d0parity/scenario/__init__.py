"""What a log is made of and compared with: options, project settings, thresholds, and the files of a sweep."""
