"""Files that nobody should have to trust, read without executing anything: NPZ and params."""
