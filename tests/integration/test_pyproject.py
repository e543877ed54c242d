"""``[tool.d0parity]`` in ``pyproject.toml``, for the plugin and for the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pytest_d0parity.cli import main
from tests.support.command import LOG
from tests.support.parity import run_session

OK, FAILED, USAGE = 0, 1, 4


@pytest.fixture
def project(pytester: pytest.Pytester, pair: Path) -> Path:
    """A repository with a sweep in it, and a subfolder to stand in."""
    shutil.copytree(pair, pytester.path / "data" / "grid")
    (pytester.path / "sub").mkdir()
    return pytester.path


def configure(project: Path, text: str) -> None:
    (project / "pyproject.toml").write_text(text, encoding="utf-8")


SCENARIO = """
[tool.d0parity.scenarios.GRID]
dataset_root = "data/grid"
baseline_params = "data/grid/params.dill"
"""


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-p", "no:randomly", "-p", "no:hypothesispytest", *options)


def read(path: Path) -> Any:
    return json.loads((path / LOG).read_text())


@pytest.mark.parametrize("folder", [".", "sub"])
def test_a_table_says_where_things_are(
    pytester: pytest.Pytester, project: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(project, SCENARIO)
    monkeypatch.chdir(project / folder)
    assert run(pytester, "--parity-scenario=GRID", "--parity-output=out").ret == OK
    log = read(project / folder / "out")
    assert log["metadata"]["scenario_id"] == "GRID"
    assert log["metadata"]["dataset_root"] == "data/grid"
    assert log["datasets"][0]["path"] == "data/grid/data_p1e4.npz"
    assert log["baseline_params"]["N"] == 64
    assert main(["log", "-q", "--scenario-id", "GRID", "--output", "cli"]) == OK
    assert read(project / folder / "cli")["datasets"] == log["datasets"]


def test_the_settings_that_pytest_is_given_name_the_project(pytester: pytest.Pytester, project: Path) -> None:
    configure(project, SCENARIO.replace("data/grid", "nowhere"))  # of the folder that pytest is started in
    other = project / "other"
    other.mkdir()
    (other / "data").symlink_to(project / "data")
    configure(other, SCENARIO)
    (other / "ci.toml").write_text('[tool.d0parity.scenarios.GRID]\ndataset_root = "data/grid"\n', encoding="utf-8")
    (other / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    for name, has_params in (("pyproject.toml", True), ("ci.toml", False), ("pytest.ini", True)):
        options = ("-c", f"other/{name}", "--parity-scenario=GRID", f"--parity-output={name}.d")
        assert run_session(pytester, *options).ret == OK
        log = read(project / f"{name}.d")
        assert (log["total_datasets"], bool(log["baseline_params"])) == (2, has_params)


def test_a_table_names_the_metrics_beside_itself(
    pytester: pytest.Pytester, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "data" / "config.json").write_text('{"N": 64}')
    (project / "data" / "metrics.json").write_text('{"ms_ssim": [0.5, null]}')
    table = SCENARIO.replace("grid/params.dill", "config.json") + 'baseline_metrics = "data/metrics.json"'
    configure(project, table)
    monkeypatch.chdir(project / "sub")
    assert run(pytester, "--parity-scenario=GRID", "--parity-output=out").ret == OK
    assert read(project / "sub" / "out")["metrics"] == {"ms_ssim": [0.5, "NaN"]}


def test_reference_limit_and_thresholds_of_a_table(pytester: pytest.Pytester, project: Path) -> None:
    configure(project, SCENARIO)
    run(pytester, "--parity-scenario=GRID", "--parity-output=reference")
    log = read(project / "reference")
    log["datasets"][1]["stats"]["raw"]["mean"] *= 1.01
    (project / "moved.json").write_text(json.dumps(log))
    configure(project, SCENARIO + 'reference = "moved.json"')
    assert run(pytester, "--parity-scenario=GRID", "--parity-output=out").ret == FAILED
    configure(project, SCENARIO + 'reference = "moved.json"\n[tool.d0parity.thresholds]\n"raw.mean" = "5%"')
    assert run(pytester, "--parity-scenario=GRID", "--parity-output=out").ret == OK
    assert read(project / "out")["verdict"] == "within_thresholds"
    assert main(["compare", "moved.json", f"out/{LOG}"]) == OK
    strict = '\n[tool.d0parity.scenarios.GRID.thresholds]\n"raw.mean" = "exact"'
    configure(project, SCENARIO + 'reference = "moved.json"\n[tool.d0parity.thresholds]\n"raw.mean" = "5%"' + strict)
    assert run(pytester, "--parity-scenario=GRID", "--parity-output=out").ret == FAILED
    assert main(["compare", "moved.json", f"out/{LOG}"]) == 3
    assert run(pytester, "--parity-scenario=GRID", "--parity-output=out", "--parity-threshold=raw.mean:1").ret == OK
    configure(project, SCENARIO + 'reference = "moved.json"\nlimit_datasets = ["data_p1e4.npz"]')
    assert run(pytester, "--parity-scenario=GRID", "--parity-output=out").ret == OK
    assert read(project / "out")["reference"]["left_out"] == ["data_p1e6.npz"]


@pytest.mark.parametrize("setting", ["0.05", '"5%"', "{rel = 0.01, abs = 0.001}", "{abs = 1}", "1"])
def test_the_ways_to_write_a_threshold(pytester: pytest.Pytester, project: Path, setting: str) -> None:
    configure(project, SCENARIO)
    run(pytester, "--parity-scenario=GRID", "--parity-output=reference")
    log = read(project / "reference")
    log["datasets"][1]["stats"]["normalized"]["mean"] += 0.0005
    (project / "moved.json").write_text(json.dumps(log))
    configure(project, SCENARIO + f'[tool.d0parity.thresholds]\n"normalized.mean" = {setting}')
    assert run(pytester, "--parity-scenario=GRID", "--parity-output=o", "--parity-reference=moved.json").ret == OK


def test_options_override_the_table(pytester: pytest.Pytester, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(project, SCENARIO.replace("data/grid", "nowhere"))
    monkeypatch.chdir(project / "sub")
    options = ["--parity-dataset-root=../data/grid", "--parity-baseline-params=../data/grid/params.dill"]
    assert run(pytester, "--parity-scenario=GRID", "--parity-output=out", *options).ret == OK
    assert read(project / "sub" / "out")["metadata"]["dataset_root"] == "../data/grid"


def test_the_reports_root(pytester: pytest.Pytester, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(project, '[tool.d0parity]\nreports_root = "evidence"\n' + SCENARIO)
    monkeypatch.chdir(project / "sub")
    assert run(pytester, "--parity-scenario=GRID").ret == OK
    assert main(["log", "-q", "--scenario-id", "GRID"]) == OK
    folders = list((project / "evidence").iterdir())
    assert folders
    assert all((folder / LOG).exists() for folder in folders)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (SCENARIO, "there is no table ?tool.d0parity.scenarios.OTHER]*there is: GRID"),
        ("[tool.d0parity", "pyproject.toml: *"),
        ("[tool]\nd0parity = 3", "tool.d0parity is no table"),
        ("[tool.d0parity]\nscenarios = 3", "tool.d0parity.scenarios is no table"),
        (
            "[tool.d0parity]\nscenario = {}",
            "has an unknown key 'scenario'; known are reports_root, thresholds, scenarios",
        ),
        ("[tool.d0parity]\nreports_root = 3", "tool.d0parity.reports_root is 3; a text is expected"),
        ("[tool.d0parity.scenarios]\nX = 3", "tool.d0parity.scenarios.X is no table"),
        ("[tool.d0parity.scenarios.X]\nroot = 'a'", "unknown key 'root'; known are dataset_root, *"),
        ("[tool.d0parity.scenarios.X]\ndataset_root = ''", "dataset_root is ''; a text is expected"),
        ('[tool.d0parity.scenarios.X]\ndataset_root = "\\u0000"', "is '?x00'; a text without NUL is expected"),
        ('[tool.d0parity]\nreports_root = "a\\u0000b"', "is 'a?x00b'; a text without NUL is expected"),
        ('[tool.d0parity.scenarios.X]\nlimit_datasets = ["\\u0000"]', "limit_datasets is no list of file names"),
        (f"[tool.d0parity]\n{'k' * 100_000} = 1", f"unknown key '{'k' * 199}…; known are *"),
        (f"[tool.d0parity]\nreports_root = [{'1,' * 9999}]", "…; a text is expected"),
        (f"[tool.d0parity.thresholds]\nraw = '{'1' * 9999}!'", f"'{'1' * 199}… for 'raw' is no limit*"),
        ("[tool.d0parity.scenarios.X]\nlimit_datasets = 'a'", "limit_datasets is no list of file names"),
        ("[tool.d0parity.thresholds]\nraw = true", "True for 'raw' is no limit"),
        ("[tool.d0parity.thresholds]\nraw = -1", "-1 for 'raw' is no limit"),
        ("[tool.d0parity.thresholds]\nraw = nan", "nan for 'raw' is no limit"),
        ("[tool.d0parity.thresholds]\nraw = []", "[[]] for 'raw' is no limit"),
        ("[tool.d0parity.thresholds]\nraw = {}", "no limit is given for 'raw'"),
        ("[tool.d0parity.thresholds]\nraw = {rel = '5%'}", "rel = '5%' for 'raw' is no limit"),
        ("[tool.d0parity.thresholds]\nraw = {relative = 1}", "'relative' for 'raw' is not known"),
        ("[tool.d0parity]\nthresholds = 3", "tool.d0parity.thresholds is no table"),
    ],
)
def test_mistakes_in_a_table_are_wrong_usage(
    pytester: pytest.Pytester, project: Path, text: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(project, text)
    if text != "[tool.d0parity":  # which pytest itself cannot read either
        result = run(pytester, "--parity-scenario=OTHER", "-c", "/dev/null", f"--rootdir={project}")
        assert result.ret == USAGE
        result.stderr.fnmatch_lines([f"*{says}*"])
    capsys.readouterr()
    assert main(["log", "--scenario-id", "OTHER", "--output", "out"]) == 2
    assert "pyproject.toml" in capsys.readouterr().err
    assert not (project / "out").exists()


def test_an_id_without_a_table_beside_a_dataset_root(pytester: pytest.Pytester, project: Path) -> None:
    configure(project, SCENARIO)
    options = ["--parity-scenario=OTHER", "--parity-dataset-root=data/grid", "--parity-output=out"]
    assert run(pytester, *options).ret == OK


def test_a_pyproject_that_says_nothing_of_us_is_passed_over(
    pytester: pytest.Pytester, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(project, SCENARIO)
    (project / "sub" / "pyproject.toml").write_text("[project]\nname = 'x'\n[tool.pytest.ini_options]\n")
    monkeypatch.chdir(project / "sub")
    assert run(pytester, "--parity-scenario=GRID", "--parity-output=out").ret == OK
    assert main(["log", "-q", "--scenario-id", "GRID", "--output", "out"]) == OK
