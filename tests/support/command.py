"""The command line, started by tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema

from pytest_d0parity import json_schema, sha256_file

COMMAND = [sys.executable, "-m", "pytest_d0parity"]
LOG = "dose_parity_log.json"


def d0parity(*arguments: Any, **options: Any) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, *map(os.fspath, arguments)], capture_output=True, text=True, check=False, timeout=120, **options
    )
    assert "Traceback" not in done.stderr
    return done


def strict_json(text: str) -> Any:
    """Read JSON as its standard has it, which knows neither ``NaN`` nor ``Infinity``."""

    def never(token: str) -> None:
        raise AssertionError(f"{token} is no JSON")

    return json.loads(text, parse_constant=never)


def read_log(output: Path) -> Any:
    log = strict_json((output / LOG).read_text(encoding="utf-8"))
    jsonschema.validate(log, json_schema(), jsonschema.Draft202012Validator)
    return log


def without_log(path: Path) -> bytes:
    """The bytes of a file beside a log, but for the SHA-256 of that log, which holds the moment of the run."""
    return path.read_bytes().replace(sha256_file(path.parent / LOG).encode(), b"")


def comparable(output: Path) -> bytes:
    """The bytes of a log, but for the moment at which it was made."""
    log = read_log(output)
    return (output / LOG).read_bytes().replace(log["metadata"]["timestamp"].encode(), b"")
