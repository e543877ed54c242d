"""The levels of comparison, and the limit ``ignore``: on the command line, in the table, in verify and in pytest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_d0parity.simulator import simulate_sweep
from tests.support.command import LOG, d0parity, read_log

STATISTICS = ("--compare", "statistics")


@pytest.fixture(scope="module")
def redrawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sweep `ref`, and in `run` the same one with other photons, both with their logs in `out`."""
    folder = tmp_path_factory.mktemp("redrawn")
    for name, redraw in (("ref", 0), ("run", 1)):
        (folder / name).mkdir()
        simulate_sweep(str(folder / name), ["1e5", "1e9"], frames=40, redraw=redraw)
        assert d0parity("log", "--dataset-root", folder / name, "--output", folder / name / "out").returncode == 0
    return folder


def compare(redrawn: Path, *options: Any) -> tuple[int, Any]:
    logs = [redrawn / name / "out" / LOG for name in ("ref", "run")]
    done = d0parity("compare", *logs, "--format", "json", *options)
    return done.returncode, json.loads(done.stdout)


def left_out(outcome: Any) -> dict[str, tuple[int, int]]:
    return {item["name"]: (item["differ"], item["values"]) for item in outcome["not_compared"]}


def test_changed_files_are_drift_at_the_level_of_bytes_whatever_is_allowed(redrawn: Path) -> None:
    code, outcome = compare(redrawn, "--threshold", "*:inf")
    assert (code, outcome["verdict"], outcome["not_compared"]) == (3, "drift", [])
    drifted = {row["where"].partition(":")[2] for row in outcome["differences"] if row["verdict"] == "drift"}
    assert drifted == {"sha256", "arrays.diff3d.crc32", "frames.order", "frames.set"} & drifted
    assert "sha256" in drifted


def test_a_redrawn_sweep_passes_within_thresholds_at_the_level_of_statistics(redrawn: Path) -> None:
    code, outcome = compare(redrawn, *STATISTICS, "--threshold", "*:5%")
    assert (code, outcome["verdict"], outcome["drifted"]) == (0, "within_thresholds", 0)
    assert left_out(outcome)["sha256"] == (2, 2)
    assert left_out(outcome)["arrays.*.crc32"] == (2, 18)  # of diff3d alone
    assert left_out(outcome)["arrays.*.dtype"] == (0, 18)
    assert {item["why"] for item in outcome["not_compared"]} == {"level statistics"}
    logs = [redrawn / name / "out" / LOG for name in ("ref", "run")]
    told = d0parity("compare", *logs, *STATISTICS, "--threshold", "*:5%").stdout
    assert told.startswith("within_thresholds: the statistics agree within their thresholds; the bytes differ: ")
    assert "Not compared (level statistics): sha256 (2 of 2 differ), " in told


def test_the_level_does_not_loosen_a_statistic(redrawn: Path) -> None:
    code, outcome = compare(redrawn, *STATISTICS, "--threshold", "*:0.1%")
    assert (code, outcome["verdict"]) == (3, "drift")
    assert {row["where"].partition(":")[2].partition(".")[0] for row in outcome["differences"]} >= {"raw", "grouped"}


def test_exact_brings_back_what_the_level_leaves_out(redrawn: Path) -> None:
    code, outcome = compare(redrawn, *STATISTICS, "--threshold", "*:5%", "--threshold", "arrays.diff3d.crc32:exact")
    assert (code, outcome["drifted"]) == (3, 2)
    assert left_out(outcome)["arrays.*.crc32"] == (0, 16)
    assert compare(redrawn, *STATISTICS, "--threshold", "*:5%", "--threshold", "sha256:5%")[0] == 0


def test_a_log_is_the_same_as_itself_at_each_level(redrawn: Path) -> None:
    log = redrawn / "ref" / "out" / LOG
    done = d0parity("compare", log, log, *STATISTICS)
    assert (done.returncode, done.stdout.partition(":")[0]) == (0, "match")


