"""What tests of the hand-over share: a log beside its sweep."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pytest_d0parity.cli import main
from tests.support.command import LOG, d0parity, strict_json
from tests.support.handover import Verify


@pytest.fixture(scope="session")
def made(pair: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep in ``sweep`` and its log in ``parity``, made from the folder above. Not to be written to."""
    folder = tmp_path_factory.mktemp("made")
    shutil.copytree(pair, folder / "sweep")
    options = ("--dataset-root", "sweep", "--baseline-params", "sweep/params.dill", "--scenario-id", "T")
    assert d0parity("log", *options, "--output", "parity", cwd=folder).returncode == 0
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in which the test stands."""
    shutil.copytree(made, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def verify(here: Path, capsys: pytest.CaptureFixture[str]) -> Verify:
    """Run it in this process; gives its exit code, what it says, and the receipt."""

    def run(*options: Any, log: Any = f"parity/{LOG}") -> tuple[int, str, Any]:
        receipt = here / "receipt" / "dose_parity_receipt.json"
        receipt.unlink(missing_ok=True)
        code = main(["verify", str(log), "--output", "receipt", *map(str, options)])
        said = capsys.readouterr()
        content = strict_json(receipt.read_text(encoding="utf-8")) if receipt.exists() else None
        return code, said.out + said.err, content

    return run
