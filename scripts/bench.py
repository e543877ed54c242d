#!/usr/bin/env python3
"""Time and memory of logging a sweep, beside the obvious way and beside what no way can beat, in one run.

The sweeps are simulated once and kept in a cache folder. Each way runs as a process of its own, in turn
with the others; what is printed are medians, and ratios within this run. From both sides of a ratio to the
limit, and to hashing, the time is taken off that Python takes to start and to import.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from pytest_d0parity.simulator import simulate_sweep
from pytest_d0parity.simulator.layouts import DEFAULT_LAYOUT, LAYOUTS

# What the README calls the obvious way: load everything, ask NumPy for each number.
OBVIOUS = """
import glob, hashlib
import numpy as np
for path in glob.glob(sys.argv[1] + "/data_p*.npz"):
    hashlib.sha256(open(path, "rb").read()).hexdigest()
    arrays = np.load(path)
    raw = arrays["diff3d"]
    for stage in (raw, raw / (raw.max() + 1e-12)):
        [stage.min(), stage.max(), stage.mean(dtype=float), stage.std(dtype=float), np.median(stage)]
        [np.percentile(stage, percent) for percent in (1, 10, 90, 99)], np.count_nonzero(stage)
    means = raw.reshape(len(raw), -1).mean(axis=1, dtype=float)
    [means[arrays["scan_index"] == scan].mean() for scan in np.unique(arrays["scan_index"])]
    for part in (np.abs(arrays["probeGuess"]), np.angle(arrays["probeGuess"])):
        [part.min(), part.max(), part.mean(), part.std(), np.percentile(part, [1, 5, 50, 95, 99])]
"""
# What any way has to do: hash every byte, inflate diff3d, and touch each of its values once.
LIMIT = """
import glob, hashlib, struct, zipfile
import numpy as np
from isal import igzip_lib
for path in glob.glob(sys.argv[1] + "/data_p*.npz"):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
        info = zipfile.ZipFile(file).getinfo("diff3d.npy")
        file.seek(info.header_offset)
        name, extra = struct.unpack("<26xHH", file.read(30))
        file.seek(info.header_offset + 30 + name + extra)
        inflater, left, rest = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_DEFLATE), info.compress_size, b""
        while not inflater.eof:
            data = b""
            if inflater.needs_input:
                data = file.read(min(1 << 20, left))
                left -= len(data)
            values = rest + inflater.decompress(data, 1 << 18)
            whole = len(values) // 4
            np.add.reduce(np.frombuffer(values, "<f4", whole), dtype=float)
            rest = values[4 * whole :]
"""
HASHING = """
import glob, hashlib
for path in glob.glob(sys.argv[1] + "/data_p*.npz"):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
"""
OURS = """
from pytest_d0parity.__main__ import run
sys.argv[1:] = ["log", "-q", "--dataset-root", sys.argv[1], "--output", sys.argv[2], *sys.argv[3:]]
run()
"""
WITHOUT_PAGE = (
    """
from pytest_d0parity.handover import publish
publish._shown = lambda *_: ()
"""
    + OURS
)
PYTEST = """
import pytest
pytest.main(["-q", "-p", "no:cacheprovider", "--parity-scenario=BENCH", "--parity-dataset-root", sys.argv[1],
             "--parity-output", sys.argv[2], *sys.argv[3:], sys.argv[2]])
"""
EMPTY = """
import pytest
pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[3:], sys.argv[2]])
"""
# Without the other plugins that are installed here.
ALONE = """
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
sys.argv[3:3] = ["-p", "pytest_d0parity.plugin", "-p", "xdist"]
"""
# Of this process, and of the largest of those that it started. Not its own ru_maxrss, which is inherited.
PEAK = """
import re, resource
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
IMPORTS = {
    "ours": "import pytest_d0parity.capture.run, pytest_d0parity.reports.writer, pytest_d0parity.reports.page.render",
    "limit": "import glob, hashlib, struct, zipfile, numpy, isal.igzip_lib",
    "hashing": "import glob, hashlib",
}
DOSES = "1e3,1e4,1e5,1e6,1e7,1e8,1e9"
FRAMES = 5000
TINY = 4  # frames
COUNTS = "counts"


Name = TypeVar("Name", str, tuple[str, str])


class Way(NamedTuple):
    """A way to do it: its code, on how many cores, and further options."""

    code: str
    cores: int
    options: tuple[str, ...] = ()


