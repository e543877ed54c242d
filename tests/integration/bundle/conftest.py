"""Bundles of one sweep."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.bundles import main_in
from tests.support.command import LOG


@pytest.fixture(scope="module")
def bundled(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundles of it, as a folder and as a tar. Not to be written to."""
    folder = tmp_path_factory.mktemp("bundled")
    for output in ("bag", "bag.tar"):
        assert main_in(made, "bundle", f"parity/{LOG}", "--output", str(folder / output)) == 0
    return folder


@pytest.fixture
def bag(bundled: Path, here: Path) -> Path:
    """A copy of the folder, where the test stands."""
    shutil.copytree(bundled / "bag", here / "bag")
    return here / "bag"


@pytest.fixture
def tar(bundled: Path, here: Path) -> Path:
    """A copy of the tar."""
    return Path(shutil.copy(bundled / "bag.tar", here / "bag.tar"))
