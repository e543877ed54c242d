#!/usr/bin/env python3
"""Time and memory of logging a sweep, beside the obvious way and beside what no way can beat, in one run.

The sweeps are simulated once and kept in a cache folder. Each way runs as a process of its own, in turn
with the others, pinned to one core; what is printed are medians, and ratios within this run.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from pytest_d0parity.simulator import simulate_sweep

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
OURS = """
from pytest_d0parity.cli import main
main(["log", "-q", "--dataset-root", sys.argv[1], "--output", sys.argv[2]])
"""
PINNED = "import os, sys\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
# Not ru_maxrss, which a process inherits from the one that started it.
PEAK = "\nimport re; print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
WAYS = {"ours": PINNED + OURS, "obvious": PINNED + OBVIOUS, "limit": PINNED + LIMIT}


def run(code: str, *arguments: str) -> tuple[float, float]:
    """Seconds and MiB of a whole process."""
    start = time.perf_counter()
    command = [sys.executable, "-c", code + PEAK, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own code
    return time.perf_counter() - start, int(done.stdout) / 1024


def prepare(cache: Path, doses: list[str], frames: int) -> Path:
    """Simulate a sweep, unless it is there already."""
    folder = cache / f"{'-'.join(doses)}-{frames}"
    if not (folder / "done").exists():
        folder.mkdir(parents=True, exist_ok=True)
        simulate_sweep(str(folder), doses, frames)
        (folder / "done").touch()
    return folder


def measure(folder: Path, runs: int) -> dict[str, tuple[float, float]]:
    """Median seconds and MiB of each way, run in turn."""
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for _ in range(runs):
        for way, code in WAYS.items():
            found[way].append(run(code, str(folder), str(folder / "out")))
    return {
        way: (statistics.median(seconds for seconds, _ in each), statistics.median(peak for _, peak in each))
        for way, each in found.items()
    }


def main() -> None:
    """Print a row for each sweep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--cache", type=Path, default=Path.home() / ".cache" / "d0parity-bench", help="where sweeps are kept"
    )
    parser.add_argument("--doses", default="1e5", help="doses, separated by commas (%(default)s)")
    parser.add_argument(
        "--frames", default="5000,64000", help="sizes, separated by commas; 64000 is 1 GB (%(default)s)"
    )
    parser.add_argument("--runs", type=int, default=3, help="runs of each (%(default)s)")
    options = parser.parse_args()
    doses = options.doses.split(",")
    start, start_of_limit = (
        statistics.median(run(PINNED + f"import {modules}")[0] for _ in range(options.runs))
        for modules in ("pytest_d0parity.capture", "glob, hashlib, struct, zipfile, numpy, isal.igzip_lib")
    )
    python = sys.version.split()[0]
    print(f"{os.cpu_count()} cores, one of them used; Python {python}; medians of {options.runs}, whole processes")
    print(f"Start-up, taken off both for the ratio to the limit: ours {start:.2f} s, limit {start_of_limit:.2f} s")
    print("| frames | `diff3d` | ours | obvious | ratio | limit | ratio | ours | obvious |")
    print("|" + " ---: |" * 9)
    for frames in map(int, options.frames.split(",")):
        ways = measure(prepare(options.cache, doses, frames), options.runs)
        (ours, peak), (obvious, obvious_peak), (limit, _) = ways["ours"], ways["obvious"], ways["limit"]
        cells = [
            f"{frames:,}",
            f"{len(doses) * frames * 64 * 64 * 4 / 1e6:,.0f} MB",
            f"{ours:.2f} s",
            f"{obvious:.2f} s",
            f"{obvious / ours:.1f}x",
            f"{limit:.2f} s",
            f"{(ours - start) / (limit - start_of_limit):.1f}x",
            f"{peak:,.0f} MiB",
            f"{obvious_peak:,.0f} MiB",
        ]
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
