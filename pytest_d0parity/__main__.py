"""The process of a command: ``d0parity``, and ``python -m pytest_d0parity``."""

from __future__ import annotations

import sys

from .util.runtime import end_at_once


def run() -> int:
    """Run the command line, which may be interrupted already while it is imported."""
    end_at_once()
    from .cli import main

    return main()


if __name__ == "__main__":
    sys.exit(run())
