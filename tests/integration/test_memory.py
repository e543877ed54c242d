"""Memory does not grow with the array; `scripts/bench.py` prints how much it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

# A process of its own, so that nothing else counts.
MEASURE = """
import re, sys
from pytest_d0parity.cli import main
code = main(["log", "--dataset-root", sys.argv[1], "--output", sys.argv[1] + "/out", "-q"])
assert code == 0
# Not ru_maxrss, which a child inherits from its parent.
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


def peak(root: Path) -> int:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, root], capture_output=True, text=True, check=True, timeout=120
    )
    return int(done.stdout)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_ten_times_the_data_takes_no_more_memory(tmp_path: Path, dtype: str, order: str) -> None:
    peaks = []
    for factor in (1, 10):
        root = tmp_path / str(factor)
        root.mkdir()
        rng = np.random.default_rng(0)
        stack = np.array(rng.random((200, 64, 64 * factor)), dtype=dtype, order=order)  # type: ignore[call-overload]
        np.savez(
            root / "data_p1e4.npz", diff3d=stack, probeGuess=np.ones((64, 64), complex), scan_index=np.zeros(200, int)
        )
        peaks.append(peak(root))
    larger = 200 * 64 * 64 * 9 * np.dtype(dtype).itemsize // 1024
    assert peaks[1] - peaks[0] < larger / 4, f"{peaks} KiB for {larger} KiB more of data"
