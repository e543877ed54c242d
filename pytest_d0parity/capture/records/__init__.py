"""The records of the log that are made of what was captured."""
