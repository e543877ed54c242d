"""Readers of NPZ and params files, which may be hostile: nothing in them is executed."""