def test_ignore_leaves_out_what_it_covers_and_the_last_match_wins(redrawn: Path) -> None:
    limits = ["*:5%", "sha256:ignore", "size_bytes:ignore", "arrays:ignore", "frames:ignore"]
    code, outcome = compare(redrawn, *(f"--threshold={limit}" for limit in limits))
    assert (code, outcome["verdict"]) == (0, "within_thresholds")
    assert left_out(outcome)["sha256"] == (2, 2)
    code, outcome = compare(redrawn, *(f"--threshold={limit}" for limit in [*limits, "sha256:exact"]))
    assert (code, outcome["drifted"]) == (3, 2)
    of_one = [*limits, "sha256:exact", "data_p1e9.npz:sha256:ignore"]
    code, outcome = compare(redrawn, *(f"--threshold={limit}" for limit in of_one))
    assert (code, outcome["drifted"], left_out(outcome)["data_p1e9.npz:sha256"]) == (3, 1, (1, 1))


def test_what_was_left_out_and_differs_is_no_match(redrawn: Path, tmp_path: Path) -> None:
    log = redrawn / "ref" / "out" / LOG
    other = json.loads(log.read_text())
    other["datasets"][0]["stats"]["raw"]["mean"] *= 1 + 1e-9  # within the default limit, if it were compared
    (tmp_path / LOG).write_text(json.dumps(other))
    done = d0parity("compare", log, tmp_path / LOG, "--threshold", "raw.mean:ignore")
    assert done.returncode == 0
    assert done.stdout.startswith("within_thresholds: every compared value equals the reference ")
    assert "what was left out differs\nNot compared (ignore): raw.mean (1 of 2 differs)." in done.stdout


@pytest.mark.parametrize("options", [["--threshold", "*:ignore"], [*STATISTICS, "--threshold", "*:ignore"]])
def test_nothing_left_to_compare_is_no_parity(redrawn: Path, tmp_path: Path, options: list[str]) -> None:
    logs = [redrawn / name / "out" / LOG for name in ("ref", "run")]
    done = d0parity("compare", *logs, *options)
    assert (done.returncode, done.stdout.partition(":")[0]) == (1, "incomplete")
    assert "nothing is left to compare with " in done.stderr
    root = ["--dataset-root", redrawn / "ref", "--reference", logs[0]]
    done = d0parity("log", *root, "--output", tmp_path, *options)
    assert (done.returncode, read_log(tmp_path)["verdict"]) == (1, "incomplete")
    assert "which is everything" in done.stderr


def test_log_says_at_which_level_it_compared(redrawn: Path, tmp_path: Path) -> None:
    reference = redrawn / "ref" / "out" / LOG
    options = ["--dataset-root", redrawn / "run", "--reference", reference, "--threshold", "*:5%"]
    assert d0parity("log", *options, *STATISTICS, "--output", tmp_path).returncode == 0
    log = read_log(tmp_path)
    assert (log["metadata"]["compare"], log["verdict"]) == ("statistics", "within_thresholds")
    names = {item["name"]: item for item in log["reference"]["not_compared"]}
    assert names["sha256"]["where"] == ["data_p1e5.npz:sha256", "data_p1e9.npz:sha256"]
    digest = (tmp_path / "dose_parity_log.md").read_text()
    assert "the bytes differ" in digest
    assert "Not compared (level statistics): sha256 (2 of 2 differ)" in digest
    assert d0parity("log", *options, "--output", tmp_path / "bytes").returncode == 3
    assert read_log(tmp_path / "bytes")["metadata"]["compare"] == "bytes"


def test_a_repacked_file_is_the_same_bytes_at_both_levels(redrawn: Path, tmp_path: Path) -> None:
    (tmp_path / "repacked").mkdir()
    for path in (redrawn / "ref").glob("*.npz"):
        with np.load(path) as arrays:
            np.savez(tmp_path / "repacked" / path.name, **arrays)
    options = ["--dataset-root", tmp_path / "repacked", "--reference", redrawn / "ref" / "out" / LOG]
    for level in ("bytes", "statistics"):
        done = d0parity("log", *options, "--compare", level, "--output", tmp_path / level)
        assert (done.returncode, read_log(tmp_path / level)["verdict"]) == (0, "match")
        assert "Repacked, which is no drift: data_p1e5.npz, data_p1e9.npz" in done.stdout


