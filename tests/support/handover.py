"""Logs and receipts, for tests of what is handed over."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Verify = Callable[..., tuple[int, str, Any]]


def outcomes(receipt: Any) -> dict[str, str]:
    return {each["name"]: each["outcome"] for each in receipt["files"]}


def remark(receipt: Any, name: str) -> str:
    (found,) = [each["remark"] for each in receipt["files"] if each["name"] == name]
    return str(found)


def edit(path: Path, change: Callable[[Any], None]) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")
