"""Several processes and threads: the same bytes, sooner; nothing is lost when one of them dies."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_d0parity.capture import job
from pytest_d0parity.capture.dataset.measure import measure
from pytest_d0parity.capture.dataset.member_source import read_ahead
from pytest_d0parity.capture.local_pool import pool_size
from pytest_d0parity.plugin import controller
from pytest_d0parity.util.runtime import available_cores
from tests.support.command import COMMAND, comparable, d0parity, read_log
from tests.support.parity import Parity
from tests.support.processes import ENDLESS, make_endless, reads, started, wait_for


def helpers_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


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
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "n" / name).read_bytes()
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
