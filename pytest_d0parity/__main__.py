"""``python -m pytest_d0parity`` is ``d0parity``."""

import sys


def run() -> int:
    """Run the command line, which may be interrupted already while it is imported."""
    try:
        from .cli import main

        return main()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(run())
