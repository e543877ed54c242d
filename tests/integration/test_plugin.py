"""The plugin from outside: sessions of pytest, their outcome, and the artifact that they leave."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.command import LOG
from tests.support.parity import LOCK, PAGE, PICTURES, Parity
from tests.support.processes import started, wait_for

OK, FAILED, INTERRUPTED, INTERNAL, USAGE, NO_TESTS = 0, 1, 2, 3, 4, 5


@pytest.fixture
def parity(pytester: pytest.Pytester, pair: Path, tmp_path_factory: pytest.TempPathFactory) -> Parity:
    return Parity(pytester, pair, tmp_path_factory.mktemp("root"))


OF_DATASET = [
    "test_file[{}]",
    "test_arrays[{}]",
    "test_stage[{}-raw]",
    "test_stage[{}-normalized]",
    "test_stage[{}-grouped]",
    "test_photon_dose[{}]",
    "test_probe[{}-amplitude]",
    "test_probe[{}-phase]",
    "test_probe[{}-norm]",
]
OF_WHOLE = [
    "test_datasets",
    "test_flag[probe.trainable]",
    "test_flag[probe.mask]",
    "test_flag[intensity_scale.trainable]",
    "test_params",
    "test_metric[mae]",
    "test_metric[mse]",
    "test_metric[psnr]",
    "test_metric[ssim]",
    "test_metric[ms_ssim]",
    "test_metric[frc50]",
    "test_metric[frc1over7]",
]
NAMES = ["data_p1e4.npz", "data_p1e6.npz"]
ALL = [f"d0parity::{check}" for check in OF_WHOLE + [c.format(name) for name in NAMES for c in OF_DATASET]]


def of(name: str) -> list[str]:
    return [f"d0parity::{check.format(name)}" for check in OF_DATASET]


# --- recorded, match, drift --------------------------------------------------------------------


def test_without_a_reference_the_values_are_recorded(parity: Parity) -> None:
    result = parity.run()
    assert result.ret == OK
    result.assert_outcomes(passed=len(ALL))
    log = parity.log()
    assert (log["verdict"], log["reference"], log["drift"], log["problems"]) == ("recorded", None, [], [])
    assert parity.outcomes() == dict.fromkeys(ALL, "passed")
    for dataset in log["datasets"]:
        (raw,) = [c for c in log["checks"] if c["id"] == f"d0parity::test_stage[{dataset['filename']}-raw]"]
        assert raw["dataset"] == dataset["filename"]
        expected = {f"raw.{name}": value for name, value in dataset["stats"]["raw"].items()}
        for part in ("frames", "pattern"):
            expected |= {f"{part}.{name}": value for name, value in dataset[part].items()}
        assert raw["values"] == {"raw.nan_count": 0, "raw.inf_count": 0} | expected
    assert sorted(os.listdir(parity.pytester.path / "out")) == sorted(
        [LOG, "dose_parity_log.md", PAGE, PICTURES, "probe_stats.csv", "stage_stats.csv", "SHA256SUMS", LOCK]
    )
    result.stdout.fnmatch_lines(["d0parity: scenario T,*", "*d0parity: T*", "recorded: *", "*out/dose_parity_log.md*"])


def test_the_log_is_that_of_the_command_line(parity: Parity) -> None:
    from pytest_d0parity.cli import main

    parity.run("-q")
    params = ["--baseline-params", str(parity.root / "params.dill")]
    main(["log", "-q", "--scenario-id", "T", "--dataset-root", str(parity.root), *params, "--output", "cli"])
    ours, theirs = parity.log(), parity.log("cli")
    for log in (ours, theirs):
        del log["metadata"]["timestamp"], log["checks"]
    assert ours["metadata"].pop("from_cache") == []
    assert theirs["metadata"].pop("from_cache") == ["data_p1e4.npz", "data_p1e6.npz"]
    assert ours == theirs


def test_against_its_own_log_it_matches(parity: Parity) -> None:
    result = parity.run(parity.reference())
    assert (result.ret, parity.log()["verdict"]) == (OK, "match")
    said = f"match: every compared value equals the reference reference/{LOG}; 2 of 2 datasets from the cache"
    result.stdout.fnmatch_lines([said])


def edit(*keys: Any, factor: float | None = None, value: Any = None) -> Any:
    *path, last = keys

    def change(log: Any) -> None:
        for key in path:
            log = log[key]
        if factor is not None:
            log[last] *= factor
        elif value is not None:
            log[last] = value
        else:
            del log[last]

    return change


STATS = ("datasets", 0, "stats")


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (edit(*STATS, "raw", "mean", factor=1.1), "test_stage[data_p1e4.npz-raw]"),
        (edit(*STATS, "raw", "mean", value="NaN"), "test_stage[data_p1e4.npz-raw]"),
        (edit(*STATS, "raw", "p90"), "test_stage[data_p1e4.npz-raw]"),
        (edit(*STATS, "normalized", "p99", factor=0.5), "test_stage[data_p1e4.npz-normalized]"),
        (edit(*STATS, "grouped", "n_patterns", value=7), "test_stage[data_p1e4.npz-grouped]"),
        (edit("datasets", 0, "sha256", value="0" * 64), None),
        (edit("datasets", 0, "arrays", "objectGuess", "crc32", value="0" * 8), "test_arrays[data_p1e4.npz]"),
        (edit("datasets", 0, "arrays", "objectGuess"), "test_arrays[data_p1e4.npz]"),
        (edit("datasets", 0, "photons", "per_pattern", factor=1.1), "test_photon_dose[data_p1e4.npz]"),
        (edit("datasets", 0, "probe", "amplitude", "max", factor=1.1), "test_probe[data_p1e4.npz-amplitude]"),
        (edit("datasets", 0, "probe", "phase", "p50", value=3.0), "test_probe[data_p1e4.npz-phase]"),
        (edit("datasets", 0, "probe", "l2_norm", value=2.0), "test_probe[data_p1e4.npz-norm]"),
        (edit("datasets", 0), "test_datasets"),
        (edit("datasets", 1, "filename", value="data_p1e7.npz"), "test_datasets"),
        (edit("params", "N", value=128), "test_params"),
        (edit("params", "nepochs"), "test_params"),
        (edit("params", "probe.mask", value=True), "test_flag[probe.mask]"),
        (edit("metrics", "psnr", 0, factor=1.1), "test_metric[psnr]"),
        (edit("metrics", "psnr"), "test_metric[psnr]"),
        (edit("metrics", "ssim", value=[1.0, 1.0]), "test_metric[ssim]"),
    ],
)
def test_exactly_the_check_fails_whose_value_was_moved(parity: Parity, change: Any, check: str | None) -> None:
    result = parity.run(parity.reference(change))
    log = parity.log()
    if check is None:  # other bytes, the same arrays
        assert (result.ret, log["verdict"], parity.failed()) == (OK, "match", [])
        assert [row["verdict"] for row in log["drift"]] == ["repacked"]
    else:
        assert (result.ret, log["verdict"], parity.failed()) == (FAILED, "drift", [f"d0parity::{check}"])
        assert {row["verdict"] for row in log["drift"]} == {"drift"}


def test_the_message_is_a_table(parity: Parity) -> None:
    result = parity.run(parity.reference(edit(*STATS, "raw", "mean", factor=1.25)))
    mean = parity.log()["datasets"][0]["stats"]["raw"]["mean"]
    result.stdout.fnmatch_lines(
        [
            f"data_p1e4.npz: 1 value drifts from the reference reference/{LOG}",
            "value *reference *observed *difference *allowed *times allowed",
            f"raw.mean *{mean * 1.25:.8g} *{mean:.8g} *{-mean / 4:+.4g} *1e-6 relative *2e+05",
            "1 of 2 datasets (data_p1e4.npz): the bytes are the reference's, and the values are not: *Next: measure *",
            "FAILED d0parity::test_stage[[]data_p1e4.npz-raw[]]*",
        ]
    )
    assert "Traceback" not in result.stdout.str()
    assert "checks.py" not in result.stdout.str()


def test_within_the_threshold(parity: Parity) -> None:
    reference = parity.reference(edit(*STATS, "raw", "mean", factor=1.01))
    result = parity.run(reference, "--parity-threshold=raw.mean:5%")
    assert (result.ret, parity.log()["verdict"]) == (OK, "within_thresholds")
    assert [row["verdict"] for row in parity.log()["drift"]] == ["within_thresholds"]


def test_the_digest_lists_the_checks_that_did_not_pass(parity: Parity) -> None:
    parity.run(parity.reference(edit(*STATS, "raw", "mean", factor=1.1)), "--deselect=d0parity::test_params")
    digest = (parity.pytester.path / "out" / "dose_parity_log.md").read_text()
    assert "30 checks: 28 passed, 1 not run, 1 failed." in digest
    assert r"| failed | d0parity::test_stage\[data_p1e4.npz-raw\] |" in digest
    assert "| not run | d0parity::test_params |" in digest


def test_nan_against_a_number_drifts_whatever_is_allowed(parity: Parity) -> None:
    reference = parity.reference(edit(*STATS, "raw", "mean", value="NaN"))
    assert parity.run(reference, "--parity-threshold=*:inf").ret == FAILED
    assert parity.failed() == ["d0parity::test_stage[data_p1e4.npz-raw]"]


@pytest.mark.parametrize("lost", NAMES)
def test_a_dataset_missing_here_drifts(parity: Parity, lost: str) -> None:
    reference = parity.reference()
    (parity.root / lost).unlink()
    assert parity.run(reference).ret == FAILED
    assert parity.failed() == ["d0parity::test_datasets"]
    assert parity.log()["drift"][0] | {"where": lost, "observed": "(missing)"} == parity.log()["drift"][0]


def test_a_dataset_that_the_reference_lacks_drifts_and_its_checks_say_why_they_compare_nothing(parity: Parity) -> None:
    reference = parity.reference(edit("datasets", 1))
    assert parity.run(reference).ret == FAILED
    outcomes = parity.outcomes()
    assert parity.failed() == ["d0parity::test_datasets"]
    assert {outcomes[name] for name in of("data_p1e6.npz")} == {"skipped"}


def repack(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def test_a_repacked_file_passes_and_is_called_so(parity: Parity) -> None:
    reference = parity.reference()
    repack(parity.root / "data_p1e6.npz")
    result = parity.run(reference)
    assert (result.ret, parity.log()["verdict"]) == (OK, "match")
    result.stdout.fnmatch_lines(["Repacked, which is no drift: data_p1e6.npz *"])
    assert parity.run(reference, "--parity-threshold=sha256:exact").ret == FAILED
    assert parity.failed() == ["d0parity::test_file[data_p1e6.npz]"]


# --- which tests run ---------------------------------------------------------------------------


def test_ids_are_short_and_say_nothing_of_the_installation(parity: Parity) -> None:
    result = parity.run("--collect-only", "-q")
    assert [line for line in result.outlines if "::" in line] == ALL
    assert not (parity.pytester.path / "out").exists()
    verbose = parity.run("-v", "--durations=3", "-rA").stdout.str()
    assert "d0parity::test_stage[data_p1e4.npz-raw] PASSED" in verbose
    assert "pytest_d0parity" not in verbose.replace("pytest_d0parity-", "")
    assert "checks.py" not in verbose


def test_own_tests_run_beside_ours(parity: Parity) -> None:
    parity.pytester.makepyfile("def test_mine(): pass\ndef test_bad(): assert 0")
    result = parity.run()
    result.assert_outcomes(passed=len(ALL) + 1, failed=1)
    assert (result.ret, parity.log()["verdict"]) == (FAILED, "recorded")


@pytest.mark.parametrize("name", ["d0parity::test_stage[data_p1e4.npz-raw]", "d0parity::test_metric[psnr]"])
def test_an_id_can_be_pasted_back(parity: Parity, name: str) -> None:
    parity.pytester.makepyfile("def test_mine(): pass")
    result = parity.run(name)
    result.assert_outcomes(passed=1, deselected=len(ALL) - 1)
    assert [check for check, outcome in parity.outcomes().items() if outcome == "passed"] == [name]
    assert (result.ret, parity.log()["verdict"]) == (OK, "incomplete")


def test_ids_of_functions_and_of_users(parity: Parity) -> None:
    parity.pytester.makepyfile(test_own="def test_mine(): pass\ndef test_other(): pass")
    parity.run("d0parity::test_probe").assert_outcomes(passed=6, deselected=len(ALL) - 6)
    parity.run("d0parity").assert_outcomes(passed=len(ALL))
    parity.run("test_own.py").assert_outcomes(passed=len(ALL) + 2)
    parity.run("test_own.py::test_mine").assert_outcomes(passed=1, deselected=len(ALL))
    parity.run("test_own.py::test_mine", "d0parity::test_params").assert_outcomes(passed=2, deselected=len(ALL) - 1)


def test_an_id_that_is_none(parity: Parity) -> None:
    result = parity.run("d0parity::test_nothing")
    assert result.ret == USAGE
    result.stderr.fnmatch_lines(["*not found: d0parity::test_nothing*"])
    assert not (parity.pytester.path / "out" / LOG).exists()


def test_a_selection_is_incomplete_and_measures_no_more_than_it_needs(parity: Parity) -> None:
    result = parity.run("-k", "data_p1e4", parity.reference())
    assert result.ret == OK
    log = parity.log()
    assert log["verdict"] == "incomplete"
    assert [dataset["filename"] for dataset in log["datasets"]] == ["data_p1e4.npz"]
    assert [name for name, outcome in parity.outcomes().items() if outcome == "passed"] == of("data_p1e4.npz")
    assert log["drift"] == []
    result.stdout.fnmatch_lines(["incomplete: not everything was compared with the reference*"])


@pytest.mark.parametrize(("selected", "roots"), [("amplitude or phase or norm]", ["probe"]), ("raw", ["patterns"])])
def test_nothing_is_said_of_what_a_selection_did_not_compare(parity: Parity, selected: str, roots: list[str]) -> None:
    name = "data_p1e5.npz"
    np.savez(parity.root / name, **arrays())
    reference = parity.reference()
    before = arrays()
    after = arrays(diff3d=before["diff3d"] + 1, probeGuess=before["probeGuess"] + 1)
    np.savez(parity.root / name, **after)
    parity.run("-k", f"{name} and ({selected})", reference)
    log = parity.log()
    assert log["verdict"] == "incomplete"
    assert [(finding["root"], finding["proof"]) for finding in log["findings"]] == [(root, "changed") for root in roots]


def test_deselect(parity: Parity) -> None:
    result = parity.run("--deselect=d0parity::test_metric", parity.reference())
    result.assert_outcomes(passed=len(ALL) - 7, deselected=7)
    assert (result.ret, parity.log()["verdict"]) == (OK, "incomplete")


def test_an_empty_selection_leaves_no_log_that_claims_parity(parity: Parity) -> None:
    parity.run(parity.reference())
    assert parity.log()["verdict"] == "match"
    assert parity.run("-k", "nothing", f"--parity-reference=reference/{LOG}").ret == NO_TESTS
    assert parity.log()["verdict"] == "incomplete"
    assert parity.log()["datasets"] == []


@pytest.mark.parametrize("option", ["-x", "--maxfail=2"])
def test_what_was_planned_and_never_ran_is_not_run(parity: Parity, option: str) -> None:
    reference = parity.reference(edit("params", "probe.mask", value=True))
    if option == "--maxfail=2":
        parity.pytester.makepyfile("def test_bad(): assert 0")
    result = parity.run(option, reference)
    outcomes = parity.outcomes()
    assert (result.ret, parity.log()["verdict"]) == (FAILED, "incomplete")
    assert outcomes["d0parity::test_flag[probe.mask]"] == "failed"
    assert {outcomes[name] for name in of("data_p1e6.npz")} == {"not_run"}
    assert [row["where"] for row in parity.log()["drift"]] == ["params.probe.mask"]
    result.stdout.fnmatch_lines(["ERROR: parity is not shown, for d0parity::*planned and never reported"])


def test_last_failed_also_beside_a_failure_of_the_user(parity: Parity) -> None:
    parity.pytester.makepyfile(test_a="def test_bad(): assert 0\ndef test_good(): pass", test_b="def test_c(): pass")
    parity.run(output="reference")
    moved = parity.log("reference")
    moved["datasets"][0]["stats"]["raw"]["mean"] *= 2
    (parity.pytester.path / "moved.json").write_text(json.dumps(moved))
    reference = "--parity-reference=moved.json"
    parity.run(reference)
    result = parity.run("--lf", reference)
    result.assert_outcomes(failed=2, deselected=len(ALL) - 1)
    assert "d0parity::test_stage[data_p1e4.npz-raw]" in result.stdout.str()


def test_twice_in_one_process(parity: Parity) -> None:
    for _ in range(2):
        parity.run().assert_outcomes(passed=len(ALL))


@pytest.mark.parametrize(
    "settings",
    [
        "python_functions = check_*",
        "python_files = nothing.py\npython_classes = Nothing",
        "addopts = --strict-markers --strict-config --import-mode=importlib",
        "filterwarnings = error",
        "empty_parameter_set_mark = fail_at_collect",
    ],
)
def test_whatever_the_project_has_set(parity: Parity, settings: str) -> None:
    parity.pytester.makeini(f"[pytest]\n{settings}")
    result = parity.run()
    result.assert_outcomes(passed=len(ALL))
    assert parity.log()["verdict"] == "recorded"


def test_a_project_that_skips_our_checks_has_no_parity(parity: Parity) -> None:
    reference = parity.reference()
    parity.pytester.makeconftest(
        """
        import pytest
        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.skip(reason="no"))
        """
    )
    result = parity.run(reference)
    assert parity.log()["verdict"] == "incomplete"
    assert result.ret == FAILED


def test_a_fixture_that_changes_the_folder_changes_nothing(parity: Parity) -> None:
    parity.pytester.makeconftest(
        """
        import pytest
        @pytest.fixture(autouse=True)
        def elsewhere(tmp_path, monkeypatch):
            monkeypatch.chdir(tmp_path)
        """
    )
    sweep = os.path.relpath(parity.root, parity.pytester.path)
    result = parity.pytester.runpytest_inprocess(
        *("-p", "no:randomly", "--parity-scenario=T", f"--parity-dataset-root={sweep}", "--parity-output=out")
    )
    assert result.ret == OK
    assert parity.log()["metadata"]["dataset_root"] == sweep
    assert [dataset["path"] for dataset in parity.log()["datasets"]] == [f"{sweep}/{name}" for name in NAMES]


# --- bad input ---------------------------------------------------------------------------------


def test_an_unreadable_dataset_fails_its_checks_and_no_others(parity: Parity) -> None:
    path = parity.root / "data_p1e4.npz"
    path.write_bytes(path.read_bytes()[:1000])
    result = parity.run()
    assert result.ret == FAILED
    assert parity.failed() == of("data_p1e4.npz")
    assert set(parity.outcomes().values()) == {"passed", "failed"}
    result.stdout.fnmatch_lines(["data_p1e4.npz: its zip directory cannot be read*"])
    assert "Traceback" not in result.stdout.str()


def arrays(**changed: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    found = {
        "diff3d": rng.random((4, 3, 3)),
        "probeGuess": rng.random((3, 3)) + 1j,
        "scan_index": np.zeros(4, int),
    }
    return {name: array for name, array in (found | changed).items() if array is not None}


@pytest.mark.parametrize(
    ("changed", "failed", "skipped"),
    [
        ({"diff3d": None}, ["arrays", "raw", "normalized", "grouped", "photon_dose"], []),
        ({"diff3d": np.array([[["a"]]])}, ["arrays", "raw", "normalized", "grouped", "photon_dose"], []),
        ({"diff3d": np.full((4, 3, 3), np.nan)}, ["raw", "normalized"], ["photon_dose"]),
        ({"diff3d": np.zeros((4, 3, 3))}, ["raw", "normalized"], ["photon_dose"]),
        ({"probeGuess": None}, ["amplitude", "phase", "-norm]"], ["photon_dose"]),
        ({"probeGuess": np.ones((3, 3))}, [], ["photon_dose"]),
        ({"scan_index": None}, [], ["photon_dose"]),
        ({"scan_index": np.zeros(3, int)}, ["grouped"], ["photon_dose"]),
        ({"scan_index": np.full(4, 0.5)}, ["grouped"], ["photon_dose"]),
        ({"extra": np.array([{}], dtype=object)}, ["arrays"], ["photon_dose"]),
    ],
)
def test_a_bad_array_concerns_the_checks_of_it(
    parity: Parity, changed: dict[str, Any], failed: list[str], skipped: list[str]
) -> None:
    np.savez(parity.root / "data_p1e5.npz", **arrays(**changed))
    result = parity.run("-rs")
    outcomes = parity.outcomes()
    ours = [name for name in outcomes if "data_p1e5.npz" in name]
    assert sorted(name for name in ours if outcomes[name] == "failed") == sorted(
        name for name in ours if any(part in name for part in failed)
    )
    assert sorted(name for name in ours if outcomes[name] == "skipped") == sorted(
        name for name in ours if any(part in name for part in skipped)
    )
    assert not [name for name in parity.failed() if name not in ours]
    assert result.ret == (FAILED if failed else OK)
    if skipped:
        result.stdout.fnmatch_lines(["SKIPPED*no photons can be counted in it*"])


def test_a_mislabelled_dose_fails_the_dose_check(parity: Parity) -> None:
    (parity.root / "data_p1e4.npz").rename(parity.root / "data_p2e4.npz")
    result = parity.run()
    assert parity.failed() == ["d0parity::test_photon_dose[data_p2e4.npz]"]
    result.stdout.fnmatch_lines(["*its name says 2e4 photons per pattern*"])


def test_one_dose_spelled_in_two_ways(parity: Parity) -> None:
    for name in ("data_p1e04.npz", "data_p1e4_test.npz"):
        (parity.root / name).write_bytes((parity.root / "data_p1e4.npz").read_bytes())
    parity.run()
    assert parity.failed() == ["d0parity::test_datasets"]


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--parity-dataset-root=nowhere", "dataset root nowhere does not exist"),
        ("--parity-dataset-root=.", "holds no file named data_p"),
        ("--parity-limit-datasets=data_p1e9.npz", "data_p1e9.npz is not in"),
    ],
)
def test_no_sweep_fails_the_check_of_the_datasets(parity: Parity, option: str, says: str) -> None:
    result = parity.run(option)
    assert result.ret == FAILED
    assert parity.failed() == ["d0parity::test_datasets"]
    assert says in result.stdout.str()


def test_bad_params_fail_their_checks(parity: Parity) -> None:
    (parity.root / "params.dill").write_bytes(b"nonsense")
    result = parity.run()
    assert result.ret == FAILED
    assert parity.failed() == [f"d0parity::{name}" for name in OF_WHOLE[1:]]
    assert "params.dill cannot be read" in result.stdout.str()


def test_without_params_their_checks_are_skipped_unless_the_reference_has_them(parity: Parity) -> None:
    reference = parity.reference()
    options = ["-p", "no:randomly", "--parity-scenario=T", f"--parity-dataset-root={parity.root}"]
    result = parity.pytester.runpytest_inprocess(*options, "--parity-output=out", "-rs")
    assert result.ret == OK
    result.stdout.fnmatch_lines(["SKIPPED*the scenario names no baseline params"])
    result = parity.pytester.runpytest_inprocess(*options, "--parity-output=out", reference)
    assert result.ret == FAILED
    assert parity.failed() == [f"d0parity::{name}" for name in OF_WHOLE[1:]]


def test_odd_names_of_files(parity: Parity) -> None:
    odd = [
        b"data_p1e5 [1].npz",
        b"data_p1e5::x.npz",
        "data_p1e5é.npz".encode(),
        b"data_p1e5\xff.npz",
        b"data_p1e5\n.npz",
    ]
    for name in odd:
        np.savez(parity.root / os.fsdecode(name), **arrays(scan_index=np.zeros(3, int)))
    result = parity.run()
    assert len(parity.outcomes()) == len(ALL) + len(odd) * len(OF_DATASET)
    assert {name.split("[")[0] for name in parity.failed()} == {"d0parity::test_stage"}
    failing = [line.split(" - ")[0].removeprefix("FAILED ") for line in result.outlines if line.startswith("FAILED")]
    assert len(failing) == len(odd)
    parity.run(*failing).assert_outcomes(failed=len(odd), deselected=len(parity.outcomes()) - len(odd))


# --- usage -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--parity-threshold=raw.mean"], "is no PATTERN:LIMIT"),
        (["--parity-threshold=raw.mean:-1"], "is no limit"),
        (["--parity-threshold=raw.mean:5%"], "a threshold has no effect without a reference"),
        (
            ["--parity-reference=none.json"],
            "log none.json cannot be read: there is no such*add --parity-update-reference",
        ),
        (["--parity-reference=bad.json"], "log bad.json cannot be read: it is no JSON"),
        (["--parity-reference=newer.json"], "log newer.json has schema version 99"),
        (["--parity-limit-datasets=,"], "give at least one name"),
        (["--parity-update-reference"], "which reference is to be updated"),
        (["--parity-update-reference", "--parity-reference=bad.json"], "log bad.json cannot be read"),
        (["--parity-update-reference", "--parity-reference=x.json", "--parity-threshold=raw:1"], "cannot be combined"),
        (["--parity-output=bad.json"], "output *bad.json is a file"),
    ],
)
def test_mistakes_are_told_at_start_up(parity: Parity, options: list[str], says: str) -> None:
    (parity.pytester.path / "bad.json").write_text('{"datasets": [')
    (parity.pytester.path / "newer.json").write_text('{"schema_version": 99, "datasets": []}')
    result = parity.run(*options)
    assert result.ret == USAGE
    result.stderr.fnmatch_lines([f"*{says}*"])
    assert "Traceback" not in result.stderr.str()
    assert not (parity.pytester.path / "out" / LOG).exists()


def test_options_without_a_scenario_are_a_mistake(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess("--parity-reference=x.json")
    assert result.ret == USAGE
    result.stderr.fnmatch_lines(["*--parity-reference has no effect without --parity-scenario*"])
    pytester.makepyfile("def test_it(): pass")
    assert pytester.runpytest_inprocess("--parity-output=out", "--parity-history=x.md").ret == OK


def test_a_session_without_the_option_is_untouched(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys
        def test_nothing_was_imported():
            heavy = {"numpy", "dill", "rich", "msgspec", "isal", "filelock", "pytest_d0parity.plugin.session"}
            assert not heavy & set(sys.modules)
        def test_user(parity_record): assert 0
        def test_datasets(parity_dataset): assert 0
        def test_others(parity_params, parity_scenario): assert 0
        """
    )
    result = pytester.runpytest_subprocess(
        "-rs", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:hypothesispytest"
    )
    result.assert_outcomes(passed=1, skipped=3)
    result.stdout.fnmatch_lines(["SKIPPED*the session was started without --parity-scenario"])
    assert not (pytester.path / "plans").exists()


