"""The plugins that people run beside this one, each of them for real."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.command import LOG, without_log
from tests.support.parity import PICTURES, Parity

OK, FAILED, INTERRUPTED = 0, 1, 2
CHECKS = 30


@pytest.fixture
def parity(pytester: pytest.Pytester, pair: Path, tmp_path_factory: pytest.TempPathFactory) -> Parity:
    return Parity(pytester, pair, tmp_path_factory.mktemp("root"))


def run(parity: Parity, *options: str, output: str = "out") -> pytest.RunResult:
    return parity.run(*options, output=output, inprocess=False)


def comparable(log: Any) -> Any:
    del log["metadata"]["timestamp"], log["metadata"]["from_cache"]
    return log


# A hook that sees every opening of a file, in every process, and writes down those of the sweep.
WATCH = """
    import os, sys
    SEEN = os.path.abspath("opened.txt")
    def watch(event, args):
        if event == "open" and str(args[0]).endswith(".npz"):
            with open(SEEN, "a") as file:
                file.write(os.path.basename(args[0]) + "\\n")
    sys.addaudithook(watch)
"""


@pytest.mark.parametrize("options", [[], ["-n", "2"], ["-n", "3", "--dist=worksteal"], ["-n", "2", "--dist=loadfile"]])
def test_xdist_writes_the_same_log_and_opens_each_file_once(parity: Parity, options: list[str]) -> None:
    parity.pytester.makepyfile(
        test_own="""
        import pytest
        @pytest.mark.parametrize("n", range(8))
        def test_it(parity_dataset, parity_record, n):
            parity_record("mean", parity_dataset.stats.raw.mean * n)
        """
    )
    run(parity, "-p", "no:xdist", output="serial")
    parity.pytester.makeconftest(WATCH)
    result = run(parity, "-q", *options)
    assert result.ret == OK
    assert comparable(parity.log()) == comparable(parity.log("serial"))
    opened = [name for name in (parity.pytester.path / "opened.txt").read_text().split() if name != PICTURES]
    # Twice more the first: whether there are probes at all is seen in it, and the probe is kept beside the log.
    assert sorted(opened) == ["data_p1e4.npz"] * 3 + ["data_p1e6.npz"]
    folders = parity.pytester.path / "out", parity.pytester.path / "serial"
    for name in ("probe_stats.csv", "stage_stats.csv", "SHA256SUMS"):
        assert len({without_log(folder / name) for folder in folders}) == 1
    one, other = ({**np.load(folder / PICTURES)} for folder in folders)
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one.keys() - {"log_sha256"})


def test_xdist_drift_and_ids(parity: Parity) -> None:
    run(parity, output="reference")
    log = parity.log("reference")
    log["datasets"][1]["stats"]["raw"]["mean"] *= 1.1
    (parity.pytester.path / "moved.json").write_text(json.dumps(log))
    result = run(parity, "-n", "2", "--parity-reference=moved.json")
    assert (result.ret, parity.log()["verdict"]) == (FAILED, "drift")
    assert parity.failed() == ["d0parity::test_stage[data_p1e6.npz-raw]"]
    result.stdout.fnmatch_lines(["raw.mean *", "drift: 1 value differs*"])
    result = run(parity, "-n", "2", "--parity-reference=moved.json", "d0parity::test_stage[data_p1e6.npz-raw]")
    result.assert_outcomes(failed=1)
    assert parity.log()["verdict"] == "incomplete"
    result = run(parity, "-n", "2", "d0parity::test_nothing")
    assert result.ret == 4
    result.stdout.fnmatch_lines(["ERROR: not found: d0parity::test_nothing*"])


@pytest.mark.parametrize("options", [["-x"], ["-k", "data_p1e4"], ["--lf"]])
def test_xdist_with_a_selection(parity: Parity, options: list[str]) -> None:
    parity.pytester.makepyfile("def test_bad(): assert 0")
    run(parity)
    result = run(parity, "-n", "2", *options)
    assert (result.ret == OK) == ("-k" in options)
    assert parity.log()["verdict"] == "incomplete"


def test_a_worker_that_dies(parity: Parity) -> None:
    parity.pytester.makepyfile(
        test_own="""
        import os
        def test_dies(parity_record):
            parity_record("x", 1)
            os._exit(7)
        """
    )
    result = run(parity, "-n", "2")
    assert result.ret == FAILED
    outcomes = parity.outcomes()
    assert outcomes.pop("test_own.py::test_dies") == "error"
    assert set(outcomes.values()) == {"passed"}
    assert len(outcomes) == CHECKS


def test_all_workers_die(parity: Parity) -> None:
    parity.pytester.makepyfile(
        test_own="""
        import os, pytest
        @pytest.mark.parametrize("n", range(4))
        def test_dies(n): os._exit(7)
        """
    )
    result = run(parity, "-n", "2", "--max-worker-restart=0")
    assert result.ret != OK
    assert parity.log()["verdict"] == "incomplete"
    assert "not_run" in parity.outcomes().values()


def test_a_worker_that_dies_while_it_measures_is_waited_for_no_longer(parity: Parity) -> None:
    parity.pytester.makeconftest(
        """
        import glob, os, time
        import pytest_d0parity.capture.job as capture
        measure = capture.measure
        def pytest_configure(config):
            global is_worker
            is_worker = hasattr(config, "workerinput")
        def pytest_runtest_logstart():  # before the setup, in which datasets are measured
            if worker := os.environ.get("PYTEST_XDIST_WORKER"):
                open("begun-" + worker, "w").close()
        def fragile(*args, **options):
            deadline = time.monotonic() + 60
            if not is_worker:  # but the controller, which measures the larger dataset meanwhile
                while not os.path.exists("died") and time.monotonic() < deadline:
                    time.sleep(0.01)
                return measure(*args, **options)
            try:
                os.close(os.open("died", os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return measure(*args, **options)
            while len(glob.glob("begun-*")) < 2 and time.monotonic() < deadline:  # until the other one waits
                time.sleep(0.01)
            os._exit(7)
        capture.measure = fragile
        """
    )
    assert (parity.root / "data_p1e4.npz").stat().st_size < (parity.root / "data_p1e6.npz").stat().st_size
    result = run(parity, "-n", "2", "-k", "data_p1e4 or test_file")
    assert result.ret == FAILED
    assert list(parity.outcomes().values()).count("passed") == 9
    assert [dataset["filename"] for dataset in parity.log()["datasets"]] == ["data_p1e4.npz", "data_p1e6.npz"]


def test_the_controller_of_xdist_measures_beside_its_workers_the_largest_first(parity: Parity) -> None:
    parity.pytester.makeconftest(
        """
        import os, time
        import pytest_d0parity.capture.job as capture
        measure = capture.measure
        def pytest_configure(config):
            global is_worker
            is_worker = hasattr(config, "workerinput")
        def noted(path, *args, **options):
            deadline = time.monotonic() + 60
            if is_worker:
                while not os.path.exists("measured.txt") and time.monotonic() < deadline:
                    time.sleep(0.01)
            with open("measured.txt", "a") as file:
                file.write(("worker " if is_worker else "controller ") + os.path.basename(path) + "\\n")
            return measure(path, *args, **options)
        capture.measure = noted
        """
    )
    assert run(parity, "-n", "2").ret == OK
    measured = (parity.pytester.path / "measured.txt").read_text().splitlines()
    assert measured[0] == "controller data_p1e6.npz"
    assert sorted(line.split()[1] for line in measured) == ["data_p1e4.npz", "data_p1e6.npz"]


def test_what_the_controller_measures_ends_with_the_session(parity: Parity) -> None:
    parity.pytester.makepyfile(test_own="def test_fails(): assert False")
    parity.pytester.makeconftest(
        """
        import os, time
        import pytest_d0parity.capture.job as capture
        measure = capture.measure
        def pytest_configure(config):
            global is_worker
            is_worker = hasattr(config, "workerinput")
        def endless(path, progress, *args, **options):
            if not is_worker:
                deadline = time.monotonic() + 60
                while time.monotonic() < deadline:
                    progress(0.5)
                    time.sleep(0.01)
                open("went-on.txt", "w").close()
            return measure(path, progress, *args, **options)
        capture.measure = endless
        """
    )
    assert run(parity, "-n", "1", "-x", "-k", "test_fails or data_p1e6").ret in (FAILED, INTERRUPTED)
    assert not (parity.pytester.path / "went-on.txt").exists()


def test_json_report(parity: Parity) -> None:
    parity.pytester.makepyfile("def test_it(parity_record): parity_record('x', float('nan'))")
    for workers in ([], ["-n", "2"]):
        result = run(parity, "--json-report", "--json-report-file=report.json", *workers)
        assert result.ret == OK
        text = (parity.pytester.path / "report.json").read_text()
        report = json.loads(text, parse_constant=lambda token: pytest.fail(f"{token} is no JSON"))
        assert report["d0parity"]["verdict"] == "recorded"
        assert report["d0parity"]["checks"] == {"passed": CHECKS + 1}
        assert report["d0parity"]["drift"] == []
        properties = {test["nodeid"]: test.get("user_properties") for test in report["tests"]}
        mean = parity.log()["datasets"][0]["stats"]["raw"]["mean"]
        assert {"d0parity:raw.mean": mean} in properties["d0parity::test_stage[data_p1e4.npz-raw]"]
        assert {"d0parity:metrics.frc50.test": "NaN"} in properties["d0parity::test_metric[frc50]"]
        assert [{"d0parity:x": "NaN"}] in properties.values()


def test_json_report_knows_how_the_session_ended(parity: Parity) -> None:
    run(parity, output="reference")
    log = parity.log("reference")
    log["datasets"][1]["stats"]["raw"]["mean"] *= 1.1
    (parity.pytester.path / "moved.json").write_text(json.dumps(log))
    run(parity, "--json-report", "--json-report-file=report.json", "--parity-reference=moved.json")
    report = json.loads((parity.pytester.path / "report.json").read_text())
    assert (report["exitcode"], report["d0parity"]["verdict"]) == (FAILED, "drift")
    assert [row["where"] for row in report["d0parity"]["drift"]] == ["data_p1e6.npz:raw.mean"]
    parity.pytester.makeconftest(
        """
        import pytest
        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.skip(reason="no"))
        """
    )
    result = run(parity, "--json-report", "--json-report-file=report.json", f"--parity-reference=reference/{LOG}")
    report = json.loads((parity.pytester.path / "report.json").read_text())
    assert report["exitcode"] == result.ret == FAILED
    assert report["d0parity"]["errors"]


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_junit_properties(parity: Parity, workers: list[str]) -> None:
    result = run(parity, "--junitxml=junit.xml", "-W", "error", *workers)
    assert result.ret == OK
    cases = ET.parse(parity.pytester.path / "junit.xml").getroot().iter("testcase")
    (case,) = [case for case in cases if case.get("name") == "test_stage[data_p1e4.npz-raw]"]
    assert case.get("classname") == "d0parity"
    properties = {entry.get("name"): entry.get("value") for entry in case.iter("property")}
    assert properties["d0parity:raw.mean"] == repr(parity.log()["datasets"][0]["stats"]["raw"]["mean"])


def test_randomly(parity: Parity) -> None:
    logs = []
    for seed in (1, 2):
        options = [*parity.options, "--parity-output=out", "-v", "-p", "no:hypothesispytest", f"--randomly-seed={seed}"]
        result = parity.pytester.runpytest_subprocess(*options)
        assert result.ret == OK
        ids = [line.split(" ")[0] for line in result.outlines if line.startswith("d0parity::")]
        logs.append((ids, comparable(parity.log())))
    assert logs[0][0] != logs[1][0]
    assert logs[0][1] == logs[1][1]


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_rerunfailures(parity: Parity, workers: list[str]) -> None:
    parity.pytester.makepyfile(
        test_own="""
        from pathlib import Path
        def test_flaky(parity_record):
            tries = Path("tries.txt")
            count = len(tries.read_text()) if tries.exists() else 0
            tries.write_text("x" * (count + 1))
            parity_record("tries", count)
            assert count == 2
        """
    )
    result = run(parity, "--reruns=3", "--junitxml=junit.xml", *workers)
    result.assert_outcomes(passed=CHECKS + 1)
    (check,) = [check for check in parity.log()["checks"] if check["id"] == "test_own.py::test_flaky"]
    assert (check["outcome"], check["values"]) == ("passed", {"tries": 2})
    cases = ET.parse(parity.pytester.path / "junit.xml").getroot().iter("testcase")
    tries = [
        case for case in cases if case.get("name") == "test_flaky"
    ]  # every one, or the last: it depends on versions
    recorded = [[entry.get("value") for entry in case.iter("property")] for case in tries]
    assert recorded in ([["2"]], [["0"], ["1"], ["2"]])


def test_cov(parity: Parity) -> None:
    parity.pytester.makepyfile(mine="def f():\n    return 1", test_own="import mine\ndef test_it(): mine.f()")
    for workers in ([], ["-n", "2"]):
        result = run(parity, "--cov=mine", *workers)
        assert result.ret == OK
        result.stdout.fnmatch_lines(["mine.py *100%*"])
        assert parity.log()["verdict"] == "recorded"


def test_html(parity: Parity) -> None:
    result = run(parity, "--html=report.html", "--self-contained-html")
    assert result.ret == OK
    assert "d0parity::test_stage[data_p1e4.npz-raw]" in (parity.pytester.path / "report.html").read_text()
    assert parity.log()["verdict"] == "recorded"


def test_the_plugin_loads_without_its_neighbours(parity: Parity) -> None:
    options = ["-p", "no:xdist", "-p", "no:pytest_jsonreport", "-p", "no:rerunfailures", "-p", "no:cacheprovider"]
    assert run(parity, *options).ret == OK
    assert parity.log()["verdict"] == "recorded"


def test_a_rerun_starts_anew(parity: Parity) -> None:
    parity.pytester.makepyfile(
        test_own="""
        import pytest
        from pathlib import Path
        def test_it(parity_record):
            first = not Path("tried").exists()
            Path("tried").touch()
            if not first:
                pytest.skip("no")
            parity_record("x", 1)
            assert 0
        """
    )
    run(parity, "--reruns=1")
    (check,) = [check for check in parity.log()["checks"] if check["id"] == "test_own.py::test_it"]
    assert (check["outcome"], check["values"]) == ("skipped", {})
