"""The version of the package: read by the build, by ``--version`` and for the log."""

__version__ = "0.1.0"
