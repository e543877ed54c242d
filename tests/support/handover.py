"""Logs and receipts, for tests of what is handed over."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_d0parity.evidence.artifacts import DIGEST, PAGE, PICTURES, PROBE_TABLE, STAGE_TABLE, SUMS

Verify = Callable[..., tuple[int, str, Any]]


def outcomes(receipt: Any) -> dict[str, str]:
    return {each["name"]: each["outcome"] for each in receipt["files"]}


def remark(receipt: Any, name: str) -> str:
    (found,) = [each["remark"] for each in receipt["files"] if each["name"] == name]
    return str(found)


def edit(path: Path, change: Callable[[Any], None]) -> None:
    """Change a log, beside which nothing is left that tells of it."""
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    for name in (DIGEST, PAGE, PICTURES, PROBE_TABLE, STAGE_TABLE, SUMS):  # they are of the log as it was
        (path.parent / name).unlink(missing_ok=True)
