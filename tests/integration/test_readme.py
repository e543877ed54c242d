"""What the README shows, tried."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pytest_d0parity.scenario.layout import LAYOUT_KEYS, WARNINGS
from pytest_d0parity.scenario.options import OPTIONS
from pytest_d0parity.scenario.pyproject import find_project
from tests.support.parity import Parity

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str, page: Path = README) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def text_of_all() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def test_it_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) < 200


def test_every_page_is_reached_and_every_link_leads_somewhere() -> None:
    reached = set()
    for page in PAGES:
        for address in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in address:
                assert (page.parent / address).exists(), (page, address)
                reached.add((page.parent / address).resolve())
    assert {page for page in PAGES if page != README} <= reached


def test_the_check_of_ones_own(pytester: pytest.Pytester, pair: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    parity = Parity(pytester, pair, tmp_path_factory.mktemp("root"))
    (example,) = [block for block in blocks("python", ROOT / "docs" / "own-checks.md") if "parity_record" in block]
    pytester.makepyfile(test_example=example)
    assert parity.run().ret == 0
    checks = {check["id"]: check["values"] for check in parity.log()["checks"]}
    assert checks["test_example.py::test_probe_is_centred[data_p1e6.npz]"].keys() == {
        "probe_offset.0",
        "probe_offset.1",
    }


def test_the_tables_of_the_project(pytester: pytest.Pytester) -> None:
    pages = (README, "reference.json", 2), (ROOT / "docs" / "pytest.md", "parity/reference.json", 3)
    for page, reference, thresholds in pages:
        (example,) = blocks("toml", page)
        tomllib.loads(example)
        (pytester.path / "pyproject.toml").write_text(example)
        project = find_project(str(pytester.path))
        (scenario,) = project.scenarios.values()
        assert scenario.references == (reference,)
        assert len(project.thresholds) == thresholds


DRIFTS = "d0parity-demo/scaled"  # the one command that ends with 3


def test_every_command_runs_as_it_stands_in_this_order(tmp_path: Path) -> None:
    """But for the two that make the environment, in which the test already is."""
    commands = [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]
    assert commands[:2] == ["scripts/demo", "source .venv/bin/activate"]
    assert len(commands) > 15
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def run(command: str) -> subprocess.CompletedProcess[str]:
        options: Any = {"capture_output": True, "text": True, "check": False, "timeout": 300}
        return subprocess.run(["bash", "-c", command], cwd=tmp_path, env=environment, **options)

    assert run("d0parity demo --frames 40").returncode == 0
    said = {}
    for command in commands[2:]:
        done = run(command)
        said[command] = done.stdout
        expected = 3 if command.startswith("d0parity compare") and DRIFTS in command else 0
        assert done.returncode == expected, (command, done.stdout, done.stderr)
    (example,) = blocks("python")
    done = run(f"python - <<'EOF'\n{example}\nEOF")
    assert done.returncode == 0, done.stderr
    shown = [line for block in blocks("console") for line in block.splitlines() if line and not line.startswith("$ ")]
    for line in shown:
        assert any(line in output for output in said.values()), line


def test_the_notebooks_course(tmp_path: Path) -> None:
    code = "\n".join(blocks("python", ROOT / "docs" / "python.md"))
    checks = re.findall(r"^(.+?)  # (['\"(].*)$", code, re.MULTILINE)
    assert len(checks) >= 4
    for expression, value in checks:
        code = code.replace(f"{expression}  # {value}", f"assert ({expression}) == {value}, {expression}")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr


def test_every_option_is_described() -> None:
    text = text_of_all()
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
