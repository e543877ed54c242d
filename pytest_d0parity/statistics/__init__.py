"""Exact statistics of streams, the same to the last bit on every machine."""
