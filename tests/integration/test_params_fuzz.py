"""Mutated honest files: whatever is done to them, they are read or refused, soon and in little memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("seed", range(4))
def test_nothing_but_the_documented_error_comes_out(seed: int, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.support.fuzz_params", str(seed), "1500"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    read, refused = map(int, run.stdout.split())
    assert read > 50, "the mutations are so hard that nothing is read any more"
    assert refused > 50, "the mutations are so soft that nothing is refused"
