#!/usr/bin/env python3
"""Mutate params, NPZ files, logs, bundles and tables of a project, read them, and count what should never be.

Each case is read by a process of its own, which either reads it or refuses it in words, soon and in little memory; what
it has read is held against what others read of it: pickle without classes, NumPy, json, tarfile, tomllib. All figures
printed after "refused" are to be zero. Where they are not, the mutated file is kept. On Linux alone.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import itertools
import json
import math
import os
import pickle
import random
import re
import resource
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dill
import numpy as np

from pytest_d0parity import ParityError, Scenario, capture_evidence, load_params
from pytest_d0parity.cli import main as d0parity
from pytest_d0parity.evidence.artifacts import LOG
from pytest_d0parity.scenario.options import OPTIONS
from pytest_d0parity.scenario.pyproject import find_project
from pytest_d0parity.scenario.scenario import make_scenario
from pytest_d0parity.simulator import simulate_sweep, write_params

SEEN = ("cases", "read", "refused", "tracebacks", "hangs", "over time", "over memory", "wrong values")
HANG = 60  # seconds by the clock of the wall, whatever else this machine does
READ, REFUSED, WRONG, TRACEBACK = 0, 1, 3, 4
COMMON = [b"", b"\0", b"\xff" * 4, b"-1", b"1e400", b"NaN", b"2147483648", b"\xed\xa0\x80", b"../", b"/"]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Files of one kind.

    Attributes
    ----------
    filename : str
        What a mutated file is called, relative to the folder in which it is read.
    honest : list of bytes
        What is mutated.
    look : callable
        Reads the file; returns what it has read wrongly, or else an empty text.
    within : callable
        Mutates what lies within honest bytes, and packs it again, so that no checksum tells.
    seconds, megabytes : int
        Of the processor and of memory; more than this is over.
    tokens : list of bytes
        What is put in here and there.
    """

    filename: str
    honest: list[bytes]
    look: Callable[[Path], str]
    within: Callable[[random.Random, bytes, list[bytes]], bytes]
    seconds: float
    megabytes: int
    tokens: list[bytes]

    def mutated(self, rng: random.Random) -> bytes:
        """Return a mutated file."""
        data = rng.choice(self.honest)
        return self.within(rng, data, self.tokens) if rng.random() < 0.6 else mutate(rng, data, self.tokens)


class RefusedError(Exception):
    """A file was refused in words."""


# --- mutations ---------------------------------------------------------------------------------


def mutate(rng: random.Random, honest: bytes, tokens: list[bytes]) -> bytes:
    """Change, remove, repeat and insert some bytes."""
    data, ways = bytearray(honest), rng.choice([2, 6])  # the first two leave all else where it is
    for _ in range(rng.choice([1, 1, 1, 2, 5, 20])):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(ways):
            case 0:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 1 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 2:
                del data[at : at + rng.choice([1, 2, 8, 512, len(data)])]
            case 3:
                data[at:at] = data[at : at + rng.randrange(1, 40)] * rng.choice([1, 2, 50, 2000])
            case 4:
                start = rng.randrange(len(honest) + 1)
                data[at:at] = honest[start : start + rng.randrange(1, 600)]
            case 5:
                data[at : at + rng.choice([0, 1, 4])] = rng.choice(tokens)
    return bytes(data)


_LONGEST_NAME = 30_000  # characters, of one or two bytes: a zip archive can name 65,535 bytes


