"""The process of a command: ``d0parity``, and ``python -m pytest_d0parity``."""

from __future__ import annotations

import gc
import sys

from .util.runtime import end_at_once

# Python looks for objects that refer to each other and that nobody else uses after so many new ones. What is imported
# are some 200,000, of which hardly any go before the end.
_SELDOM = 200_000


def run() -> int:
    """Run the command line, which may be interrupted already while it is imported."""
    end_at_once()
    gc.set_threshold(_SELDOM)
    from .cli import main

    try:
        return main()
    finally:
        # At the end it would look through all modules, which takes longer than a small command.
        gc.freeze()


if __name__ == "__main__":
    sys.exit(run())
