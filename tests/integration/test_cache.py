"""Measurements kept from run to run: the same bytes in the log, and never a wrong one."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_d0parity import Scenario, capture_evidence
from pytest_d0parity.capture import cache
from pytest_d0parity.capture.cache import MeasurementCache
from pytest_d0parity.capture.dataset.measure import measure
from pytest_d0parity.capture.dataset.measurement import Measurement
from tests.support.command import COMMAND, LOG, d0parity, read_log
from tests.support.parity import Parity
from tests.support.processes import started


@pytest.fixture
def root(sweep: Path, tmp_path: Path) -> Path:
    root = tmp_path / "root"
    shutil.copytree(sweep, root)
    return root


def entries() -> list[Path]:
    return sorted(Path(os.environ["XDG_CACHE_HOME"]).rglob("*.msgpack"))


def run(root: Path, output: Path, *more: str) -> tuple[list[str], bytes]:
    """Log, and give what was known, and the bytes of all that does not say when and how."""
    done = d0parity("log", "--dataset-root", root, "--output", output, *more)
    assert done.stderr.count("note") == 0
    log = read_log(output)
    content = (output / LOG).read_bytes()
    return log["metadata"]["from_cache"], content[content.index(b'"baseline_params"', content.index(b'"numpy"')) :]


ALL = ["data_p1e3.npz", "data_p1e5.npz", "data_p1e9.npz"]


def test_a_second_run_knows_everything_and_writes_the_same(root: Path, tmp_path: Path) -> None:
    known, first = run(root, tmp_path / "1")
    assert (known, len(entries())) == ([], 3)
    known, second = run(root, tmp_path / "2")
    assert (known, first == second) == (ALL, True)
    known, third = run(root, tmp_path / "3", "--no-cache")
    assert (known, first == third) == ([], True)


def test_no_cache_leaves_nothing_behind(root: Path, tmp_path: Path) -> None:
    run(root, tmp_path / "1", "--no-cache")
    assert entries() == []


def test_what_depends_on_the_name_is_not_kept(root: Path, tmp_path: Path) -> None:
    run(root, tmp_path / "1")
    (root / "data_p1e3.npz").rename(root / "data_p1e6.npz")
    (root / "data_p1e5.npz").rename(root / "data_p1e5_v2.npz")
    known, content = run(root, tmp_path / "2")
    assert sorted(known) == ["data_p1e5_v2.npz", "data_p1e6.npz", "data_p1e9.npz"]
    assert content == run(root, tmp_path / "3", "--no-cache")[1]
    log = read_log(tmp_path / "2")
    assert "its name says 1e6 photons" in log["datasets"][1]["problems"][0]["message"]


def flipped(content: bytes) -> bytes:
    """Another number, where everything else still makes sense."""
    where = content.index(b"nonzero_fraction") + len("nonzero_fraction") + 8  # the last byte of a float64
    return content[:where] + bytes([content[where] ^ 1]) + content[where + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        flipped,
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[:40] + bytes([content[40] ^ 1]) + content[41:],
        lambda content: b"\0" * len(content),
        lambda content: content + b"x",
    ],
)
def test_a_damaged_entry_is_measured_again_and_replaced(root: Path, tmp_path: Path, damage: object) -> None:
    _, first = run(root, tmp_path / "1")
    good = [entry.read_bytes() for entry in entries()]
    entries()[1].write_bytes(damage(good[1]))  # type: ignore[operator]
    known, second = run(root, tmp_path / "2")
    assert (len(known), first == second) == (2, True)
    assert [entry.read_bytes() for entry in entries()] == good


def test_a_key_of_the_user_seals_the_entries(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, first = run(root, tmp_path / "1")  # by whom there is no key
    monkeypatch.setenv(cache.KEY, "secret")
    assert run(root, tmp_path / "2") == ([], first)
    assert run(root, tmp_path / "3") == (ALL, first)
    monkeypatch.setenv(cache.KEY, "another")
    assert run(root, tmp_path / "4") == ([], first)
    monkeypatch.delenv(cache.KEY)
    assert run(root, tmp_path / "5") == ([], first)
    assert not any(b"secret" in entry.read_bytes() for entry in entries())


def test_the_line_of_the_verdict_says_what_is_from_the_cache(root: Path, tmp_path: Path) -> None:
    options = ["--dataset-root", root, "--output", tmp_path / "1"]
    assert "from the cache" not in d0parity("log", *options).stdout
    os.unlink(entries()[0])
    d0parity("log", *options)
    said = "nothing was compared; 2 of 3 datasets from the cache"
    assert said in (tmp_path / "1" / "dose_parity_log.md").read_text()
    assert said in (tmp_path / "1" / "dose_parity_report.html").read_text()
    reference = f"--reference={tmp_path / '1' / LOG}"
    done = d0parity("log", "--dataset-root", root, "--output", tmp_path / "2", reference)
    assert "every compared value equals the reference" in done.stdout
    assert "; 3 of 3 datasets from the cache" in done.stdout


def test_an_entry_of_another_file_is_not_believed(root: Path, tmp_path: Path) -> None:
    _, first = run(root, tmp_path / "1")
    shutil.copy(entries()[0], entries()[1])
    known, second = run(root, tmp_path / "2")
    assert (len(known), first == second) == (2, True)


def test_other_bytes_of_the_same_size_are_measured(root: Path, tmp_path: Path) -> None:
    run(root, tmp_path / "1")
    path = root / "data_p1e5.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    known, second = run(root, tmp_path / "2")
    assert known == ["data_p1e3.npz", "data_p1e9.npz"]
    assert second == run(root, tmp_path / "3", "--no-cache")[1]


def test_other_algorithms_know_nothing(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, folder = str(root / "data_p1e3.npz"), tmp_path / "cache"
    MeasurementCache(folder).prepare()
    assert [measure(path, cache=MeasurementCache(folder))[1] for _ in range(2)] == [False, True]
    monkeypatch.setattr(cache, "ALGORITHM_VERSION", cache.ALGORITHM_VERSION + 1)
    MeasurementCache(folder).prepare()
    assert measure(path, cache=MeasurementCache(folder))[1] is False


@pytest.mark.parametrize(
    "arrays",
    [
        {"diff3d": np.array([[np.nan, np.inf, -0.0, 5e-324, 1.7e308]]), "scan_index": [2**62]},
        {"diff3d": np.empty((0, 4, 4)), "probeGuess": np.full((2, 2), np.nan + 1j)},
        {"diff3d": np.array(3), "probeGuess": np.array(["text"]), "scan_index": [0.5]},
        {"other": np.arange(3)},
    ],
)
def test_a_known_measurement_is_the_measured_one(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    memory = MeasurementCache(tmp_path / "cache")
    memory.prepare()
    first, was_known = measure(str(tmp_path / "a.npz"), cache=memory)
    second, is_known = measure(str(tmp_path / "a.npz"), cache=memory)
    assert (was_known, is_known, repr(first)) == (False, True, repr(second))  # repr: NaN is NaN


def test_what_a_disk_has_refused_is_not_kept(tmp_path: Path) -> None:
    memory = MeasurementCache(tmp_path / "cache")
    memory.prepare()
    assert measure(str(tmp_path / "nowhere.npz"), cache=memory)[0].problems
    assert list(tmp_path.rglob("*.msgpack")) == []


def test_a_verified_repack_is_verified_again(root: Path, tmp_path: Path) -> None:
    """What is known of a file must not spare it the look at every CRC that a repacked one gets."""
    with np.load(root / "data_p1e5.npz") as arrays:
        held = dict(arrays) | {"large": np.zeros((16 << 20) + 1, np.uint8)}  # too large to be measured
    np.savez_compressed(root / "data_p1e5.npz", **held)
    d0parity("log", "--dataset-root", root, "--output", tmp_path / "reference")
    np.savez(root / "data_p1e5.npz", **held)  # stored, not deflated
    content = bytearray((root / "data_p1e5.npz").read_bytes())
    where = content.index(b"large.npy") + 4000
    content[where] ^= 1  # in an array that is not measured; the directory claims what it claimed
    (root / "data_p1e5.npz").write_bytes(content)
    for _ in range(2):  # the second time its measurement is known
        done = d0parity(
            *("log", "--dataset-root", root, "--output", tmp_path / "out"),
            *("--reference", tmp_path / "reference" / LOG),
        )
        assert (done.returncode, "large: its CRC-32 is" in done.stderr) == (1, True)
    done = d0parity("log", "--dataset-root", root, "--output", tmp_path / "out")
    assert (done.returncode, read_log(tmp_path / "out")["metadata"]["from_cache"]) == (0, ALL)


def test_the_oldest_entries_go_when_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_ENTRIES", 10)
    memory = MeasurementCache(tmp_path)
    memory.prepare()
    for number in range(11):
        memory.save(Measurement(sha256=f"{number:064x}", size_bytes=number))
        (path,) = tmp_path.rglob(f"{number}-*.msgpack")
        os.utime(path, (number, number))
    assert memory.load(f"{0:064x}", 0) is not None  # used just now
    memory.prepare()
    kept = {int(path.name.partition("-")[0]) for path in tmp_path.rglob("*.msgpack")}
    assert kept == {0, 7, 8, 9, 10}


def test_several_processes_at_once(root: Path, tmp_path: Path) -> None:
    command = [*COMMAND, "log", "-q", "--dataset-root", str(root), "--jobs", "2"]
    with contextlib.ExitStack() as stack:
        runs = [stack.enter_context(started([*command, "--output", str(tmp_path / str(n))])) for n in range(4)]
        assert [run.wait(timeout=120) for run in runs] == [0] * 4
    assert len(entries()) == 3
    assert len({run(root, tmp_path / f"again-{n}")[1] for n in range(2)}) == 1


def test_a_file_in_the_place_of_the_cache_is_told_and_changes_nothing(root: Path, tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("")
    done = d0parity(
        "log", "--dataset-root", root, "--output", tmp_path / "out", env=os.environ | {"XDG_CACHE_HOME": str(place)}
    )
    assert done.returncode == 0
    assert "note: no measurement is kept for the next run, since" in done.stderr
    assert read_log(tmp_path / "out")["verdict"] == "recorded"


def test_the_plugin_knows_what_the_command_line_has_measured(
    root: Path, tmp_path: Path, pytester: pytest.Pytester
) -> None:
    parity = Parity(pytester, root, tmp_path)
    d0parity("log", "--dataset-root", tmp_path, "--output", tmp_path / "cli")
    assert parity.run().ret == 0
    assert parity.log()["metadata"]["from_cache"] == ALL
    assert parity.run("--parity-no-cache").ret == 0
    assert parity.log()["metadata"]["from_cache"] == []


def test_a_file_that_changes_while_it_is_read_is_told(root: Path, tmp_path: Path) -> None:
    path, memory = root / "data_p1e9.npz", MeasurementCache(tmp_path / "cache")
    memory.prepare()

    def touch(share: float) -> None:
        if share > 0:
            os.utime(path, (1, 1))

    found, _ = measure(str(path), touch, cache=memory)
    assert "somebody wrote to it while it was read" in found.problems[-1].message
    assert measure(str(path), cache=memory)[1] is False


@pytest.mark.skipif(sys.platform == "win32", reason="there is no time of the last change there")
@pytest.mark.parametrize("changed", [False, True])
def test_a_change_that_sets_the_time_back_is_told(root: Path, changed: bool) -> None:
    path = root / "data_p1e9.npz"
    before = path.stat()

    def change(share: float) -> None:
        if share == 1:
            return
        with path.open("r+b") as file:
            file.seek(before.st_size // 2)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ changed]))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    found, _ = measure(str(path), change)
    told = [problem.message for problem in found.problems if problem.name == "unmeasured"]
    assert told == ["somebody wrote to it while it was read; run again when it is complete"] * changed


def test_a_log_of_a_file_that_was_written_to_is_incomplete(root: Path) -> None:
    class Writer:
        """Writes to the last dataset while it is measured."""

        def planned(self, datasets: Any) -> None:
            pass

        def problem(self, problem: Any) -> None:
            pass

        def progress(self, name: str, share: float) -> None:
            if name == "data_p1e9.npz":
                os.utime(root / name, (1, 1))

    log = capture_evidence(Scenario(dataset_root=str(root)), Writer())
    assert log.verdict == "incomplete"
    assert [problem.name for problem in log.all_problems] == ["unmeasured"]


def test_a_glance_at_the_cache_imports_nothing_heavy() -> None:
    code = "import sys, pytest_d0parity.capture.cache; print([m for m in ('numpy', 'msgspec') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True, timeout=120).strip() == "[]"


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_folder_is_one_that_only_its_owner_can_use(root: Path, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        run(root, tmp_path / "1")
    finally:
        os.umask(old)
    folder = entries()[0].parent
    assert (mode(folder), mode(folder.parent)) == (0o700, 0o700)


def opened(place: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[MeasurementCache | None, str]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))
    said: list[str] = []
    return cache.open_user_cache(said.append), " ".join(said)


@pytest.mark.parametrize("depth", [0, 1])
@pytest.mark.parametrize("bits", [0o720, 0o702])
def test_a_folder_that_others_can_write_to_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, depth: int, bits: int
) -> None:
    assert opened(tmp_path, monkeypatch)[0] is not None
    folder = tmp_path / "d0parity"
    if depth:
        (folder,) = folder.iterdir()
    folder.chmod(bits)
    found, said = opened(tmp_path, monkeypatch)
    assert found is None
    assert said == (
        f"the cache of measurements is not used, since others can write to {folder}: remove it, and the next run makes "
        "one of your own"
    )
    folder.chmod(0o755)
    assert opened(tmp_path, monkeypatch)[0] is not None


def test_a_folder_that_is_a_link_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "d0parity").symlink_to("elsewhere")
    found, said = opened(tmp_path, monkeypatch)
    assert (found, "is a link; replace it by a folder" in said) == (None, True)


def test_a_folder_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(tmp_path, monkeypatch)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    found, said = opened(tmp_path, monkeypatch)
    assert (found, "belongs to somebody else" in said) == (None, True)


def test_where_there_are_no_owners_there_is_a_cache(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("geteuid", "O_NOFOLLOW", "O_NONBLOCK"):
        monkeypatch.delattr(os, name)
    memory, path = MeasurementCache(tmp_path / "cache"), str(root / "data_p1e3.npz")
    memory.prepare()
    assert [measure(path, cache=memory)[1] for _ in range(2)] == [False, True]


def as_fifo(entry: Path) -> None:
    entry.unlink()
    os.mkfifo(entry)


def as_link(entry: Path) -> None:
    entry.rename(entry.with_suffix(".moved"))
    entry.symlink_to(entry.with_suffix(".moved").name)


def as_second_name(entry: Path) -> None:
    os.link(entry, entry.with_suffix(".other"))


def as_somebody_elses(entry: Path) -> None:
    os.chown(entry, 12345, -1)


def as_huge(entry: Path) -> None:
    with entry.open("ab") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize("change", [as_fifo, as_link, as_second_name, as_somebody_elses, as_huge])
def test_only_the_users_own_files_are_entries(root: Path, tmp_path: Path, change: object) -> None:
    if change is as_somebody_elses and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    _, first = run(root, tmp_path / "1")
    entry = entries()[1]
    change(entry)  # type: ignore[operator]
    known, second = run(root, tmp_path / "2")
    assert (len(known), first == second) == (2, True)
    assert entry.is_file()
    assert not entry.is_symlink()
    assert len(run(root, tmp_path / "3")[0]) == 3


def test_a_folder_among_the_entries_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_ENTRIES", 2)
    memory = MeasurementCache(tmp_path / "cache")
    memory.prepare()
    (folder,) = (tmp_path / "cache").iterdir()
    for number in range(4):
        (folder / f"{number}.msgpack").mkdir()
    memory.prepare()
