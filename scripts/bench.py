#!/usr/bin/env python3
"""Time and memory of logging a sweep, beside the obvious way, in one run.

The sweeps are simulated once and kept in a cache folder. Each way runs as a process of its own, in
turn; what is printed are medians, and ratios within this run.
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
import glob, hashlib, sys
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
OURS = "import sys; from pytest_d0parity.cli import main; main(['log', '-q', '--dataset-root', *sys.argv[1:]])"
# Not ru_maxrss, which a process inherits from the one that started it.
PEAK = "\nimport re; print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"


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


def main() -> None:
    """Print a row for each size."""
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
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}; medians of {options.runs}, whole processes")
    print(f"{'frames':>8} {'diff3d':>9} {'ours':>9} {'obvious':>9} {'ratio':>6} {'ours':>9} {'obvious':>9}")
    for frames in map(int, options.frames.split(",")):
        doses = options.doses.split(",")
        folder = prepare(options.cache, doses, frames)
        ours, obvious = [], []
        for _ in range(options.runs):
            ours.append(run(OURS, str(folder), "--output", str(folder / "out")))
            obvious.append(run(OBVIOUS, str(folder)))
        (our_time, our_memory), (time_, memory) = (
            tuple(statistics.median(values) for values in zip(*runs, strict=True)) for runs in (ours, obvious)
        )
        size = len(doses) * frames * 64 * 64 * 4 / 1e6
        print(
            f"{frames:>8} {size:>6.0f} MB {our_time:>7.2f} s {time_:>7.2f} s {time_ / our_time:>5.1f}x"
            f" {our_memory:>5.0f} MiB {memory:>5.0f} MiB"
        )


if __name__ == "__main__":
    main()