# --- artifacts ---------------------------------------------------------------------------------


def test_a_log_that_cannot_be_written_fails_the_session(parity: Parity) -> None:
    parity.pytester.makeconftest(
        """
        import os, shutil
        def pytest_collection_finish():
            shutil.rmtree("out")
            open("out", "w").close()
        """
    )
    for quiet in ([], ["-q"], ["-qq"], ["--no-summary"], ["-p", "no:terminal"]):
        (parity.pytester.path / "out").unlink(missing_ok=True)
        result = parity.run(*quiet)
        assert result.ret == FAILED
        assert "out/dose_parity_log.md cannot be written" in result.stdout.str() + result.stderr.str(), quiet


def test_two_sessions_at_once_into_one_folder(parity: Parity) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
    command += [*parity.options, "--parity-output=out"]
    with contextlib.ExitStack() as stack:
        runs = [
            stack.enter_context(started(command, cwd=parity.pytester.path, stdout=subprocess.PIPE)) for _ in range(3)
        ]
        for run in runs:
            out, _ = run.communicate(timeout=120)
            assert run.returncode == OK, out.decode()
    assert parity.log()["verdict"] == "recorded"
    assert not [name for name in os.listdir(parity.pytester.path / "out") if name.endswith(".tmp")]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_what_ends_a_session_leaves_what_was_finished(parity: Parity, name: str) -> None:
    parity.pytester.makeconftest(
        """
        import signal, pytest
        @pytest.fixture(autouse=True)
        def slow(request):
            if "data_p1e6" in request.node.name:
                open("reached", "w").close()
                while True: signal.pause()
        """
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly", *parity.options]
    command.append("--parity-output=out")
    with started(command, cwd=parity.pytester.path, stdout=subprocess.PIPE, text=True) as run:
        wait_for((parity.pytester.path / "reached").exists, "the second dataset is checked")
        run.send_signal(signal.Signals[name])
        out, _ = run.communicate(timeout=60)
    assert run.returncode == INTERRUPTED
    assert ("interrupted by SIGTERM" in out) == (name == "SIGTERM")
    log = parity.log()
    assert log["verdict"] == "incomplete"
    assert [dataset["filename"] for dataset in log["datasets"]] == ["data_p1e4.npz"]
    outcomes = parity.outcomes()
    assert {outcomes[name] for name in of("data_p1e4.npz")} == {"passed"}
    assert {outcomes[name] for name in of("data_p1e6.npz")} == {"not_run"}
    assert "incomplete: " in out


def test_a_collection_error_leaves_an_incomplete_log(parity: Parity) -> None:
    parity.pytester.makepyfile("import nothing_of_this_name")
    result = parity.run()
    assert result.ret == INTERRUPTED
    assert parity.log()["verdict"] == "incomplete"


def test_the_default_output_and_the_history(parity: Parity, monkeypatch: pytest.MonkeyPatch) -> None:
    (parity.pytester.path / "plan.md").write_text("# Plan\n")
    options = ["-p", "no:randomly", *parity.options, "--parity-history=plan.md"]
    assert parity.pytester.runpytest_inprocess(*options).ret == OK
    (folder,) = (parity.pytester.path / "plans/active/seed/reports").iterdir()
    assert (folder / LOG).exists()
    assert "verdict recorded" in (parity.pytester.path / "plan.md").read_text()
    monkeypatch.setenv("ARTIFACT_DIR", "artifacts")
    assert parity.pytester.runpytest_inprocess(*options).ret == OK
    assert (parity.pytester.path / "artifacts" / LOG).exists()


def test_the_step_summary(parity: Parity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(parity.pytester.path / "summary.md"))
    reference = parity.reference(edit(*STATS, "raw", "mean", factor=1.1))
    parity.run(reference)
    text = (parity.pytester.path / "summary.md").read_text()
    assert text.count("### D0 parity: T") == 2
    assert "**drift**: 1 value differs" in text
    assert "| data_p1e4.npz:raw.mean |" in text


# --- a reference brought up to date ------------------------------------------------------------


def content(path: Path) -> Any:
    return json.loads(path.read_text())


def test_a_reference_is_made_and_matched(parity: Parity) -> None:
    reference = "--parity-reference=refs/new.json"
    result = parity.run(reference, "--parity-update-reference")
    assert (result.ret, parity.log()["verdict"]) == (OK, "recorded")
    result.stdout.fnmatch_lines(["Reference refs/new.json is new*"])
    assert parity.run(reference).ret == OK
    assert parity.log()["verdict"] == "match"


def test_an_update_says_what_changed(parity: Parity) -> None:
    reference = parity.reference(edit(*STATS, "raw", "mean", factor=1.1))
    result = parity.run(reference, "--parity-update-reference")
    assert result.ret == OK
    result.stdout.fnmatch_lines(
        ["Reference * is updated; 1 value changed:", "value *", "data_p1e4.npz:", "  raw.mean *"]
    )
    assert parity.run(reference).ret == OK
    assert parity.log()["verdict"] == "match"
    parity.run(reference, "--parity-update-reference").stdout.fnmatch_lines(["* is left as it was: no value changed."])


def test_a_step_summary_ends_with_what_an_update_did(parity: Parity, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = parity.pytester.path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))

    def last_words(*options: str) -> str:
        summary.unlink(missing_ok=True)
        parity.run("--parity-update-reference", *options)
        _, verdict, said = summary.read_text(encoding="utf-8").split("\n\n", 2)
        assert verdict.startswith("**recorded**: these are the values; nothing was compared")
        return said

    assert last_words("--parity-reference=new.json") == "Reference new.json is new: review it, and commit it.\n\n"
    reference = parity.reference(edit("metrics", "old", value=[1, 2]))
    path = parity.pytester.path / "reference" / LOG
    same = f"Reference reference/{LOG} is left as it was: no value changed."
    kept = "Kept as they were, for they were not observed: metrics: old"
    assert last_words(reference) == f"{same}\n\n{kept}\n\n"

    log = content(path)
    for dataset in log["datasets"]:
        dataset["stats"]["raw"]["mean"] *= 1.1
    log["metrics"]["psnr"] = [1.0, 1.0]
    path.write_text(json.dumps(log), encoding="utf-8")
    updated = last_words(reference)
    assert updated.startswith(f"Reference reference/{LOG} is updated; 4 values changed:\n\n| value | reference | ")
    assert "\n| data_p1e4.npz:raw.mean | " in updated
    assert "\n| metrics.psnr.train | 1 | " in updated

    (parity.root / "data_p1e4.npz").rename(parity.root / "data_p2e4.npz")
    refused = f"reference reference/{LOG} is left as it was, for d0parity::test_photon_dose"
    assert last_words(reference).splitlines()[-2].startswith(refused)


