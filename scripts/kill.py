#!/usr/bin/env python3
"""Kill log, pytest and bundle at random moments, and count what should never be: all figures printed are to be zero.

Each round starts one of them on a small simulated sweep, now and then beside another run into the same folder, sends
SIGKILL, SIGTERM or SIGINT after a random part of the time that it takes, and looks at what is there. After each ten,
all of them run undisturbed, and nothing may be left of those that were killed. On Linux alone.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path

from pytest_d0parity.evidence.artifacts import DIGEST, LOG, PAGE, PICTURES, PROBE_TABLE, STAGE_TABLE
from pytest_d0parity.simulator import simulate_sweep, write_params

D0PARITY = [sys.executable, "-m", "pytest_d0parity"]
SWEEP = ["--dataset-root=sweep", "--baseline-params=sweep/params.dill"]
COMMANDS = {
    "log": [*D0PARITY, "log", *SWEEP, "--output=out", "--jobs=2"],
    "pytest": [
        *(
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--parity-scenario=KILL",
        ),
        *("--parity-dataset-root=sweep", "--parity-baseline-params=sweep/params.dill", "--parity-output=out"),
    ],
    "bundle": [*D0PARITY, "bundle", f"reference/{LOG}", "--output=bag.tar"],
}
SIGNALS = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT]
LONGEST = 60  # seconds
SEEN = (
    "torn",
    "mixed, and nobody says so",
    "orphans",
    "left behind",
    "hangs",
    "tracebacks",
    "failed beside",
    "failed afterwards",
)


class Folder:
    """A folder with a sweep, in which the commands run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        simulate_sweep(str(path / "sweep"), ["1e3", "1e6"], 20)
        write_params(str(path / "sweep" / "params.dill"), 20)
        (path / "tmp").mkdir()
        places = {"TMPDIR": "tmp", "XDG_CACHE_HOME": "cache", "D0PARITY_KILL": "."}
        self.environment = os.environ | {name: str(path / place) for name, place in places.items()}
        subprocess.run([*D0PARITY, "log", *SWEEP, "--output=reference"], cwd=path, check=True, capture_output=True)
        self.start("bundle").wait(LONGEST)
        self.bag = (path / "bag.tar").read_bytes()

    def start(self, command: str, said_in: str = "said") -> subprocess.Popen[str]:
        """Start a command in a session of its own."""
        if command == "bundle":
            (self.path / "bag.tar").unlink(missing_ok=True)
        with (self.path / said_in).open("w") as said:
            return subprocess.Popen(
                COMMANDS[command],
                cwd=self.path,
                env=self.environment,
                stdout=said,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def seconds(self, command: str) -> float:
        """Return how long a command takes."""
        begun = time.monotonic()
        self.start(command).wait(LONGEST)
        return time.monotonic() - begun

    def said(self) -> str:
        """Return what the last command has said."""
        return (self.path / "said").read_text(errors="replace")

    def torn(self) -> list[str]:
        """Return the names of files that are not whole."""
        bag = self.path / "bag.tar"
        torn = [path.name for path in (self.path / "out").glob("*") if not is_whole(path)]
        return [*torn, *([bag.name] if bag.exists() and bag.read_bytes() != self.bag else [])]

    def is_mixed(self) -> bool:
        """Whether files of two runs lie there, and nobody says so."""
        out = self.path / "out"
        if not (out / LOG).exists():
            return any(out.glob("*"))
        sha256 = hashlib.sha256((out / LOG).read_bytes()).hexdigest()
        others = [name for name in (DIGEST, PAGE, PROBE_TABLE, STAGE_TABLE, PICTURES) if not names(out / name, sha256)]
        if not others:
            return False
        done = subprocess.run(
            [*D0PARITY, "report", f"out/{LOG}", "--output=page"],
            cwd=self.path,
            capture_output=True,
            text=True,
            check=False,
        )
        return not all(name in done.stderr for name in others)

    def orphans(self) -> list[int]:
        """Return the processes of this folder that are left a moment later."""
        for _ in range(100):
            left = [int(path.name) for path in Path("/proc").glob("[0-9]*") if self._is_ours(path)]
            if not left:
                return []
            time.sleep(0.05)
        return left

    def _is_ours(self, process: Path) -> bool:
        try:
            return f"D0PARITY_KILL={self.path}\0".encode() in (process / "environ").read_bytes()
        except OSError:
            return False

    def left_behind(self) -> list[str]:
        """Return the names of temporary files and folders."""
        return [str(each) for each in (*self.path.rglob(".d0parity-*"), *(self.path / "tmp").iterdir())]


def is_whole(path: Path) -> bool:
    """Whether a file is what its name says."""
    content = path.read_bytes()
    match path.suffix:
        case ".json":
            return bool(json.loads(content))
        case ".html":
            return content.rstrip().endswith(b"</html>")
        case ".npz":
            with zipfile.ZipFile(path) as archive:
                return archive.testzip() is None
        case ".csv":
            return len({len(row) for row in csv.reader(content.decode().splitlines())}) == 1
        case ".md":
            return content.endswith(b"\n")
    return True


def names(path: Path, sha256: str) -> bool:
    """Whether a file tells of the log with this hash; also where it is not there, or has no row."""
    if not path.exists():
        return True
    if path.suffix == ".npz":
        with zipfile.ZipFile(path) as archive:
            return sha256.encode("utf-32-le") in archive.read("log_sha256.npy")
    content = path.read_text()
    return sha256 in content or (path.suffix == ".csv" and len(content.splitlines()) == 1)


def is_traceback(command: str, said: str) -> bool:
    """Whether there is a traceback of ours: pytest, and Python while it starts, have some of their own for Ctrl-C."""
    return "INTERNALERROR" in said or (command != "pytest" and "Traceback" in said and "pytest_d0parity" in said)


def end(process: subprocess.Popen[str], seen: Counter[str]) -> int:
    """Wait for a process, and return its exit code."""
    try:
        return process.wait(LONGEST)
    except subprocess.TimeoutExpired:
        seen["hangs"] += 1
        process.kill()
        return process.wait(LONGEST)


def play(
    folder: Folder, command: str, number: signal.Signals, delay: float, beside: str | None, seen: Counter[str]
) -> str:
    """Kill one command, perhaps beside another one, and look; return what was said."""
    other = None if beside is None else folder.start(beside, "said beside")
    process = folder.start(command)
    try:
        process.wait(delay)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
    end(process, seen)
    said = folder.said()
    seen["tracebacks"] += is_traceback(command, said)
    if other is not None:
        seen["failed beside"] += end(other, seen) != 0
        said += (folder.path / "said beside").read_text(errors="replace")
    look(folder, seen)
    return said


def look(folder: Folder, seen: Counter[str]) -> None:
    """Count what should not be there."""
    seen["orphans"] += bool(folder.orphans())
    seen["torn"] += bool(folder.torn())
    seen["mixed, and nobody says so"] += folder.is_mixed()


def play_undisturbed(folder: Folder, seen: Counter[str]) -> str:
    """Run all commands to their ends, and look; return what they said."""
    said = ""
    for command in COMMANDS:
        seen["failed afterwards"] += end(folder.start(command), seen) != 0
        said += folder.said()
        look(folder, seen)
    left = folder.left_behind()
    seen["left behind"] += bool(left)
    return "\n".join([said, *left])


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000, help="how many in all (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers (%(default)s)")
    options = parser.parse_args()
    rng, seen = random.Random(options.seed), Counter(dict.fromkeys(SEEN, 0))  # noqa: S311 - for moments, not for keys
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(Path(path))
        takes = {command: folder.seconds(command) for command in COMMANDS}
        for number in range(options.kills):
            command, sent = rng.choice([*COMMANDS]), rng.choice(SIGNALS)
            beside = rng.choice([None, None, None, None, "log", "pytest"])
            if rng.random() < 0.5:
                shutil.rmtree(folder.path / "cache", ignore_errors=True)  # not there yet
            before = seen.copy()
            said = play(folder, command, sent, rng.uniform(0, 1.1 * takes[command]), beside, seen)
            if number % 10 == 9 or number == options.kills - 1:
                said += play_undisturbed(folder, seen)
            for name in SEEN:
                if seen[name] > before[name]:
                    print(
                        f"{number}: {command}, {sent.name}, beside {beside}: {name}\n{said}",
                        file=sys.stderr,
                        flush=True,
                    )
    print(f"{options.kills} kills of {', '.join(COMMANDS)}; seed {options.seed}")
    for name in SEEN:
        print(f"{name}: {seen[name]}")


if __name__ == "__main__":
    main()