def test_the_table_of_a_scenario_names_the_level(redrawn: Path, tmp_path: Path) -> None:
    table = f"""[tool.d0parity.scenarios.S]
dataset_root = '{redrawn / "run"}'
reference = '{redrawn / "ref" / "out" / LOG}'
compare = "statistics"
thresholds = {{ "*" = "5%", "raw.p01" = "ignore" }}
"""
    (tmp_path / "pyproject.toml").write_text(table)
    assert d0parity("log", "--scenario-id", "S", "--output", "out", cwd=tmp_path).returncode == 0
    assert read_log(tmp_path / "out")["metadata"]["compare"] == "statistics"
    done = d0parity("log", "--scenario-id", "S", "--output", "out", "--compare", "bytes", cwd=tmp_path)
    assert done.returncode == 3  # the option overrides the table
    (tmp_path / "pyproject.toml").write_text(table.replace('"statistics"', '"values"'))
    done = d0parity("log", "--scenario-id", "S", "--output", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "tool.d0parity.scenarios.S.compare is no level; 'bytes' or 'statistics' is expected" in done.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["log", "--compare", "statistics"], "a level of comparison has no effect without a reference"),
        (["log", "--compare", "values"], "invalid choice: 'values'"),
        (["compare", "a", "b", "--threshold", "raw.mean:ignored"], "exact, or ignore, never negative"),
        (["report", "a", "--compare", "statistics"], "--compare is for a comparison: give a --reference as well"),
    ],
)
def test_what_is_no_level(options: list[str], says: str) -> None:
    done = d0parity(*options)
    assert done.returncode == 2
    assert says in done.stderr


def test_verify_measures_at_the_level_of_statistics(redrawn: Path, tmp_path: Path) -> None:
    log = redrawn / "ref" / "out" / LOG
    options = ["--dataset-root", redrawn / "run", "--output", tmp_path, "--threshold", "*:5%"]
    done = d0parity("verify", log, *options, *STATISTICS)
    receipt = json.loads((tmp_path / "dose_parity_receipt.json").read_text())
    assert (done.returncode, receipt["verdict"], receipt["compare"]) == (0, "within_thresholds", "statistics")
    assert [file["outcome"] for file in receipt["files"]] == ["agrees", "agrees"]
    assert "other bytes, and the values within their thresholds" in done.stdout
    done = d0parity("verify", log, *options[:-1], "*:0.001%", *STATISTICS)
    assert done.returncode == 3
    assert d0parity("verify", log, *options, "--measure").returncode == 3
    same = d0parity("verify", log, "--dataset-root", redrawn / "ref", "--output", tmp_path, *STATISTICS)
    assert (same.returncode, same.stdout.partition(":")[0]) == (0, "match")


def test_pytest_compares_at_a_level(pytester: pytest.Pytester, redrawn: Path) -> None:
    root = redrawn / "run"
    reference = f"--parity-reference={redrawn / 'ref' / 'out' / LOG}"
    options = ["-p", "no:randomly", "--parity-scenario=T", f"--parity-dataset-root={root}", reference]
    options += ["--parity-threshold=*:5%", "--parity-output=out"]
    result = pytester.runpytest_subprocess(*options, "--parity-compare=statistics", "-rs")
    assert result.ret == 0
    log = read_log(pytester.path / "out")
    assert (log["verdict"], log["metadata"]["compare"]) == ("within_thresholds", "statistics")
    outcomes = {check["id"]: check["outcome"] for check in log["checks"]}
    assert outcomes["d0parity::test_file[data_p1e5.npz]"] == "skipped"  # it compares nothing but bytes
    assert outcomes["d0parity::test_stage[data_p1e5.npz-raw]"] == "passed"
    text = result.stdout.str()
    assert "not compared: sha256 (level statistics), size_bytes (level statistics)" in text
    assert "the statistics agree within their thresholds; the bytes differ" in text
    assert pytester.runpytest_subprocess(*options).ret == 1


def test_pytest_refuses_a_level_without_a_scenario_or_with_an_update(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--parity-compare=statistics")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--parity-compare has no effect without --parity-scenario*"])
    result = pytester.runpytest_subprocess(
        "--parity-scenario=T", "--parity-reference=r.json", "--parity-update-reference", "--parity-compare=bytes"
    )
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*cannot be combined with --parity-compare*"])