def test_a_step_summary_shows_200_rows_of_an_update(parity: Parity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(parity.pytester.path / "summary.md"))
    recorded = "[parity_record(f'value{number}', number + {}) for number in range(205)]"
    own = "def test_many(parity_record):\n    {}\n"
    parity.pytester.makepyfile(test_own=own.format(recorded.replace("{}", "0")))
    reference = parity.reference()
    # Of another length: within the same second, Python takes a module of the same for the one that it has compiled.
    parity.pytester.makepyfile(test_own=own.format(recorded.replace("{}", "10")))
    parity.run(reference, "--parity-update-reference")
    updated = (parity.pytester.path / "summary.md").read_text(encoding="utf-8").partition("; 205 values changed:")[2]
    assert updated.count("test_own.py::test_many:value") == 200
    assert updated.endswith("\n\n... and 5 more rows.\n\n")


def test_an_update_judges_by_the_thresholds_of_the_project(parity: Parity, monkeypatch: pytest.MonkeyPatch) -> None:
    """And writes what these allow, or ignore, all the same."""
    monkeypatch.setenv("COLUMNS", "200")
    parity.pytester.makepyprojecttoml("""
        [tool.d0parity.thresholds]
        "normalized.*" = "0.1%"
        "raw.std" = "ignore"
        """)

    def updated(**factors: float) -> str:
        """Return what an update says, its blanks joined, where the reference had these statistics multiplied."""

        def move(log: Any) -> None:
            for name, factor in factors.items():
                stage, statistic = name.split("_")
                log["datasets"][0]["stats"][stage][statistic] *= factor

        reference = parity.reference(move)
        result = parity.run(reference, "--parity-update-reference")
        stats = content(parity.pytester.path / "reference" / LOG)["datasets"][0]["stats"]
        assert stats == parity.log()["datasets"][0]["stats"]
        return " ".join(result.stdout.str().split())

    said = updated(raw_mean=1.1, raw_std=1.1, normalized_mean=1.0000037, normalized_std=1.002)
    assert "is updated; 4 values changed, 2 of them within their thresholds:" in said
    assert re.search(r"normalized.std \S+ \S+ \S+ 0.1% 2 ", said)
    assert re.search(r"normalized.mean \S+ \S+ \S+ 0.1% 0.0037 ", said)
    assert re.search(r"raw.std \S+ \S+ \S+ ignore - ", said)
    assert said.index("raw.mean") < said.index("normalized.std") < said.index("raw.std")
    assert "is updated; 1 value changed, within its threshold:" in updated(raw_std=1.1)
    assert "is updated; 2 values changed, all within their thresholds:" in updated(raw_std=2, normalized_mean=1.0001)


