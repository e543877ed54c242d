"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pytest_d0parity.util.atomic import write_atomically


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    target.chmod(0o640)

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space"):
            write_atomically(target, b"new")
    assert (target.read_text(), [entry.name for entry in tmp_path.iterdir()]) == ("old", ["file"])
    write_atomically(target, b"new")
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("new", 0o640)
