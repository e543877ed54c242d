"""What the README shows, tried."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pytest_d0parity.scenario.layout import LAYOUT_KEYS, WARNINGS
from pytest_d0parity.scenario.options import OPTIONS
from pytest_d0parity.scenario.pyproject import find_project
from pytest_d0parity.simulator import simulate_sweep, write_params
from tests.support.command import LOG, d0parity
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


DRIFTS = "dose_parity_log.json scaled"  # the one command that ends with 3


def test_every_command_runs_as_it_stands_in_this_order(tmp_path: Path) -> None:
    """But for the two that make the environment, in which the test already is."""
    commands = [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]
    assert commands[:3] == ["scripts/demo", "source .venv/bin/activate", "cd d0parity-demo"]
    assert len(commands) > 15
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def run(command: str) -> subprocess.CompletedProcess[str]:
        options: Any = {"capture_output": True, "text": True, "check": False, "timeout": 300}
        return subprocess.run(["bash", "-c", command], cwd=here, env=environment, **options)

    here = tmp_path
    assert run("d0parity demo --frames 40").returncode == 0
    here = tmp_path / "d0parity-demo"
    said = {}
    for command in commands[3:]:
        done = run(command)
        said[command] = done.stdout
        expected = 3 if command.startswith("d0parity compare") and DRIFTS in command else 0
        assert done.returncode == expected, (command, done.stdout, done.stderr)
    (example,) = blocks("python")
    done = run(f"python - <<'EOF'\n{example}\nEOF")
    assert done.returncode == 0, done.stderr
    shown = [line for block in blocks("console") for line in block.splitlines() if line and not line.startswith("$ ")]
    for line in shown:
        assert line == "…" or any(line in output for output in said.values()), line


SHOWS_CHANGES = "d0parity compare before.json"  # of a reference that was updated: they are drift
STUDY = "PGRID-20250826-P1E5-T1024"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands in docs/ speak of: sweeps, one simulated again, references, a project in git."""
    folder = tmp_path_factory.mktemp("docs")
    doses = ("1e4", "1e6")
    for name, redraw in (("sweep", 0), ("again", 1), ("run1", 2), ("run2", 3), ("run3", 4), ("run4", 5)):
        simulate_sweep(str(folder / name), doses, 80, redraw=redraw)
        write_params(str(folder / name / "params.dill"), 80)
    (folder / "metrics.json").write_text(json.dumps({"psnr": [60.0, 50.0]}))
    shutil.copytree(folder / "sweep", folder / "photon_grid_study")
    shutil.copytree(folder / "sweep", folder / "DIR")
    for root in ("sweep", "again", "run1", "run2", "run3", "run4"):
        output, options = f"logs/{root}", ["--baseline-metrics", "metrics.json"] if root.startswith("run") else []
        if not options:
            options = ["--baseline-params", f"{root}/params.dill", "--scenario-id", STUDY]
        done = d0parity("log", "--dataset-root", root, *options, "--output", output, cwd=folder)
        assert done.returncode == 0, done.stderr
        if root.startswith("run"):
            shutil.copy(folder / output / LOG, folder / f"{root}.json")
    shutil.copy(folder / "logs" / "sweep" / LOG, folder / "reference.json")
    shutil.copy(folder / "logs" / "again" / LOG, folder / "again")
    for name in ("reference.json", LOG):
        (folder / "parity").mkdir(exist_ok=True)
        shutil.copy(folder / "logs" / "sweep" / LOG, folder / "parity" / name)
    user = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
    for command in (["init", "--quiet"], ["add", "parity"], [*user, "commit", "--quiet", "--message", "x"]):
        subprocess.run(["git", *command], cwd=folder, check=True, timeout=120)
    return folder


@pytest.mark.parametrize("name", [page.name for page in PAGES[1:] if blocks("console", page)])
def test_every_command_of_the_docs_runs(world: Path, tmp_path: Path, name: str) -> None:
    """In a folder that holds what they speak of; each ends as the page says."""
    shutil.copytree(world, tmp_path / "here")
    if name == "ci.md":  # which speaks of a project that has a table
        shutil.copytree(world / "again", tmp_path / "here" / "photon_grid_study", dirs_exist_ok=True)
        table = 'dataset_root = "photon_grid_study"\nreference = "parity/reference.json"\n'
        table += 'baseline_params = "photon_grid_study/params.dill"\n'
        (tmp_path / "here" / "pyproject.toml").write_text(f"[tool.d0parity.scenarios.{STUDY}]\n{table}")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    names = ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL")
    environment = (
        os.environ | {"PATH": path, "XDG_CACHE_HOME": str(tmp_path / "cache")} | dict.fromkeys(names, "t@e.org")
    )
    for block in blocks("console", ROOT / "docs" / name):
        for step in block.replace("\\\n", " ").split("$ ")[1:]:
            command, _, shown = step.partition("\n")
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=tmp_path / "here",
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=300,
            )
            expected = 3 if shown.startswith("drift") or command.startswith(SHOWS_CHANGES) else 0
            assert done.returncode == expected, (command, done.stdout, done.stderr)
            assert done.stdout.startswith(shown.partition(":")[0]), (command, done.stdout)


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
