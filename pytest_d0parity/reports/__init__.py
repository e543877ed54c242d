"""A log in the formats of its readers."""
