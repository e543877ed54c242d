"""The process of a command: ``d0parity``, and ``python -m pytest_d0parity``."""

from __future__ import annotations

import gc
import sys

from .util.runtime import end_at_once


def run() -> int:
    """Run the command line, which may be interrupted already while it is imported."""
    end_at_once()
    from .cli import main

    try:
        return main()
    finally:
        # Python would look through all modules for what nobody uses, which takes longer than a small command.
        gc.freeze()


if __name__ == "__main__":
    sys.exit(run())
