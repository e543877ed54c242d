"""One NPZ file: which array plays which role, what is measured, and what looks wrong."""