class Cost(NamedTuple):
    """What a process took: seconds, and MiB of the largest process."""

    seconds: float
    peak: float


def run(way: Way, *arguments: str) -> Cost:
    """Run a whole process."""
    cores = sorted(os.sched_getaffinity(0))[: way.cores]
    code = f"import os, sys\nos.sched_setaffinity(0, {set(cores)})\n{way.code}{PEAK}"
    start = time.perf_counter()
    command = [sys.executable, "-c", code, *arguments, *way.options]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Cost(time.perf_counter() - start, max(map(int, done.stdout.split()[-2:])) / 1024)


def in_turn(ways: dict[Name, Way], runs: int, *arguments: str) -> dict[Name, Cost]:
    """Median costs of each way, run in turn."""
    found: dict[Name, list[Cost]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            found[name].append(run(way, *arguments))
    return {name: Cost(*map(statistics.median, zip(*costs, strict=True))) for name, costs in found.items()}


def received(folder: Path, runs: int) -> dict[str, float]:
    """Median seconds that the receiver of a sweep waits, by each way to check it, in turn."""
    log = folder / "out" / "dose_parity_log.json"
    ours = [sys.executable, "-m", "pytest_d0parity", "verify", str(log), "--dataset-root", ".", "-q", "--output", "got"]
    ways = {
        "sha256sum -c": ["sha256sum", "-c", "--quiet", "out/SHA256SUMS"],
        "verify": ours,
        "verify --measure": [*ours, "--measure"],
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, command in ways.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, cwd=folder)
            found[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds) for name, seconds in found.items()}


def prepare(cache: Path, doses: list[str], frames: int, layout: str = DEFAULT_LAYOUT) -> Path:
    """Simulate a sweep, unless it is there already."""
    folder = cache / f"{layout}-{'-'.join(doses)}-{frames}"
    if not (folder / "done").exists():
        folder.mkdir(parents=True, exist_ok=True)
        simulate = partial(simulate_sweep, str(folder), frames=frames, layout=layout)
        # The number of a dose among the others is part of some names.
        one_by_one = "{number}" in LAYOUTS[layout].file
        with ProcessPoolExecutor() as pool:
            list(pool.map(simulate, [doses] if one_by_one else [[dose] for dose in doses]))
        (folder / "done").touch()
    return folder


def prepare_processed(cache: Path, doses: list[str], frames: int) -> Path:
    """Make a sweep as processing leaves it: each frame has a gain of its own, so that hardly any value occurs twice."""
    counted = prepare(cache, doses, frames)
    folder = counted.with_name(f"processed-{counted.name}")
    if not (folder / "done").exists():
        folder.mkdir(parents=True, exist_ok=True)
        with ProcessPoolExecutor() as pool:
            list(pool.map(partial(process, folder), sorted(counted.glob("data_p*.npz"))))
        (folder / "done").touch()
    return folder


def process(folder: Path, path: Path) -> None:
    """Give each frame of a file a gain of its own."""
    with np.load(path) as arrays:
        changed = dict(arrays)
    gains = 1 + 0.1 * np.random.default_rng(0).random((len(changed["diff3d"]), 1, 1), np.float32)
    changed["diff3d"] *= gains
    np.savez_compressed(folder / path.name, **changed)


def prepare_tiny(cache: Path, datasets: int) -> Path:
    """Make many small files, no two of which are alike."""
    folder = cache / f"tiny-{datasets}"
    if not (folder / "done").exists():
        folder.mkdir(parents=True, exist_ok=True)
        simulate_sweep(str(folder), [f"{1000 + number}" for number in range(datasets)], TINY)
        (folder / "done").touch()
    return folder