def test_the_digest_says_that_nothing_was_compared(parity: Parity) -> None:
    """Whether or not there is a reference, which an update has made anew."""
    for options in ([], ["--parity-reference=new.json", "--parity-update-reference"]):
        parity.run(*options)
        digest = (parity.pytester.path / "out" / "dose_parity_log.md").read_text(encoding="utf-8")
        assert "## Drift\n\nNothing was compared with a reference.\n" in digest


def test_an_update_never_prunes(parity: Parity) -> None:
    reference = parity.reference(edit(*STATS, "raw", "mean", factor=1.1))
    path = parity.pytester.path / "reference" / LOG
    before = content(path)
    (parity.root / "data_p1e4.npz").unlink()
    result = parity.run(reference, "--parity-update-reference")
    assert result.ret == OK
    result.stdout.fnmatch_lines(["Kept as they were, for they were not observed: data_p1e4.npz"])
    after = content(path)
    assert after["datasets"] == before["datasets"]
    assert after["total_datasets"] == 2


def test_a_partial_update_accepts_what_was_checked_as_a_whole(parity: Parity) -> None:
    def move(log: Any) -> None:
        for dataset in log["datasets"]:
            dataset["stats"]["raw"]["mean"] *= 1.1
        log["params"]["N"] = 7
        log["metrics"]["psnr"] = [1.0, 1.0]
        log["metrics"]["mae"] = [1.0, 1.0]

    reference = parity.reference(move)
    path = parity.pytester.path / "reference" / LOG
    before = content(path)
    result = parity.run(reference, "--parity-update-reference", "-k", "data_p1e4 or psnr or (data_p1e6 and phase)")
    assert result.ret == OK
    after = content(path)
    assert after["datasets"][0] != before["datasets"][0]
    assert after["datasets"][1] == before["datasets"][1]
    assert after["params"] == before["params"]
    assert after["metrics"]["psnr"] != [1.0, 1.0]
    assert after["metrics"]["mae"] == [1.0, 1.0]


