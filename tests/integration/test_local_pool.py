"""Several processes and threads: the same bytes, sooner; nothing is lost when one of them dies."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_d0parity import Scenario
from pytest_d0parity.capture import job, local_pool
from pytest_d0parity.capture.cache import MeasurementCache
from pytest_d0parity.capture.dataset.measure import measure
from pytest_d0parity.capture.dataset.member_source import read_ahead
from pytest_d0parity.capture.job import CaptureJob
from pytest_d0parity.capture.local_pool import LocalPool, pool_size
from pytest_d0parity.capture.selection import select_datasets, sizes_of
from pytest_d0parity.plugin import controller
from pytest_d0parity.util.runtime import available_cores
from tests.support.command import COMMAND, comparable, d0parity, read_log, without_log
from tests.support.parity import Parity
from tests.support.processes import ENDLESS, make_endless, reads, started, wait_for


def helpers_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture
def parity(pytester: pytest.Pytester, pair: Path, tmp_path_factory: pytest.TempPathFactory) -> Parity:
    return Parity(pytester, pair, tmp_path_factory.mktemp("root"))


@pytest.fixture
def mixed(sweep: Path, tmp_path: Path) -> Path:
    """Good datasets of several sizes, and bad ones of several kinds."""
    root = tmp_path / "mixed"
    root.mkdir()
    for path in sweep.glob("*.npz"):
        shutil.copy(path, root)
    (root / "data_p1e4.npz").write_bytes((sweep / "data_p1e5.npz").read_bytes()[:20_000])
    (root / "data_p1e6.npz").write_text("no archive")
    (root / "data_p1e7.npz").symlink_to("nowhere")
    np.savez(root / "data_p2.npz", diff3d=np.array([{}]))
    return root


@pytest.mark.parametrize("jobs", ["2", "4", "auto"])
def test_the_log_is_the_same_whoever_measures(mixed: Path, tmp_path: Path, jobs: str) -> None:
    alone = d0parity("log", "--no-cache", "--dataset-root", mixed, "--output", tmp_path / "1", "--jobs", "1")
    together = d0parity("log", "--no-cache", "--dataset-root", mixed, "--output", tmp_path / "n", "--jobs", jobs)
    assert alone.returncode == together.returncode == 1
    assert comparable(tmp_path / "1") == comparable(tmp_path / "n")
    for name in ("probe_stats.csv", "stage_stats.csv", "SHA256SUMS"):
        assert without_log(tmp_path / "1" / name) == without_log(tmp_path / "n" / name)
    assert sorted(alone.stderr.splitlines()) == sorted(together.stderr.splitlines())


@pytest.mark.parametrize("jobs", ["0", "-1", "many", "1.5", ""])
def test_what_is_no_number_of_jobs(jobs: str, tmp_path: Path) -> None:
    done = d0parity("log", "--jobs", jobs, cwd=tmp_path)
    assert (done.returncode, "--jobs" in done.stderr) == (2, True)


@pytest.mark.parametrize("name", ["1e3", "1e9"])
def test_overlapping_changes_no_bit(sweep: Path, name: str) -> None:
    path = str(sweep / f"data_p{name}.npz")
    assert measure(path, overlap=True) == measure(path)


def test_overlapping_tells_of_damage_in_the_same_words(sweep: Path, tmp_path: Path) -> None:
    content = bytearray((sweep / "data_p1e9.npz").read_bytes())
    content[len(content) // 3] ^= 1
    (tmp_path / "bad.npz").write_bytes(content)
    found, _ = measure(str(tmp_path / "bad.npz"), overlap=True)
    assert found == measure(str(tmp_path / "bad.npz"))[0]
    assert found.problems


def slow(root: Path, *names: str) -> None:
    """Make datasets that take minutes to hash."""
    root.mkdir()
    for name in names:
        with (root / name).open("wb") as file:
            file.truncate(300 << 30)  # sparse


@contextlib.contextmanager
def capturing(root: Path, output: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A capture by three processes, and those two of them that help."""
    command = [*COMMAND, "log", "--no-cache", "--dataset-root", str(root), "--output", str(output), "--jobs", "3"]
    with started(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        wait_for(lambda: len(helpers_of(process.pid)) == 2, "there are two helpers")
        yield process, helpers_of(process.pid)


def exists(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_ctrl_c_ends_at_once_and_leaves_what_was_finished(sweep: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    slow(root, "data_p1e4.npz", "data_p1e5.npz")
    shutil.copy(sweep / "data_p1e3.npz", root)
    make_endless(root / "data_p1e6.npz")  # begun by whoever has finished the good one: the two others do not end
    with capturing(root, tmp_path / "out") as (process, helpers):
        wait_for(lambda: any(reads(pid, ENDLESS) for pid in (process.pid, *helpers)), "the last dataset is read")
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    log = read_log(tmp_path / "out")
    assert ([dataset["filename"] for dataset in log["datasets"]], log["verdict"]) == (["data_p1e3.npz"], "incomplete")
    assert not any(map(exists, helpers))


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_nobody_is_left_when_the_one_who_started_them_is_killed(tmp_path: Path) -> None:
    names = ("data_p1e3.npz", "data_p1e4.npz", "data_p1e5.npz")
    slow(tmp_path / "root", *names)
    with capturing(tmp_path / "root", tmp_path / "out") as (process, helpers):
        wait_for(lambda: all(reads(helper, *names) for helper in helpers), "both helpers read")
        process.kill()
        process.communicate(timeout=60)
        wait_for(lambda: not any(map(exists, helpers)), "the helpers are gone")


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_helper_that_is_killed_costs_time_and_nothing_else(mixed: Path, tmp_path: Path) -> None:
    d0parity("log", "--no-cache", "--dataset-root", mixed, "--output", tmp_path / "1", "--jobs", "1")
    with capturing(mixed, tmp_path / "n") as (process, helpers):
        for helper in helpers:
            os.kill(helper, signal.SIGKILL)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in errors
    assert comparable(tmp_path / "1") == comparable(tmp_path / "n")


def test_helpers_find_the_package_where_this_process_found_it(sweep: Path, tmp_path: Path) -> None:
    """Also when it is on no path that another Python would look at, and whatever lies in the current folder."""
    import pytest_d0parity

    (tmp_path / "pickle.py").write_text("raise SystemExit('not this one')")
    code = (
        f"import sys; sys.path.insert(0, {str(Path(pytest_d0parity.__file__).parent.parent)!r})\n"
        "from pytest_d0parity.cli import main\n"
        f"sys.exit(main(['log', '-q', '--jobs', '3', '--dataset-root', {str(sweep)!r}, '--output', 'out']))"
    )
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "run.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "folder/run.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_no_helper_for_work_that_is_done_sooner_than_one_starts() -> None:
    cores = available_cores()
    assert pool_size(None, {"a": 10_000, "b": 10_000}) == 0
    assert pool_size(None, {str(number): 1 << 30 for number in range(100)}) == cores - 1
    assert pool_size(None, {"a": 1 << 40}) == 0
    assert pool_size(8, {"a": 10_000, "b": 10_000}) == 1
    assert pool_size(1, {str(number): 1 << 30 for number in range(100)}) == 0


def test_the_plugin_has_the_same_pool(
    sweep: Path, tmp_path: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every helper leaves a trace, and every dataset is opened by one process alone."""
    monkeypatch.setattr(controller, "pool_size", lambda *_: 2)
    # Measured by the helpers, whatever is in the cache.
    pytester.makepyfile(
        """
        import os
        from pathlib import Path
        from tests.support.processes import wait_for

        def test_it():
            cache = Path(os.environ["XDG_CACHE_HOME"])
            wait_for(lambda: len(list(cache.rglob("*.msgpack"))) == 3, "three measurements are kept")
        """
    )
    parity = Parity(pytester, sweep, tmp_path)
    seen: list[Any] = []
    monkeypatch.setattr(job, "measure", lambda path, *_, **__: seen.append(path))
    result = parity.run("-p", "no:cacheprovider", "test_the_plugin_has_the_same_pool.py", ".")
    assert (result.ret, seen) == (0, [])  # nothing was left for this process
    assert parity.log()["verdict"] == "recorded"
    assert [dataset["problems"] for dataset in parity.log()["datasets"]] == [[], [], []]


def known(sweep: Path, folder: Path) -> CaptureJob:
    """Measure the datasets of a sweep, so that a cache knows them."""
    cache = MeasurementCache(folder)
    cache.prepare()
    scenario = Scenario(dataset_root=str(sweep))
    made = CaptureJob(scenario, cache=cache, claims=select_datasets(scenario).claims)
    for name in made.claims:
        made.capture(name)
    return made


def test_what_is_known_is_looked_up_in_threads(sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = known(sweep, tmp_path / "cache")
    at_once = threading.Barrier(3, timeout=60)  # broken, if it is not three threads that come here
    monkeypatch.setattr(local_pool, "_WORTH_A_THREAD", 0)
    monkeypatch.setattr(local_pool, "available_cores", lambda: 3)
    monkeypatch.setattr(job, "measure", lambda *a, **options: (at_once.wait(), measure(*a, **options))[1])
    with LocalPool() as pool:
        results = dict(pool.capture(made, sizes_of(made.scenario, made.claims)))
    assert sorted(results) == sorted(made.claims)
    assert all(result.from_cache for result in results.values())


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_pool_that_is_closed_or_interrupted_begins_nothing_more(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: bool
) -> None:
    made = known(sweep, tmp_path / "cache")
    begun, may_go_on = [], threading.Event()

    def measure_slowly(path: str, *args: Any, **options: Any) -> Any:
        if threading.current_thread() is threading.main_thread():
            wait_for(lambda: begun, "the thread begins")
            raise KeyboardInterrupt
        begun.append(path)
        assert may_go_on.wait(60)
        return measure(path, *args, **options)

    monkeypatch.setattr(local_pool, "_WORTH_A_THREAD", 0)
    monkeypatch.setattr(local_pool, "available_cores", lambda: 2)
    monkeypatch.setattr(job, "measure", measure_slowly)
    threads, sizes = threading.active_count(), sizes_of(made.scenario, made.claims)
    if interrupted:
        with pytest.raises(KeyboardInterrupt):
            next(LocalPool().capture(made, sizes))
    else:
        with LocalPool() as pool:
            pool.begin(made, sizes)
            wait_for(lambda: begun, "the thread begins")
    may_go_on.set()
    wait_for(lambda: threading.active_count() == threads, "the thread ends")
    assert len(begun) == 1


# --- whatever ends or stops one of them ----------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="nobody stops a process there")
def test_a_helper_that_is_stopped_is_ended_and_its_work_is_done_here(sweep: Path, tmp_path: Path) -> None:
    make_endless(tmp_path / "data_p1e4.npz")
    made = Scenario(dataset_root=str(tmp_path))
    said: list[str] = []
    with LocalPool(1, said.append, patience=1) as pool:
        (worker,) = helpers_of(os.getpid()) if sys.platform == "linux" else [pool._workers[0].pid]
        pool.begin(CaptureJob(made, claims=select_datasets(made).claims), {"data_p1e4.npz": 1})
        wait_for(lambda: reads(worker, ENDLESS), "the helper reads")
        os.kill(worker, signal.SIGSTOP)
        shutil.copy(sweep / "data_p1e5.npz", tmp_path / "new")
        (tmp_path / "new").replace(tmp_path / "data_p1e4.npz")
        result = pool.result("data_p1e4.npz")
    assert result.dataset.stats.raw is not None
    assert said == [
        f"the process {worker}, which measures beside this one, does not answer for 1 s; it is ended, and its work is "
        "done here"
    ]


def test_a_helper_that_has_nothing_to_do_is_not_missed(sweep: Path) -> None:
    scenario, said = Scenario(dataset_root=str(sweep), limit_datasets=("data_p1e3.npz",)), []
    with LocalPool(2, said.append, patience=0) as pool:
        job_ = CaptureJob(scenario, claims=select_datasets(scenario).claims)
        ((name, result),) = pool.capture(job_, {"data_p1e3.npz": 1})
    assert (name, result.dataset.problems, said) == ("data_p1e3.npz", (), [])


@pytest.mark.parametrize("greeting", ["cuda 12.4 loaded", "I am a node", "(lp0"])
def test_a_greeting_at_the_start_of_python_goes_nowhere(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, greeting: str
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(f"print({greeting!r}, flush=True)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    done = d0parity("log", "-q", "--jobs", "3", "--dataset-root", sweep, "--output", tmp_path / "out")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", f"{greeting}\n")  # that of the command itself
    assert len(read_log(tmp_path / "out")["datasets"]) == 3


def test_an_exception_while_a_dataset_is_measured_leaves_it_to_the_next_check(parity: Parity) -> None:
    """As the time limit of a test raises it (pytest-timeout)."""
    parity.pytester.makeconftest(
        """
        import pytest
        from pytest_d0parity.capture import job

        measure = job.measure

        def ends(*args, **options):
            job.measure = measure
            pytest.fail("Timeout (>0.25s) from pytest-timeout.")

        job.measure = ends
        """
    )
    result = parity.run()
    outcomes = parity.outcomes()
    assert (result.ret, [*outcomes.values()].count("error")) == (1, 1)
    assert [dataset["stats"]["raw"] is None for dataset in parity.log()["datasets"]] == [False, False]


FORKING = """
import os, pickle
import pytest
from _pytest.runner import runtestprotocol
from pytest_d0parity.plugin import controller

controller.pool_size = lambda *_: 1  # however small the datasets are

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):  # as pytest-forked does
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reading, writing = os.pipe()
    if not (child := os.fork()):
        reports = runtestprotocol(item, log=False)
        with open(writing, "wb") as file:
            pickle.dump([item.config.hook.pytest_report_to_serializable(config=item.config, report=each)
                         for each in reports], file)
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as file:
        found = pickle.load(file)
    os.waitpid(child, 0)
    for each in found:
        report = item.config.hook.pytest_report_from_serializable(config=item.config, data=each)
        item.ihook.pytest_runtest_logreport(report=report)
    return True
"""


# A helper has a dataset in hand for as long as the session takes.
NEVER_DONE = """
import sys, threading
if "-c" in sys.orig_argv:
    from pytest_d0parity.capture import job
    job.measure = lambda *_, **__: threading.Event().wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_checks_in_forks_do_not_wait_for_threads_that_they_have_not(
    parity: Parity, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = parity.pytester.mkdir("site")
    (site / "sitecustomize.py").write_text(NEVER_DONE)
    monkeypatch.setenv("PYTHONPATH", str(site))
    parity.pytester.makeconftest(FORKING)
    result = parity.run("-p", "no:timeout", inprocess=False)
    assert result.ret == 0
    assert set(parity.outcomes().values()) == {"passed"}


# --- overlapping -------------------------------------------------------------------------------


def test_items_come_in_their_order() -> None:
    assert list(read_ahead(range(1000))) == list(range(1000))


def test_an_error_comes_where_it_happened() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("here")

    found = []
    with pytest.raises(ValueError, match="here"):
        found.extend(read_ahead(items()))
    assert next(read_ahead(items())) == 1


def test_no_thread_is_left_when_nobody_asks_any_more() -> None:
    import threading

    closed = []

    def items() -> Iterator[int]:
        try:
            yield from range(10**9)
        finally:
            closed.append(True)

    iterator = read_ahead(items())
    assert next(iterator) == 0
    iterator.close()
    assert [thread for thread in threading.enumerate() if thread.name == "d0parity-read-ahead"] == []
