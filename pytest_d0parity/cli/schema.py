"""``d0parity schema``: print the JSON Schema of the log."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from .arguments import DONE, UNREADABLE

if TYPE_CHECKING:
    from .terminal import Terminal


def add_schema(parser: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser.description = "Print the JSON Schema (2020-12) of dose_parity_log.json."
    parser.set_defaults(run=_schema)


def _schema(options: argparse.Namespace, terminal: Terminal) -> int:
    del options
    import json

    from ..evidence.schema import json_schema

    try:
        print(json.dumps(json_schema(), indent=2), flush=True)
    except OSError as error:
        # The rest of the buffer must not raise once more when the interpreter exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # the reader has closed the pipe
            terminal.error(f"the schema cannot be written: {error.strerror}")
            return UNREADABLE
    return DONE
