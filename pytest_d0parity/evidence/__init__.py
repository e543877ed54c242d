"""The evidence log: its records, its JSON, its schema, and the files that lie beside it."""
