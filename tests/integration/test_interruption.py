"""What ends a run from outside: Ctrl-C, SIGTERM and SIGHUP, at every moment of it."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_d0parity.evidence.artifacts import DIGEST, PAGE, PICTURES, PROBE_TABLE, STAGE_TABLE, SUMS
from tests.support.command import COMMAND, LOG
from tests.support.parity import LOCK

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no process sends itself a signal there")

SCRIPT = Path(__file__).parents[2] / "scripts" / "tools" / "d0_parity_logger.py"
ALL_BUT_SHOWN = {LOG, DIGEST, PROBE_TABLE, STAGE_TABLE, SUMS}

# Sends its own process a signal when a module is imported, or when a file has taken its name.
AT = """
import os, signal, sys

def at(name):
    if name == os.environ["AT"]:
        os.environ["AT"] = ""
        os.kill(os.getpid(), getattr(signal, os.environ["BY"]))

class Finder:
    def find_spec(self, name, path=None, target=None):
        at(name)

def replace(*arguments, _replace=os.replace):
    _replace(*arguments)
    at("os.replace")

sys.meta_path.insert(0, Finder())
os.replace = replace
"""


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(AT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))


def ended(command: list[str], root: Path, output: Path, at: str, by: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*command, "--jobs", "1", "--no-cache", "--dataset-root", str(root), "--output", str(output)],
        env=os.environ | {"AT": at, "BY": by},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.usefixtures("at")
@pytest.mark.parametrize(
    ("command", "module", "by", "code", "word"),
    [
        ([*COMMAND, "log"], "argparse", "SIGINT", 130, "Ctrl-C"),
        ([sys.executable, str(SCRIPT)], "numpy", "SIGTERM", 143, "SIGTERM"),
        ([*COMMAND, "log"], "pytest_d0parity.capture.run", "SIGHUP", 129, "SIGHUP"),
    ],
)
def test_before_anything_is_measured(
    pair: Path, tmp_path: Path, command: list[str], module: str, by: str, code: int, word: str
) -> None:
    done = ended(command, pair, tmp_path / "out", module, by)
    said = done.stderr.removeprefix("note: ")
    assert (done.returncode, done.stdout, said) == (code, "", f"interrupted by {word}\n")
    assert not (tmp_path / "out" / LOG).exists()


@pytest.mark.usefixtures("at")
@pytest.mark.parametrize(
    ("place", "there", "said"),
    [
        ("pytest_d0parity.reports.page.view", ALL_BUT_SHOWN, "out/dose_parity_log.json is written without its page"),
        ("os.replace", {*ALL_BUT_SHOWN, PAGE, PICTURES}, ""),  # of the first of them
    ],
)
def test_the_files_of_a_run_are_all_there_whenever_it_ends(
    pair: Path, tmp_path: Path, place: str, there: set[str], said: str
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / PAGE).write_text("of an earlier run")
    done = ended([*COMMAND, "log"], pair, tmp_path / "out", place, "SIGINT")
    assert (done.returncode, said in done.stderr) == (130, True)
    assert done.stderr.endswith("note: interrupted by Ctrl-C\n")
    assert "cannot be written" not in done.stderr
    files = {path.name: path for path in (tmp_path / "out").iterdir()}
    assert files.keys() - {LOCK} == there
    sha256 = hashlib.sha256(files[LOG].read_bytes()).hexdigest()
    assert all(sha256 in files[name].read_text(encoding="utf-8") for name in (there & {PAGE}) | {DIGEST, STAGE_TABLE})


@pytest.mark.parametrize("by", ["SIGINT", "SIGTERM"])
def test_a_session_that_is_ended_at_its_very_end_says_so(pair: Path, tmp_path: Path, by: str) -> None:
    (tmp_path / "conftest.py").write_text(
        "import os, signal\nfrom pytest_d0parity.handover import publish\n"
        f"publish.render_page = lambda *_: os.kill(os.getpid(), signal.{by})\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider", "-k", "params"]
    done = subprocess.run(
        [*command, "--parity-scenario=T", f"--parity-dataset-root={pair}", "--parity-output=out"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    word = "Ctrl-C" if by == "SIGINT" else by
    assert (done.returncode, done.stderr) == (2, "")
    assert f"ERROR: interrupted by {word} while the artifacts were written" in done.stdout
    assert "note: out/dose_parity_log.json is written without its page" in done.stdout


@pytest.mark.usefixtures("at")
def test_what_is_ignored_stays_ignored(pair: Path, tmp_path: Path) -> None:
    """As under ``nohup``."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        done = ended([*COMMAND, "log"], pair, tmp_path / "out", "pytest_d0parity.capture.run", "SIGHUP")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (done.returncode, done.stderr) == (0, "")
