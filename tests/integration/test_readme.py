"""What the README shows, tried."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pytest_d0parity.scenario.layout import LAYOUT_KEYS, WARNINGS
from pytest_d0parity.scenario.options import OPTIONS
from pytest_d0parity.scenario.pyproject import find_project
from tests.support.parity import Parity

README = Path(__file__).parents[2] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_check_of_ones_own(pytester: pytest.Pytester, pair: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    parity = Parity(pytester, pair, tmp_path_factory.mktemp("root"))
    (example,) = [block for block in blocks("python") if "parity_record" in block]
    pytester.makepyfile(test_example=example)
    assert parity.run().ret == 0
    checks = {check["id"]: check["values"] for check in parity.log()["checks"]}
    assert checks["test_example.py::test_probe_is_centred[data_p1e6.npz]"].keys() == {
        "probe_offset.0",
        "probe_offset.1",
    }


def test_the_table_of_the_project(pytester: pytest.Pytester) -> None:
    (example,) = blocks("toml")
    tomllib.loads(example)
    (pytester.path / "pyproject.toml").write_text(example)
    project = find_project(str(pytester.path))
    assert project.scenarios["PGRID-20250826-P1E5-T1024"].references == ("parity/reference.json",)
    assert len(project.thresholds) == 3


def test_the_hand_over(pair: Path, tmp_path: Path) -> None:
    (recipe,) = [block for block in blocks("console") if "openssl" in block]
    lines = recipe.splitlines()
    assert len(lines) == 10
    assert all(line.startswith("$ ") for line in lines)
    shutil.copytree(pair, tmp_path / "sweep")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(line.removeprefix("$ ") for line in lines)],
        cwd=tmp_path,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\nmatch: ") == 3
    receipt = done.stdout[done.stdout.index("# D0 Parity Receipt") :]
    assert "| how | every compared value measured again |" in receipt
    assert "| it attests | PASSED, signed by the key " in receipt


def test_every_option_is_described() -> None:
    text = README.read_text(encoding="utf-8")
    for name in OPTIONS:
        assert f"--{name.replace('_', '-')}" in text
        assert f"--parity-{name.replace('_', '-')}" in text


def test_layouts_are_described(tmp_path: Path) -> None:
    text = (README.parent / "docs" / "layouts.md").read_text(encoding="utf-8")
    for name in (*WARNINGS, *LAYOUT_KEYS):
        assert f"`{name}`" in text
    (example,) = re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    tomllib.loads(example)
    (tmp_path / "pyproject.toml").write_text(example)
    layout = find_project(str(tmp_path)).scenarios["BEAMSTOP"].layout
    assert layout["doses"] == {"dose_1e9/*": 3.3e8}
    assert layout["arrays"] == {"diff3d": "diffraction", "probeGuess": "probe_simulated"}
