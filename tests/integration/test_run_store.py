"""What the processes of a pytest run share, where one of them stops or there is no room."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_d0parity.plugin.run_store import RunStore
from tests.support.command import read_log
from tests.support.parity import Parity, run_session
from tests.support.processes import started

MAKER = """
import sys
from pathlib import Path
from pytest_d0parity.plugin.run_store import RunStore

def make():
    print("making", flush=True)
    sys.stdin.readline()
    return "theirs"

print(RunStore(Path(sys.argv[1])).get_or_make("value", make), flush=True)
"""


def test_whoever_is_alive_is_waited_for(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MAKER, str(tmp_path)]
    with started(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as maker:
        assert maker.stdout is not None
        assert maker.stdin is not None
        assert maker.stdout.readline() == "making\n"
        store = RunStore(tmp_path, patience=3)
        with started(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            maker.stdin.write("\n")
            maker.stdin.flush()
            assert other.stdout is not None
            assert other.stdout.readline() == "theirs\n"
        assert store.get_or_make("value", lambda: "ours") == "theirs"
    assert store.notes == []


@pytest.mark.skipif(sys.platform == "win32", reason="nobody stops a process there")
def test_whoever_is_stopped_is_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MAKER, str(tmp_path)]
    with started(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as maker:
        assert maker.stdout is not None
        assert maker.stdout.readline() == "making\n"
        os.kill(maker.pid, signal.SIGSTOP)
        store = RunStore(tmp_path, patience=1)
        assert store.get_or_make("value", lambda: "ours") == "ours"
    said = ["another process of this run does not answer for 1 s; its work is done here too"]
    assert store.notes == RunStore(tmp_path).notes == said


# As on another machine, which does not see the folder that the processes of a run share.
BLIND = """
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    if hasattr(config, "workerinput"):
        config.workerinput["d0parity_folder"] = "nowhere"
"""


def test_workers_of_another_folder_do_what_was_asked_for_here_or_end_in_a_sentence(
    pytester: pytest.Pytester, pair: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pytester.path / "sweep").symlink_to(pair)
    pytester.makepyprojecttoml('[tool.d0parity.scenarios.T]\ndataset_root = "sweep"\n')
    pytester.mkdir("away")
    options = ("-p", "no:cacheprovider", "--parity-scenario=T", "--tx=popen//chdir=away", "-d")
    assert run_session(pytester, *options, "--parity-output=out", inprocess=False).ret == 0
    assert read_log(pytester.path / "out")["verdict"] == "recorded"

    pytester.makepyfile(blind=BLIND)
    monkeypatch.setenv("PYTHONPATH", str(pytester.path))
    compared = ("--parity-reference=out/dose_parity_log.json", "--parity-output=compared", "-p", "blind")
    result = run_session(pytester, *options, *compared, inprocess=False)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(["*the worker gw0 cannot start: the reference: log out/dose_parity_log.json cannot*"])
    assert read_log(pytester.path / "compared")["verdict"] == "incomplete"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A folder with room for some kilobytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        if subprocess.run(mount, check=False, capture_output=True, timeout=120).returncode:
            pytest.skip("a small disk cannot be mounted here")
    except FileNotFoundError:
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True, timeout=120)


FILLS = """
import contextlib, os
from pathlib import Path

def pytest_collection(session):  # somebody fills the disk once it is in use
    with contextlib.suppress(OSError):
        Path(os.environ["TMPDIR"], f"filler-{os.getpid()}").write_bytes(bytes(1 << 20))
"""


@pytest.mark.parametrize("workers", [(), ("-n2",)])
def test_no_room_for_temporary_files(
    pytester: pytest.Pytester,
    pair: Path,
    tmp_path_factory: pytest.TempPathFactory,
    small: Path,
    monkeypatch: pytest.MonkeyPatch,
    workers: tuple[str, ...],
) -> None:
    monkeypatch.setenv("TMPDIR", str(small))
    pytester.makeconftest(FILLS)
    parity = Parity(pytester, pair, tmp_path_factory.mktemp("root"))
    result = parity.run("-p", "no:cacheprovider", *workers, inprocess=False)
    if workers:  # none knows what the others have found
        assert result.ret == 1
        result.stdout.fnmatch_lines(["ERROR: parity is not shown,*"])
    else:
        assert result.ret == 0
        assert parity.log()["verdict"] == "recorded"
        result.stdout.fnmatch_lines(["note: *cannot be written to (No space left on device)*"])
