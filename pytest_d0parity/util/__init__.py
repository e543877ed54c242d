"""Helpers for all packages: errors, text, files, and the process. Nothing here imports NumPy, rich or dill."""