def mutate_npz(rng: random.Random, honest: bytes, tokens: list[bytes]) -> bytes:
    """Change an array, mostly in its header, its name, or how it is packed."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(honest)) as old, zipfile.ZipFile(file, "w") as new:
        chosen = rng.choice(old.namelist())
        for name in old.namelist():
            content, header = old.read(name), 128 if rng.random() < 0.7 else 1 << 20
            if name == chosen:
                content = mutate(rng, content[:header], tokens) + content[header:]
                if rng.random() < 0.2:
                    name = mutate(rng, name.encode(), tokens).decode("latin1")[:_LONGEST_NAME]
            known_as = name if name.partition("\0")[0] else "x"
            new.writestr(known_as, content, rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
    return file.getvalue()


def mutate_log(rng: random.Random, honest: bytes, _: list[bytes]) -> bytes:
    """Change one value of a log, or take it away."""
    log = json.loads(honest)
    part: Any = log
    while True:
        key: Any = rng.choice([*part] if isinstance(part, dict) else range(len(part)))
        if not isinstance(part[key], dict | list) or not part[key] or rng.random() < 0.05:
            break
        part = part[key]
    value = part[key]
    number = value * (1 + rng.choice([1e-9, 1e-3, -2.0])) if isinstance(value, int | float) else 5
    odd = [
        number,
        number,
        number,
        None,
        True,
        "",
        "NaN",
        "Infinity",
        [],
        {},
        [value],
        {"a": value},
        -1,
        10**400,
        "\udc80",
    ]
    part[key] = rng.choice(odd)
    if rng.random() < 0.1:
        del part[key]
    return json.dumps(log).encode()


def mutate_tar(rng: random.Random, honest: bytes, tokens: list[bytes]) -> bytes:
    """Change the header of a member, or its content, and pack it again."""
    file = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(honest)) as old, tarfile.open(fileobj=file, mode="w") as new:
        members = old.getmembers()
        chosen = rng.choice(members)
        for member in members:
            source = old.extractfile(member)
            content = source.read() if source else b""
            if member is chosen:
                match rng.randrange(5):
                    case 0:
                        content = mutate(rng, content, tokens)
                    case 1:
                        member.name = mutate(rng, member.name.encode(), tokens).decode("utf-8", "replace") or "x"
                    case 2:
                        member.type = rng.choice([b"0", b"1", b"2", b"3", b"5", b"6", b"7", b"x", b"S"])
                        member.linkname = rng.choice([each.name for each in members])
                    case 3:
                        new.addfile(member, io.BytesIO(content))
                    case 4:
                        continue
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))
    return file.getvalue()


# --- what others read --------------------------------------------------------------------------


class Plain(pickle.Unpickler):
    """Reads pickles in which nothing is named."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuse every name."""
        raise pickle.UnpicklingError(f"{module}.{name}")


def look_at_params(path: Path) -> str:
    """Compare with what pickle reads, where no class is needed."""
    ours = load_params(path)
    try:
        with path.open("rb") as file:
            theirs = Plain(file).load()
    except Exception:  # pickle has no documented error
        return ""
    return "" if repr(ours) == repr(theirs) else f"{ours!r:.500} is {theirs!r:.500}"


def look_at_npz(path: Path) -> str:
    """Compare with what NumPy reads."""
    log = capture_evidence(Scenario(dataset_root=str(path.parent)))
    for problem in log.all_problems:
        print(problem.message)
    if not log.datasets or log.has_errors:
        raise RefusedError
    dataset = log.datasets[0]
    raw = dataset.stats.raw
    with np.load(path) as arrays:
        for name, info in dataset.arrays.items():
            member = next(each for each in (name, f"/{name}") if each in arrays)
            if info.dtype != "object" and list(arrays[member].shape) != list(info.shape):
                return f"{name}: {info.shape} is {arrays[member].shape}"
        stack = arrays[dataset.roles["diff3d"]] if raw else np.zeros(0)
    if raw is None:
        return ""
    stack = np.abs(stack) if np.iscomplexobj(stack) else stack
    values = stack[np.isfinite(stack)].astype(np.float64)
    found = {"min": values.min(), "max": values.max(), "mean": values.mean(), "median": np.median(values)}
    for name, value in found.items():
        if not math.isclose(getattr(raw, name), value, rel_tol=1e-9, abs_tol=1e-300):
            return f"{name} {getattr(raw, name)} is {value}"
    return ""