def test_a_failed_check_is_never_accepted(parity: Parity) -> None:
    reference = parity.reference()
    path = parity.pytester.path / "reference" / LOG
    before = path.read_bytes()
    (parity.root / "data_p1e4.npz").rename(parity.root / "data_p2e4.npz")
    result = parity.run(reference, "--parity-update-reference")
    assert result.ret == FAILED
    result.stdout.fnmatch_lines(["ERROR: reference * is left as it was, for d0parity::test_photon_dose*not passed"])
    assert path.read_bytes() == before


def test_an_older_reference_is_replaced_as_a_whole_or_not_at_all(parity: Parity) -> None:
    def age(log: Any) -> None:
        del log["schema_version"], log["checks"]

    reference = parity.reference(age)
    path = parity.pytester.path / "reference" / LOG
    before = path.read_bytes()
    result = parity.run(reference, "--parity-update-reference", "-k", "not data_p1e4")
    assert result.ret == FAILED
    result.stdout.fnmatch_lines(["ERROR: log * is of an older schema*data_p1e4.npz*"])
    assert path.read_bytes() == before
    assert parity.run(reference, "--parity-update-reference").ret == OK
    assert content(path)["schema_version"] == 4


def test_an_older_excerpt_is_not_given_up_by_an_update_that_observes_no_params(parity: Parity) -> None:
    def age(log: Any) -> None:
        log["schema_version"] = 3
        del log["params"]

    reference = parity.reference(age)
    path = parity.pytester.path / "reference" / LOG
    before = path.read_bytes()
    result = parity.run(reference, "--parity-update-reference", "-k", "not params and not flag")
    assert result.ret == FAILED
    result.stdout.fnmatch_lines(["ERROR: log * holds no more of the params than an excerpt, and not all of it was *"])
    assert path.read_bytes() == before
    assert parity.run(reference, "--parity-update-reference").ret == OK
    assert content(path)["params"]