def layouts(cache: Path, doses: list[str], frames: int, runs: int, start: float) -> list[list[str]]:
    """Rows of a table: what a frame costs in each layout, on one core, beside one of the first layout."""
    rows = [["layout", "axes", "dtype", "1,000 frames", "to the first", "peak", "to the first"]]
    folders = {name: prepare(cache, doses, frames, name) for name in LAYOUTS}
    thousands = {name: len(doses) * sum(kept.frames_per_file(frames)) / 1000 for name, kept in LAYOUTS.items()}
    found: dict[str, list[Cost]] = {name: [] for name in LAYOUTS}
    for _ in range(runs):
        for name, folder in folders.items():
            where = () if LAYOUTS[name].names_tell_doses else ("--datasets", "**/*.npz")
            way = Way(OURS, 1, ("--no-cache", *where))
            cost = run(way, str(folder), str(folder / "out"))
            found[name].append(Cost((cost.seconds - start) / thousands[name], cost.peak))
    costs = {name: Cost(*map(statistics.median, zip(*each, strict=True))) for name, each in found.items()}
    first = costs[DEFAULT_LAYOUT]
    for name, cost in costs.items():
        kept = LAYOUTS[name]
        row = [name, kept.axes, kept.dtype, f"{1000 * cost.seconds:.1f} ms", f"{cost.seconds / first.seconds:.2f}x"]
        rows.append([*row, f"{cost.peak:,.0f} MiB", f"{cost.peak / first.peak:.2f}x"])
    return rows


def faces(folder: Path, runs: int) -> list[list[str]]:
    """Rows of a table: what the page costs, and the checks of pytest, on all cores."""
    cores = len(os.sched_getaffinity(0))
    others = len(entry_points(group="pytest11")) - 1
    new, known, two = ("--parity-no-cache",), (), ("-n", "2")
    pytests = {"`pytest`": ALONE, f"`pytest` beside {others} other plugins": ""}
    ways = {
        ("`log`", "new"): Way(OURS, cores, ("--no-cache",)),
        ("`log`", "known"): Way(OURS, cores),
        ("`log` without a page", "new"): Way(WITHOUT_PAGE, cores, ("--no-cache",)),
        ("`log` without a page", "known"): Way(WITHOUT_PAGE, cores),
    }
    for name, start in pytests.items():
        ways[name, "new"], ways[name, "known"] = Way(start + PYTEST, cores, new), Way(start + PYTEST, cores, known)
        ways[name, "new, `-n 2`"] = Way(start + PYTEST, cores, (*new, *two))
        ways[name, "no tests"] = Way(start + EMPTY, cores)
        ways[name, "no tests, `-n 2`"] = Way(start + EMPTY, cores, two)
    run(ways["`log`", "known"], str(folder), str(folder / "out"))  # from now on it is known
    cost = in_turn(ways, runs, str(folder), str(folder / "out"))
    columns = list(dict.fromkeys(column for _, column in ways))
    rows = [["", *columns]]
    for name in dict.fromkeys(name for name, _ in ways):
        of = {column: f"{cost[name, column].seconds:.2f} s" for column in columns if (name, column) in cost}
        rows.append([name, *(of.get(column, "") for column in columns)])
    return rows