def look_at_log(path: Path) -> str:
    """Compare a log with the honest one, and see that nothing differs where it is said to match."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = command("compare", "reference.json", path.name)
    print(said.getvalue())
    if code != READ:
        return ""
    theirs, ours = (json.loads(file.read_bytes()) for file in (path, path.with_name("reference.json")))
    names = ("filename", "arrays", "stats", "photons", "probe", "frames", "pattern")
    for one, other in zip(theirs["datasets"], ours["datasets"], strict=True):
        for each in (one, other):
            (each.get("photons") or {}).pop("residual", None)  # which is rounding, and never compared
        # Statistics that one side alone has measured are not compared, but told.
        for array in re.findall(r"arrays\.([^ ,]+?)\.\*", said.getvalue()):
            if "measured on one side alone" in said.getvalue():
                for each in (one, other):
                    each["arrays"][array] = {key: each["arrays"][array].get(key) for key in ("shape", "dtype", "crc32")}
        # A file of other bytes with the same arrays matches, but it has to be told that it is repacked.
        is_told = f"Repacked, which is no drift: {other['filename']} (" in said.getvalue()
        for name in names if is_told else ("sha256", "size_bytes", *names):
            if not is_close(one.get(name), other.get(name)):
                return f"{name}: {one.get(name)!r:.300} matches {other.get(name)!r:.300}"
    for name in ("params", "metrics"):
        if not is_close(theirs[name], ours[name]):
            return name
    return ""


def is_close(one: Any, other: Any) -> bool:
    """Whether a value of JSON is the honest one within what is allowed by default; unknown keys say nothing."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() >= other.keys() and all(is_close(one[key], other[key]) for key in other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_close, one, other))
    if float in (type(one), type(other)) and {type(one), type(other)} <= {int, float}:
        return math.isclose(one, other, rel_tol=2e-6, abs_tol=1e-9)
    return bool(one == other)


def look_at_tar(path: Path) -> str:
    """Compare the files of a bundle that verifies with those of the honest one."""
    if command("verify", path.name, "--output=receipt") != READ:
        return ""
    ours, theirs = files_of(path.with_name("honest.tar").read_bytes()), files_of(path.read_bytes())
    differ = [name for name in ours if theirs.get(name) != ours[name]]
    return f"{differ} are not what they were" if differ else ""


def _in_lower_case(found: re.Match[bytes]) -> bytes:
    return found[0].lower()