def test_a_metrics_file_that_cannot_be_read_is_about_metrics_alone(parity: Parity) -> None:
    result = parity.run("--parity-baseline-metrics=absent.json")
    assert result.ret == FAILED
    failed = {line.split(" - ")[0] for line in result.stdout.lines if line.startswith("FAILED ")}
    assert len(failed) == 7
    assert all(line.startswith("FAILED d0parity::test_metric[") for line in failed)


# --- what a hostile reader found ---------------------------------------------------------------


def test_the_reference_in_the_output_folder_is_never_replaced_by_what_differs(parity: Parity) -> None:
    parity.reference(edit(*STATS, "raw", "mean", factor=1.1))
    path = parity.pytester.path / "reference" / LOG
    before = path.read_bytes()
    for _ in range(2):
        result = parity.run(f"--parity-reference=reference/{LOG}", output="reference")
        assert result.ret == FAILED
        result.stdout.fnmatch_lines(["ERROR: *is the reference itself and is left as it was*"])
    assert path.read_bytes() == before
    assert (
        parity.run(f"--parity-reference=reference/{LOG}", "--parity-update-reference", output="reference").ret == USAGE
    )


def test_its_own_log_in_the_output_folder_matches(parity: Parity) -> None:
    parity.run()
    assert parity.run(f"--parity-reference=out/{LOG}").ret == OK
    assert parity.log()["verdict"] == "match"