def table(*rows: list[str]) -> None:
    """Print rows as Markdown; the first one is the head."""
    head, *body = rows
    for row in (head, ["---:"] * len(head), *body):
        print(f"| {' | '.join(row)} |")
    print()


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--cache", type=Path, default=Path.home() / ".cache" / "d0parity-bench", help="where sweeps are kept"
    )
    parser.add_argument("--doses", default=DOSES, help="doses, separated by commas (%(default)s)")
    parser.add_argument("--frames", type=int, default=FRAMES, help="frames of each dose at size 1 (%(default)s)")
    parser.add_argument("--sizes", default="1,4,16", help="how many times as many frames (%(default)s)")
    parser.add_argument(
        "--obvious", default="1,4", help="the sizes at which the obvious way runs as well (%(default)s)"
    )
    parser.add_argument("--tiny", type=int, default=2000, help="number of small datasets (%(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each (%(default)s)")
    options = parser.parse_args()
    doses, everything = options.doses.split(","), len(os.sched_getaffinity(0))
    memory = options.cache / "measurements"
    shutil.rmtree(memory, ignore_errors=True)
    os.environ["XDG_CACHE_HOME"] = str(memory)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # with it, each process would compile everything anew
    start = in_turn({name: Way(code, 1) for name, code in IMPORTS.items()}, options.runs)
    print(f"{everything} cores; Python {sys.version.split()[0]}; medians of {options.runs}, whole processes, in turn.")
    print("Start-up: " + ", ".join(f"{name} {cost.seconds:.2f} s" for name, cost in start.items()) + ".\n")

    several = {f"{cores} cores": cores for cores in sorted({2, everything}) if 1 < cores <= everything}
    times = [["sweep", "`diff3d`", "limit", "1 core", "to the limit"]]
    times[0] += [text for name in several for text in (name, "to 1 core")]
    times[0] += ["obvious", *(f"to {name}" for name in ("1 core", *several)), "known", "hashing", "to hashing"]
    peaks = [["sweep", "1 core", *several, "known", "obvious", "limit"]]
    checks = [["sweep", "files", "`sha256sum -c`", "`verify`", "`verify --measure`", "`verify` to `sha256sum -c`"]]
    sweeps = [
        (COUNTS if size == "1" else f"{COUNTS}, {size}x", int(size), prepare) for size in options.sizes.split(",")
    ]
    for label, size, make in (*sweeps, ("processed", 1, prepare_processed)):
        folder = make(options.cache, doses, size * options.frames)
        ways = {
            "limit": Way(LIMIT, 1),
            "1 core": Way(OURS, 1, ("--no-cache",)),
            **{name: Way(OURS, cores, ("--no-cache",)) for name, cores in several.items()},
            "known": Way(OURS, everything),
            "hashing": Way(HASHING, 1),
        }
        if make is prepare and str(size) in options.obvious.split(","):
            ways["obvious"] = Way(OBVIOUS, 1)
        run(ways["known"], str(folder), str(folder / "out"))  # from now on it is known
        check = received(folder, options.runs)
        files = sum(path.stat().st_size for path in folder.glob("*.npz"))
        checks.append([label, f"{files / 1e6:,.0f} MB", *(f"{check[name]:.2f} s" for name in check)])
        checks[-1].append(f"{check['verify'] / check['sha256sum -c']:.2f}x")
        cost = in_turn(ways, options.runs, str(folder), str(folder / "out"))

        def net(name: str, started: str, cost: dict[str, Cost] = cost) -> float:
            return cost[name].seconds - start[started].seconds

        def slower(name: str, than: str, cost: dict[str, Cost] = cost) -> str:
            return f"{cost[name].seconds / cost[than].seconds:.2f}x" if name in cost else ""

        def seconds(name: str, cost: dict[str, Cost] = cost) -> str:
            return f"{cost[name].seconds:.2f} s" if name in cost else ""

        times.append(
            [
                label,
                f"{len(doses) * size * options.frames * 64 * 64 * 4 / 1e6:,.0f} MB",
                seconds("limit"),
                seconds("1 core"),
                f"{net('1 core', 'ours') / net('limit', 'limit'):.2f}x",
                *(text for name in several for text in (seconds(name), slower("1 core", name))),
                seconds("obvious"),
                *(slower("obvious", name) for name in ("1 core", *several)),
                seconds("known"),
                seconds("hashing"),
                f"{net('known', 'ours') / net('hashing', 'hashing'):.2f}x",
            ]
        )
        peaks.append([label, *(f"{cost[name].peak:,.0f} MiB" if name in cost else "" for name in peaks[0][1:])])
    table(*times)
    print("Peak memory of the largest process:\n")
    table(*peaks)
    print("Checking a copy, on all cores:\n")
    table(*checks)

    print("The page, and the checks of pytest, on all cores:\n")
    table(*faces(prepare(options.cache, doses, options.frames), options.runs))

    print(f"Layouts, {options.frames:,} frames of each dose:\n")
    table(*layouts(options.cache, doses, options.frames, options.runs, start["ours"].seconds))

    folder = prepare_tiny(options.cache, options.tiny)
    ways = {name: Way(OURS, cores, ("--no-cache",)) for name, cores in {"1 core": 1, **several}.items()}
    cost = in_turn(ways | {"known": Way(OURS, everything)}, options.runs, str(folder), str(folder / "out"))
    print(f"{options.tiny:,} datasets of {TINY} frames, for each of them:\n")
    each = [f"{1000 * (cost[name].seconds - start['ours'].seconds) / options.tiny:.2f} ms" for name in cost]
    table(list(cost), each)
    checks_of_tiny = in_turn(
        {"new": Way(ALONE + PYTEST, everything, ("--parity-no-cache",)), "known": Way(ALONE + PYTEST, everything)},
        1,
        str(folder),
        str(folder / "out"),
    )
    print("And their checks by `pytest`, the whole session, once:\n")
    table(list(checks_of_tiny), [f"{each.seconds:.1f} s" for each in checks_of_tiny.values()])


if __name__ == "__main__":
    main()