def files_of(data: bytes) -> dict[str, str]:
    """Return the SHA-256 of the files in a tar, by their names below its top; hashes in manifests may be capitals."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {
            name: hashlib.sha256(
                re.sub(rb"(?m)^[0-9A-F]{64}(?= )", _in_lower_case, file.read(), flags=re.I)
            ).hexdigest()
            for member in archive
            if (file := archive.extractfile(member)) and (name := os.path.normpath(member.name).partition("/")[2])
        }


def look_at_table(path: Path) -> str:
    """Compare a scenario with the table that it was made of."""
    scenario = make_scenario(find_project(str(path.parent)), "FUZZ", dict.fromkeys(OPTIONS))
    tool = tomllib.loads(path.read_text("utf-8")).get("tool", {}).get("d0parity", {})
    table = tool.get("scenarios", {}).get("FUZZ", {})
    patterns = [*tool.get("thresholds", {}), *table.get("thresholds", {})]
    if [each.pattern for each in scenario.thresholds] != patterns:
        return f"thresholds {scenario.thresholds}"
    for name in ("dataset_root", "baseline_params", "compare"):
        if name in table and getattr(scenario, name) != table[name]:
            return f"{name} {getattr(scenario, name)!r} is {table[name]!r}"
    if list(scenario.limit_datasets or ()) != table.get("limit_datasets", []):
        return f"limit_datasets {scenario.limit_datasets}"
    return ""


def command(*arguments: str) -> int:
    """Run d0parity; where it ends with 1 or 2, the file was refused."""
    code = d0parity([*arguments])
    if code in (1, 2):
        raise RefusedError
    return code


# --- cases -------------------------------------------------------------------------------------

TABLE = b"""\
[tool.d0parity]
reports_root = "reports"
[tool.d0parity.thresholds]
"raw.mean" = "5%"
"*.p99" = {rel = 0.01, abs = 1e-3}
[tool.d0parity.scenarios.FUZZ]
dataset_root = "sweep"
baseline_params = "params.dill"
limit_datasets = ["data_p1e4.npz", "data_p1e6.npz"]
references = ["a/dose_parity_log.json"]
compare = "statistics"
dose = "data_p(?P<photons>[0-9e]+)"
doses = {"data_p*" = 1e4}
accept = ["*:saturated"]
arrays = {diff3d = "diffraction"}
dose_tolerance = "7%"
[tool.d0parity.scenarios.FUZZ.thresholds]
"metrics.*" = "exact"
"""


def prepare(folder: Path) -> dict[str, Kind]:
    """Make what is honest, and what a case lies beside."""
    os.chdir(folder)
    simulate_sweep("sweep", ["1e4"], 20)
    write_params("sweep/params.dill", 20)
    run("log", "--dataset-root=sweep", "--baseline-params=sweep/params.dill", "--output=parity")
    run("bundle", f"parity/{LOG}", "--output=honest.tar")
    sweep, log = folder / "sweep", (folder / "parity" / LOG).read_bytes()
    (folder / "reference.json").write_bytes(log)
    return {
        "params": Kind(
            filename="params.dill",
            honest=[(sweep / "params.dill").read_bytes(), *map(plain_params, range(6))],
            look=look_at_params,
            within=mutate,
            seconds=1,
            megabytes=150,
            tokens=[*COMMON, *(bytes([each]) for each in b"(.012FGIJKLMNPQRSTUVXabcdeghijlopqrstu}]\x81\x85\x93\x94")],
        ),
        "npz": Kind(
            filename="npz/data_p1e4.npz",
            honest=[(sweep / "data_p1e4.npz").read_bytes()],
            look=look_at_npz,
            within=mutate_npz,
            seconds=10,
            megabytes=300,
            tokens=[
                *COMMON,
                b"PK\x03\x04",
                b"'<c16'",
                b"'|O'",
                b"'>f2'",
                b"(20, 64, 64)",
                b"True",
                b"\x93NUMPY",
                b"(0,)",
            ],
        ),
        "log": Kind(
            filename="mutated.json",
            honest=[log],
            look=look_at_log,
            within=mutate_log,
            seconds=5,
            megabytes=150,
            tokens=[*COMMON, b"[" * 2000, b'{"a":', b"null", b'"NaN"', b"Infinity", b'"schema_version": 5,', b"1e308"],
        ),
        "tar": Kind(
            filename="mutated.tar",
            honest=[(folder / "honest.tar").read_bytes()],
            look=look_at_tar,
            within=mutate_tar,
            seconds=5,
            megabytes=150,
            tokens=[*COMMON, b"ustar\x0000", b"9" * 300, b"30 path=../../x\n", b"\0" * 512, b"data/", b"data/parity/"],
        ),
        "table": Kind(
            filename="table/pyproject.toml",
            honest=[TABLE],
            look=look_at_table,
            within=mutate,
            seconds=5,
            megabytes=150,
            tokens=[
                *COMMON,
                b'"',
                b"'''",
                b"[",
                b"]]",
                b"= inf",
                b"= {}",
                b"\\u0000",
                b"(a+)+$",
                b"5sigma",
                b"1979-05-27",
            ],
        ),
    }


def plain_params(protocol: int) -> bytes:
    """Return params without classes, so that pickle can read them."""
    shared = [1, (2.5, None)]
    values = {"N": 64, "label": "baseline", "nested": {"a": shared, "b": shared, "c": "é", "d": 2**70}, "flag": True}
    return bytes(dill.dumps(values, protocol=protocol))


def run(*arguments: str) -> None:
    """Run d0parity."""
    subprocess.run([sys.executable, "-m", "pytest_d0parity", *arguments], check=True, capture_output=True)


def look(kind: Kind, path: Path) -> int:
    """Look at a file, in a process of its own."""
    try:
        wrong = kind.look(path)
    except (ParityError, RefusedError):
        return REFUSED
    except BaseException:
        traceback.print_exc()
        return TRACEBACK
    print(wrong)
    return WRONG if wrong else READ


def start(kind: Kind, path: Path, said: Path) -> int:
    """Start a process that looks at a file, and return its number."""
    process = os.fork()
    if not process:
        descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.chdir(path.parent)
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))  # for the sake of this machine
        code = look(kind, path)
        sys.stdout.flush()
        os._exit(code)
    return process


def wait(process: int) -> tuple[int | None, resource.struct_rusage]:
    """Return how a process has ended, None where it had to be, and what it took."""
    deadline = time.monotonic() + HANG
    while time.monotonic() < deadline:
        found, status, usage = os.wait4(process, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status), usage
        time.sleep(0.001)
    os.kill(process, signal.SIGKILL)
    return None, os.wait4(process, 0)[2]


def play(kind: Kind, path: Path, data: bytes, seen: Counter[str]) -> tuple[list[str], str]:
    """Have one file looked at; return what should not be, and what was said."""
    path.write_bytes(data)
    said = path.with_suffix(".said")
    code, usage = wait(start(kind, path, said))
    text = said.read_text(errors="replace")
    memory = (
        usage.ru_maxrss - resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    )  # KiB that it took beyond this process
    faults = {
        "tracebacks": code not in (READ, REFUSED, WRONG, None) or "a defect of pytest-d0parity" in text,
        "hangs": code is None,
        "over time": usage.ru_utime + usage.ru_stime > kind.seconds,
        "over memory": memory > kind.megabytes << 10,
        "wrong values": code == WRONG,
    }
    seen.update({"cases": 1, "read": code == READ, "refused": code == REFUSED, **faults})
    return [name for name, is_so in faults.items() if is_so], text


def cases(seed: int, kinds: dict[str, Kind]) -> Iterator[tuple[int, str, bytes]]:
    """Yield mutated files without end, the same ones for the same seed."""
    for number in itertools.count():
        name = [*kinds][number % len(kinds)]
        rng = random.Random(f"{seed}-{number}")  # noqa: S311 - for mutations, not for keys
        yield number, name, kinds[name].mutated(rng)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers (%(default)s)")
    parser.add_argument(
        "--keep", type=Path, default=Path("fuzz").absolute(), help="where faulty cases are kept (%(default)s)"
    )
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        kinds = prepare(folder)
        for name in ("npz", "table"):
            (folder / name).mkdir()
        seen = {name: Counter(dict.fromkeys(SEEN, 0)) for name in kinds}
        for number, name, data in cases(options.seed, kinds):
            faults, said = play(kinds[name], folder / kinds[name].filename, data, seen[name])
            if faults:
                options.keep.mkdir(exist_ok=True)
                (options.keep / f"{options.seed}-{number}-{name}").write_bytes(data)
                print(f"{number}, {name}: {', '.join(faults)}\n{said[-3000:]}", file=sys.stderr, flush=True)
            if time.monotonic() > end:
                break
    print(f"{'':8}" + "".join(f"{name:>14}" for name in SEEN))
    for name, counts in seen.items():
        print(f"{name:8}" + "".join(f"{counts[each]:>14}" for each in SEEN))


if __name__ == "__main__":
    main()