def test_the_table_counts_wherever_pytest_sees_its_root(
    parity: Parity, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reference = parity.reference(edit(*STATS, "raw", "mean", factor=1 + 1e-8))
    (parity.pytester.path / "pyproject.toml").write_text("[tool.d0parity.thresholds]\n'*' = 'exact'")
    options = ["-p", "no:randomly", "-p", "no:hypothesispytest", "--parity-scenario", "T", "--parity-output", "out"]
    # To pytest, which does not know the option yet, its value looks like a path to tests.
    root = ["--parity-dataset-root", str(parity.root), "--parity-baseline-params", str(parity.root / "params.dill")]
    result = parity.pytester.runpytest_inprocess(*options, *root, reference)
    assert result.ret == FAILED
    assert parity.log()["verdict"] == "drift"
    name = next(line.split(" ")[1] for line in result.outlines if line.startswith("FAILED"))
    again = parity.pytester.runpytest_inprocess(*options, *root, reference, name)
    again.assert_outcomes(failed=1, deselected=len(ALL) - 1)


def test_an_id_can_be_pasted_back_in_a_subfolder(parity: Parity, monkeypatch: pytest.MonkeyPatch) -> None:
    parity.pytester.makeini("[pytest]")
    sub = parity.pytester.path / "sub"
    sub.mkdir()
    (parity.root / "data_p1e4.npz").rename(parity.root / "data_p2e4.npz")
    monkeypatch.chdir(sub)
    result = parity.run()
    name = next(line.split(" - ")[0].removeprefix("FAILED ") for line in result.outlines if line.startswith("FAILED"))
    assert name == "../d0parity::test_photon_dose[data_p2e4.npz]"
    parity.run(name).assert_outcomes(failed=1, deselected=len(ALL) - 1)


@pytest.mark.parametrize(
    "option",
    ["--setup-plan", "--setup-only", "--fixtures", "--fixtures-per-test", "--cache-show", "--markers", "--help"],
)
def test_a_session_that_runs_no_test_writes_nothing(parity: Parity, option: str) -> None:
    parity.run(option)
    assert not (parity.pytester.path / "out").exists()
    parity.run()
    before = (parity.pytester.path / "out" / LOG).read_bytes()
    parity.run(option)
    assert (parity.pytester.path / "out" / LOG).read_bytes() == before


def test_an_output_with_workers_that_is_a_file(parity: Parity) -> None:
    (parity.pytester.path / "bad.json").touch()
    result = parity.run("-n", "2", output="bad.json", inprocess=False)
    assert result.ret == USAGE
    result.stderr.fnmatch_lines(["*output *bad.json is a file*"])


def test_an_output_that_somebody_removes_is_made_again(parity: Parity) -> None:
    parity.pytester.makepyfile("def test_it(tmp_path): pass")
    result = parity.run("--basetemp=temporary", output="temporary/out")
    assert (result.ret, parity.log("temporary/out")["verdict"]) == (OK, "recorded")


def test_warnings_about_encodings_that_are_errors(parity: Parity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONWARNDEFAULTENCODING", "1")
    parity.pytester.makeini("[pytest]\nfilterwarnings = error")
    result = parity.run(parity.reference(), inprocess=False)
    assert (result.ret, parity.log()["verdict"]) == (OK, "match")
    monkeypatch.setenv("PYTHONWARNINGS", "error::EncodingWarning")
    assert parity.run(f"--parity-reference=reference/{LOG}", inprocess=False).ret == OK


def test_warnings_while_the_page_is_made_fail_nothing(parity: Parity) -> None:
    parity.pytester.makeini("[pytest]\nfilterwarnings = error")
    parity.pytester.makeconftest(
        """
        import warnings
        import pytest_d0parity.reports.page.render as render
        make = render.to_html
        def to_html(*args):
            warnings.warn("old", DeprecationWarning)
            return make(*args)
        render.to_html = to_html
        """
    )
    result = parity.run(inprocess=False)
    assert result.ret == OK
    assert (parity.pytester.path / "out" / PAGE).exists()


BROKEN = "def pytest_collection_modifyitems(): raise RuntimeError('broken')"


@pytest.mark.parametrize(
    ("option", "conftest", "code"),
    [
        ("--parity-reference=none.json", "", USAGE),
        ("d0parity::test_nothing", "", USAGE),
        ("no_such_file.py", "", USAGE),
        ("--parity-dose=(", "", USAGE),
        ("--parity-accept=x", "", USAGE),
        ("-v", BROKEN, INTERNAL),
    ],
)
def test_a_log_of_an_earlier_session_does_not_stay_as_if_it_were_this_ones(
    parity: Parity, option: str, conftest: str, code: int
) -> None:
    reference = parity.reference()
    parity.run(reference)
    before = parity.log()
    parity.pytester.makeconftest(conftest)
    given = [*parity.options, "--parity-output=out", *([] if "=none" in option else [reference]), option]
    assert parity.pytester.runpytest_inprocess("-p", "no:randomly", *given).ret == code
    after = parity.log()
    assert (before["verdict"], after["verdict"]) == ("match", "incomplete")
    says = f"this log is of an earlier run: a later one ended with exit code {code} before any check ran"
    (problem,) = after["problems"]
    assert (problem["severity"], problem["name"], problem["message"]) == ("error", "unmeasured", says)
    assert after["datasets"] == before["datasets"]
    assert parity.log("reference")["verdict"] == "recorded"


def test_a_reference_in_the_output_folder_stays_what_it_is(parity: Parity) -> None:
    parity.run()
    before = (parity.pytester.path / "out" / LOG).read_bytes()
    assert parity.run(f"--parity-reference=out/{LOG}", "d0parity::test_nothing").ret == USAGE
    assert (parity.pytester.path / "out" / LOG).read_bytes() == before


def test_a_reference_that_only_a_table_names_stays_what_it_is(parity: Parity) -> None:
    parity.run()
    before = (parity.pytester.path / "out" / LOG).read_bytes()
    parity.pytester.makepyprojecttoml(f"""
        [tool.d0parity.scenarios.T]
        references = ["out/{LOG}"]
        unknown = true
        """)
    assert parity.run().ret == USAGE
    assert (parity.pytester.path / "out" / LOG).read_bytes() == before


def test_vs_code_finds_the_tests_of_the_user(parity: Parity) -> None:
    parity.pytester.makepyfile(vscode_pytest="", test_own="def test_mine(): pass")
    parity.pytester.syspathinsert()
    found = [line for line in parity.run("-p", "vscode_pytest", "--collect-only", "-q").outlines if "::" in line]
    assert found == ["test_own.py::test_mine"]
    parity.run("-p", "vscode_pytest").assert_outcomes(passed=len(ALL) + 1)


def test_a_process_that_vanishes_leaves_no_claim(parity: Parity) -> None:
    parity.run(parity.reference())
    assert parity.log()["verdict"] == "match"
    parity.pytester.makepyfile("import os\ndef test_vanish(): os._exit(0)")
    parity.run(f"--parity-reference=reference/{LOG}", inprocess=False)
    assert parity.log()["verdict"] == "incomplete"


def test_a_session_that_ends_itself_shows_no_parity(parity: Parity) -> None:
    reference = parity.reference()
    parity.pytester.makepyfile("import pytest\ndef test_it(): pytest.exit('enough', returncode=0)")
    result = parity.run(reference)
    assert result.ret != OK
    assert parity.log()["verdict"] == "incomplete"


def test_a_failed_subtest_is_a_failed_check(parity: Parity) -> None:
    pytest.importorskip("_pytest.subtests", reason="this pytest reports no subtests")
    parity.pytester.makepyfile(
        """
        def test_it(parity_scenario, subtests):
            for number in range(3):
                with subtests.test(number=number):
                    assert number != 1
        """
    )
    result = parity.run("--parity-reference=new.json", "--parity-update-reference")
    assert result.ret == FAILED
    assert parity.failed() == ["test_a_failed_subtest_is_a_failed_check.py::test_it"]
    assert not (parity.pytester.path / "new.json").exists()


def test_all_skipped_by_a_fixture_is_no_parity(parity: Parity) -> None:
    reference = parity.reference()
    parity.pytester.makeconftest("import pytest\n@pytest.fixture(autouse=True)\ndef gpu(): pytest.skip('needs a gpu')")
    assert parity.run(reference).ret == FAILED
    assert parity.log()["verdict"] == "incomplete"


def test_a_new_reference_without_a_whole_dataset_is_refused(parity: Parity) -> None:
    result = parity.run("-k", "not phase", "--parity-reference=new.json", "--parity-update-reference")
    assert result.ret == FAILED
    result.stdout.fnmatch_lines(["ERROR: reference new.json is left as it was, for of no dataset all checks have run"])
    assert not (parity.pytester.path / "new.json").exists()
    options = ["--parity-reference=new.json", "--parity-update-reference"]
    result = parity.run("-k", "not (phase and p1e4)", *options)
    result.stdout.fnmatch_lines(["Not taken over, for not all of their checks have run: data_p1e4.npz"])


def test_an_empty_scenario_is_a_mistake(parity: Parity) -> None:
    assert parity.run("--parity-scenario=").ret == USAGE


def test_many_sessions_keep_one_history(parity: Parity) -> None:
    (parity.pytester.path / "plan.md").write_text("# Plan\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
    options = [*parity.options, "--parity-history=plan.md", "-k", "test_params"]
    commands = [[*command, *options, f"--parity-output=out{number}"] for number in range(6)]
    with contextlib.ExitStack() as stack:
        where = {"cwd": parity.pytester.path, "stdout": subprocess.PIPE}
        runs = [stack.enter_context(started(each, **where)) for each in commands]
        for run in runs:
            run.communicate(timeout=120)
            assert run.returncode == OK
    assert (parity.pytester.path / "plan.md").read_text().count("verdict incomplete") == 6


@pytest.mark.parametrize("name", ["filename", "stage", "check", "parity_filename", "parity_stage"])
def test_fixtures_of_the_user_never_take_a_comparison_away(parity: Parity, name: str) -> None:
    def move(log: Any) -> None:
        log["params"]["N"] = 65
        log["metrics"]["psnr"] = [1.0, 1.0]

    reference = parity.reference(move)
    parity.pytester.makeconftest(
        f"""
        import pytest
        @pytest.fixture
        def {name}(): return "mine"
        @pytest.fixture(autouse=True)
        def auto({name}): pass
        """
    )
    assert parity.run(reference).ret == FAILED
    assert parity.log()["verdict"] == "drift"
    assert {"d0parity::test_params", "d0parity::test_metric[psnr]"} <= set(parity.failed())


@pytest.mark.parametrize("part", ["checks", "params", "metrics"])
def test_a_reference_with_nulls_is_brought_up_to_date(parity: Parity, part: str) -> None:
    def move(log: Any) -> None:
        log[part] = None
        log["datasets"][0]["stats"]["raw"]["mean"] += 1

    reference = parity.reference(move)
    assert parity.run(reference, "--parity-update-reference").ret == OK
    assert parity.run(reference).ret == OK
    assert parity.log()["verdict"] == "match"


def test_what_an_update_cannot_take_away_is_named(parity: Parity) -> None:
    reference = parity.reference(edit("metrics", "old", value=[1, 2]))
    result = parity.run(reference, "--parity-update-reference")
    result.stdout.fnmatch_lines(["Kept as they were, for they were not observed: metrics: old"])


def test_a_trusted_file_that_ends_the_process_is_only_unreadable(parity: Parity) -> None:
    (parity.root / "params.dill").write_bytes(b"csys\nexit\n(I3\ntR.")
    result = parity.run("--parity-trust-params")
    assert result.ret == FAILED
    assert "params.dill cannot be read" in result.stdout.str()


# --- who left checks out -----------------------------------------------------------------------


BY_CONFTEST = """
    def pytest_collection_modifyitems(items):
        items[:] = [item for item in items if "phase" not in item.name]
"""
ANNOUNCED = """
    def pytest_collection_modifyitems(config, items):
        config.hook.pytest_deselected(items=[item for item in items if "phase" in item.name])
        items[:] = [item for item in items if "phase" not in item.name]
"""
NO_ITEMS = """
    from types import SimpleNamespace
    def pytest_collection_modifyitems(config, items):
        config.hook.pytest_deselected(items=[SimpleNamespace(nodeid=item.nodeid) for item in items])
        items[:] = [item for item in items if "phase" not in item.name]
"""
AT_COLLECTION = """
    import pytest
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(collector):
        report = yield
        if report.passed:
            report.result = [node for node in report.result if "phase" not in node.name]
        return report
"""
MARKED = """
    import pytest
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(items):
        for item in items:
            if "phase" in item.name:
                item.add_marker(pytest.mark.slow)
"""


@pytest.mark.parametrize(
    ("conftest", "addopts", "named"),
    [
        (BY_CONFTEST, "", "one that does not announce it: conftest.py"),
        (ANNOUNCED, "", "conftest.py"),
        (NO_ITEMS, "", "one that does not announce it: conftest.py"),
        (AT_COLLECTION, "", "one that does not announce it: *"),
        (MARKED, "-m 'not slow'", "-m 'not slow' in a configured addopts"),
        ("", "-k 'not phase'", "-k 'not phase' in a configured addopts"),
        (
            "",
            "--deselect=d0parity::test_probe[data_p1e4.npz-phase] --deselect=d0parity::test_probe[data_p1e6.npz-phase]",
            "--deselect in a configured addopts",
        ),
    ],
)
@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_what_others_take_away_is_no_parity(
    parity: Parity, conftest: str, addopts: str, named: str, workers: list[str]
) -> None:
    reference = parity.reference()
    parity.pytester.makeconftest(conftest)
    parity.pytester.makeini(f"[pytest]\nmarkers = slow\naddopts = {addopts}")
    result = parity.run(reference, *workers, inprocess=not workers)
    assert (result.ret, parity.log()["verdict"]) == (FAILED, "incomplete")
    names = "d0parity::test_probe[[]data_p1e4.npz-phase[]], d0parity::test_probe[[]data_p1e6.npz-phase[]]"
    says = f"ERROR: parity is not shown, for {names} were taken away, and not by you but by {named}; * --parity-partial"
    result.stdout.fnmatch_lines([says])
    result = parity.run(reference, "--parity-partial", *workers, inprocess=not workers)
    assert (result.ret, parity.log()["verdict"]) == (OK, "incomplete")
    result.stdout.no_fnmatch_line("*taken away*")


@pytest.mark.parametrize("by_env", [False, True])
@pytest.mark.parametrize(
    "selection", ["-m not slow", "-knot phase", "--deselect=d0parity::test_probe", "d0parity::test_probe"]
)
def test_what_the_user_leaves_out_keeps_the_exit_code(
    parity: Parity, selection: str, by_env: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = parity.reference()
    parity.pytester.makeconftest(MARKED)
    parity.pytester.makeini("[pytest]\nmarkers = slow")
    if by_env:
        monkeypatch.setenv("PYTEST_ADDOPTS", f"'{selection}'")
        selection = "-v"
    result = parity.run(reference, selection)
    assert (result.ret, parity.log()["verdict"]) == (OK, "incomplete")
    result.stdout.no_fnmatch_line("*taken away*")


def test_of_what_the_user_leaves_out_himself_others_take_nothing(parity: Parity) -> None:
    reference = parity.reference()
    parity.pytester.makeconftest(BY_CONFTEST)
    assert parity.run(reference, "-k", "not phase").ret == OK
    result = parity.run(reference, "-k", "not raw")
    assert result.ret == FAILED
    result.stdout.fnmatch_lines(["ERROR: *data_p1e4.npz-phase[]], *data_p1e6.npz-phase[]] were taken away, *"])
    assert parity.run(reference, "-k", "phase").ret == FAILED


def test_the_last_failed_are_the_users_choice_unless_configured(parity: Parity) -> None:
    reference = parity.reference()
    parity.pytester.makepyfile(
        """
        import os
        def test_flaky(parity_record): assert os.path.exists("mended")
        """
    )
    assert parity.run(reference).ret == FAILED
    (parity.pytester.path / "mended").touch()
    cache = parity.pytester.path / ".pytest_cache/v/cache/lastfailed"
    before = cache.read_text()
    assert parity.run(reference, "--lf").ret == OK
    cache.write_text(before)
    parity.pytester.makeini("[pytest]\naddopts = --lf")
    result = parity.run(reference)
    assert result.ret == FAILED
    result.stdout.fnmatch_lines(["ERROR: *taken away*--lf in a configured addopts*"])


def test_stepwise_is_the_users_choice(parity: Parity) -> None:
    reference = parity.reference()
    parity.pytester.makeconftest(
        """
        import os, pytest
        @pytest.fixture(autouse=True)
        def flaky(request):
            assert "p1e6.npz-norm]" not in request.node.name or os.path.exists("mended")
        """
    )
    assert parity.run(reference, "--sw").ret == INTERRUPTED
    (parity.pytester.path / "mended").touch()
    result = parity.run(reference, "--sw")
    result.assert_outcomes(passed=1, deselected=len(ALL) - 1)
    assert (result.ret, parity.log()["verdict"]) == (OK, "incomplete")


def test_an_id_in_a_configured_addopts_is_not_the_users(parity: Parity) -> None:
    reference = parity.reference()
    parity.pytester.makepyfile(test_own="def test_mine(): pass")
    parity.pytester.makeini("[pytest]\naddopts = test_own.py::test_mine")
    result = parity.run(reference)
    assert (result.ret, parity.log()["verdict"]) == (FAILED, "incomplete")
    result.stdout.fnmatch_lines(["ERROR: *and 25 more were taken away*an id in a configured addopts*"])


def test_when_others_take_everything_away_nothing_is_shown(parity: Parity) -> None:
    reference = parity.reference()
    parity.pytester.makeconftest(
        """
        import pytest
        def pytest_collection_modifyitems(items): items.clear()
        @pytest.hookimpl(trylast=True)
        def pytest_sessionfinish(session): session.exitstatus = pytest.ExitCode.OK
        """
    )
    assert parity.run(reference).ret == FAILED


# --- which run of a check counts ---------------------------------------------------------------


ONCE = """
    import os
    def test_it(parity_record):
        try:
            os.close(os.open("tried", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        assert 0
"""


@pytest.mark.parametrize("twice", [["--keep-duplicates", "test_it.py", "test_it.py"], ["--dist=each", "--tx=2*popen"]])
def test_of_several_runs_the_worst_counts(parity: Parity, twice: list[str]) -> None:
    parity.pytester.makepyfile(test_it=ONCE)
    options = ["--parity-attest", "--parity-reference=new.json", "--parity-update-reference"]
    result = parity.run(*options, *twice, inprocess="--keep-duplicates" in twice)
    assert result.ret == FAILED
    assert parity.failed() == ["test_it.py::test_it"]
    assert not (parity.pytester.path / "new.json").exists()
    statement = content(parity.pytester.path / "out" / "dose_parity_statement.json")
    assert statement["predicate"]["result"] == "FAILED"
    assert statement["predicate"]["failedTests"] == ["test_it.py::test_it"]


def test_values_that_differ_between_runs_are_told(parity: Parity) -> None:
    parity.pytester.makepyfile(
        test_it="""
        runs = []
        def test_it(parity_record):
            runs.append(1)
            parity_record("same", 1)
            parity_record("runs", len(runs))
        """
    )
    twice = ["--keep-duplicates", "test_it.py", "test_it.py"]
    options = ["--parity-reference=new.json", "--parity-update-reference"]
    result = parity.run(*options, *twice)
    says = "it ran 2 times and recorded different values: runs (1, 2)"
    result.stdout.fnmatch_lines([f"warning: test_it.py::test_it: {says}"])
    (problem,) = parity.log()["problems"]
    assert (problem["severity"], problem["where"], problem["message"]) == ("warning", "test_it.py::test_it", says)
    result.stdout.fnmatch_lines(["ERROR: reference new.json is left as it was, for test_it.py::test_it was not the*"])
    assert not (parity.pytester.path / "new.json").exists()


# --- ids that are changed after the collection -------------------------------------------------


RENAMED = """
    def pytest_collection_modifyitems(items):
        for item in items:
            name = f"{item.nodeid}@group"
            if hasattr(item, "_nodeid"):
                item._nodeid = name
            else:  # pytest 9.2
                item._id = type(item._id).parse(name)
"""


def test_an_id_that_is_changed_after_the_collection_is_still_that_check(parity: Parity) -> None:
    parity.pytester.makepyfile(test_own="def test_own(parity_record): parity_record('m', 1.0)")
    reference = parity.reference()
    parity.pytester.makeconftest(RENAMED)
    result = parity.run(reference)
    result.assert_outcomes(passed=len(ALL) + 1)
    assert (result.ret, parity.log()["verdict"]) == (OK, "match")
    assert parity.outcomes() == dict.fromkeys([*ALL, "test_own.py::test_own"], "passed")


def test_groups_of_xdist_change_no_id(parity: Parity) -> None:  # those of xdist change before pytest 9.2
    parity.pytester.makepyfile(
        test_own="""
        import pytest
        @pytest.mark.xdist_group("g")
        def test_own(parity_record): parity_record("m", 1.0)
        """
    )
    reference = parity.reference()
    assert parity.run(reference, "-n", "2", "--dist=loadgroup", inprocess=False).ret == OK
    assert parity.log()["verdict"] == "match"


def test_a_worker_that_dies_in_a_check_of_another_id(parity: Parity) -> None:
    parity.pytester.makeconftest(RENAMED)
    parity.pytester.makepyfile(test_own="import os\ndef test_dies(parity_record): os._exit(7)")
    assert parity.run("-n", "2", inprocess=False).ret == FAILED
    assert parity.failed() == ["test_own.py::test_dies"]
    assert set(parity.outcomes()) == {*ALL, "test_own.py::test_dies"}
