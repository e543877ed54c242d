"""What killed runs leave behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_d0parity.util import temporary
from pytest_d0parity.util.temporary import open_temporary, scratch_folder, sweep

KILLED = """
import os, sys
from pytest_d0parity.util.temporary import open_temporary, scratch_folder
open_temporary(sys.argv[1])
with scratch_folder(sys.argv[1]) as folder:
    open(os.path.join(folder, "content"), "w").close()
    os._exit(9)
"""


def test_what_nobody_holds_is_swept_and_the_rest_stays(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False, timeout=60)
    left = {path.name for path in tmp_path.iterdir()}
    assert len(left) == 3
    mine, descriptor = open_temporary(str(tmp_path))
    (tmp_path / "theirs.tmp").touch()
    (tmp_path / ".d0parity-link.tmp").symlink_to("theirs.tmp")
    with scratch_folder(str(tmp_path)) as folder:
        sweep(str(tmp_path))
        assert os.path.isdir(folder)
        there = {path.name for path in tmp_path.iterdir()}
        assert os.path.basename(mine) in there
        assert "theirs.tmp" in there
        assert not left & there
    os.close(descriptor)
    sweep(str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"theirs.tmp", ".d0parity-link.tmp"}


def test_an_interruption_while_it_is_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(folder: str, suffix: str) -> tuple[str, int]:
        made = open_temporary(folder, suffix)
        signal.raise_signal(signal.SIGINT)
        return made

    monkeypatch.setattr(temporary, "open_temporary", interrupted)
    with pytest.raises(KeyboardInterrupt), scratch_folder(str(tmp_path)):
        pytest.fail("it was made all the same")
    assert list(tmp_path.iterdir()) == []


def test_where_there_are_no_locks_an_hour_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(temporary, "flock", flock)
    for name, age in ((".d0parity-1-a.tmp", 0), (".d0parity-1-b.tmp", 7200)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (os.stat(tmp_path).st_mtime - age,) * 2)
    sweep(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [".d0parity-1-a.tmp"]


def test_without_the_locks_of_unix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporary, "HAS_LOCKS", False)
    with scratch_folder(str(tmp_path)) as folder:
        assert os.path.isdir(folder)
    (tmp_path / ".d0parity-1-a.tmp").touch()
    sweep(str(tmp_path))  # nobody has it open, which on Windows keeps it
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    sweep(str(tmp_path / "nowhere"))
