"""How often limits in standard errors raise a false alarm, and which faults they see: on simulated redraws.

    python scripts/standard_errors.py [--frames 100,1000] [--doses 1e3,1e5,1e9] [--redraws 50] [--picture FILE.png]

    python scripts/standard_errors.py --halves FILE.npz [--splits 400]

Each comparison is one of two logs, at the level of statistics, with ``*:5sigma``. Without options a table of all doses
from 1e3 to 1e9 and 100, 1,000 and 5,000 frames takes some minutes. With ``--halves``, random halves of the frames of a
real file are compared with each other.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_d0parity import EvidenceLog, Scenario, capture_evidence
from pytest_d0parity.comparison.comparator import Comparator
from pytest_d0parity.comparison.difference import Comparison
from pytest_d0parity.comparison.values import values_of
from pytest_d0parity.evidence.file import LogFile
from pytest_d0parity.scenario.thresholds import parse_threshold

SIDE = 32
Counts = NDArray[Any]


def brightness(dose: float, frames: int, defocus: float = 0.3, positions: int = 0) -> NDArray[np.float64]:
    """Return intensities of far fields of an object that a probe illuminates at random places."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2 + 0.5
    probe = np.exp(-(x**2 + y**2) / 50) * np.exp(1j * defocus * (x**2 + y**2) / 8)
    specimen = (1 - 0.4 * (rng.random((128, 128)) < 0.2)) * np.exp(0.3j * rng.random((128, 128)))
    corners = np.random.default_rng(positions).integers(0, 128 - SIDE, (frames, 2))
    waves = np.stack([probe * specimen[b : b + SIDE, a : a + SIDE] for a, b in corners])
    far = np.abs(np.fft.fftshift(np.fft.fft2(waves), axes=(1, 2))) ** 2
    return np.asarray(far * (dose / far.sum(axis=(1, 2)).mean()))


def log_of(counts: Counts, dose: float, scale: float = 1.0) -> EvidenceLog:
    """Return the log of a dataset of square roots of counts."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"data_p{dose:.0e}.npz".replace("e+0", "e"))
        index, probe = np.zeros(len(counts), int), np.ones((4, 4), complex)
        diff3d = (np.sqrt(counts / dose) * scale).astype(np.float32)
        np.savez(path, diff3d=diff3d, scan_index=index, probeGuess=probe)
        return capture_evidence(Scenario(dataset_root=folder))


def compare(reference: EvidenceLog, log: EvidenceLog) -> Comparison:
    """Compare two logs within five standard errors."""
    file = LogFile("reference", "0" * 64, reference)
    return Comparator.of(file, [parse_threshold("*:5sigma")], "statistics").compare(values_of(log))


def _blank(counts: Counts) -> Counts:
    counts[[0, len(counts) // 2]] = 0
    return counts


def _hot(counts: Counts) -> Counts:
    counts[3, 4, 5] = 10 * counts.max()
    return counts


def faults(dose: float, frames: int) -> dict[str, Callable[[np.random.Generator], EvidenceLog]]:
    """Return datasets with a fault each, by what it is."""
    usual = brightness(dose, frames)
    return {
        "dose +3 %": lambda rng: log_of(rng.poisson(usual * 1.03), dose),
        "scale 1.02": lambda rng: log_of(rng.poisson(usual), dose, 1.02),
        "defocus 2 %": lambda rng: log_of(rng.poisson(brightness(dose, frames, 0.306)), dose),
        "2 blank frames": lambda rng: log_of(_blank(rng.poisson(usual)), dose),
        "hot pixel": lambda rng: log_of(_hot(rng.poisson(usual)), dose),
        "shifted by half": lambda rng: log_of(np.roll(rng.poisson(usual), SIDE // 2, axis=2), dose),
        "background 0.05": lambda rng: log_of(rng.poisson(usual + 0.05), dose),
    }


def row(dose: float, frames: int, redraws: int) -> tuple[int, int, dict[str, int]]:
    """Return how many redraws raised an alarm, of how many, and how often each fault was seen in ten runs."""
    rng = np.random.default_rng(1)
    usual = brightness(dose, frames)
    reference = log_of(rng.poisson(usual), dose)
    alarms = sum(compare(reference, log_of(rng.poisson(usual), dose)).verdict == "drift" for _ in range(redraws))
    seen = {
        name: sum(compare(reference, make(rng)).verdict == "drift" for _ in range(10))
        for name, make in faults(dose, frames).items()
    }
    return alarms, redraws, seen


def halves(path: str, splits: int) -> None:
    """Compare random halves of the frames of a file, and print which of them raise an alarm."""
    with np.load(path, allow_pickle=False) as file:
        diff3d = file["diff3d"]
    rng, half, alarms = np.random.default_rng(0), len(diff3d) // 2, 0
    with tempfile.TemporaryDirectory() as folder:
        for split in range(splits):
            order = rng.permutation(len(diff3d))
            logs = [_log_of_frames(diff3d[part], folder) for part in (order[:half], order[half : 2 * half])]
            drifted = compare(*logs).drifted
            if drifted:
                alarms += 1
                print(f"{path}, split {split}: {', '.join(each.where for each in drifted)}")
    print(f"{path}: {alarms} of {splits} halves raise an alarm", flush=True)


def _log_of_frames(diff3d: NDArray[Any], folder: str) -> EvidenceLog:
    np.savez(Path(folder, "half.npz"), diff3d=diff3d, scan_index=np.zeros(len(diff3d), int))
    return capture_evidence(Scenario(dataset_root=folder, limit_datasets=("half.npz",)))


def draw(path: str) -> None:
    """Draw what a limit in standard errors is: values with error bars beside those of a reference. Needs matplotlib."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rng = np.random.default_rng(1)
    usual = brightness(1e5, 500)
    reference = log_of(rng.poisson(usual), 1e5)
    runs = {
        "reference": reference,
        "photons\nredrawn": log_of(rng.poisson(usual), 1e5),
        "other\npositions": log_of(rng.poisson(brightness(1e5, 500, positions=1)), 1e5),
        "dose\n+1 %": log_of(rng.poisson(usual * 1.01), 1e5),
        "dose\n+3 %": log_of(rng.poisson(usual * 1.03), 1e5),
    }
    figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    raw = reference.datasets[0].stats.raw
    assert raw is not None  # noqa: S101
    u = reference.datasets[0].standard_errors["raw.mean"]
    band = 5 * 2**0.5 * u
    axes.axhspan(raw.mean - band, raw.mean + band, color="#0b63a5", alpha=0.12, label="5 sigma of the difference")
    for place, log in enumerate(runs.values()):
        stats = log.datasets[0].stats.raw
        assert stats is not None  # noqa: S101
        is_out = abs(stats.mean - raw.mean) > band
        colour = "#b3261e" if is_out else "#0b63a5"
        axes.errorbar(place, stats.mean, log.datasets[0].standard_errors["raw.mean"], fmt="o", color=colour, capsize=4)
    axes.axhline(raw.mean, color="#57606a", linewidth=0.8)
    axes.set_xticks(range(len(runs)), list(runs))
    axes.set_ylabel("raw.mean, one standard error")
    axes.legend(loc="upper left", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Print the table, or draw the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--doses", default="1e3,1e4,1e5,1e6,1e7,1e8,1e9")
    parser.add_argument("--frames", default="100,1000,5000")
    parser.add_argument("--redraws", type=int, default=50)
    parser.add_argument("--picture")
    parser.add_argument("--halves", nargs="+", metavar="FILE.npz")
    parser.add_argument("--splits", type=int, default=400)
    options = parser.parse_args()
    if options.picture:
        draw(options.picture)
        return
    for path in options.halves or ():
        halves(path, options.splits)
    if options.halves:
        return
    total = [0, 0]
    for frames in map(int, options.frames.split(",")):
        for dose in map(float, options.doses.split(",")):
            alarms, redraws, seen = row(dose, frames, options.redraws)
            total = [total[0] + alarms, total[1] + redraws]
            found = ", ".join(f"{name} {count}/10" for name, count in seen.items())
            print(f"{frames} frames, {dose:.0e}: {alarms} of {redraws} false alarms; seen: {found}", flush=True)
    print(f"{total[0]} of {total[1]} false alarms")


if __name__ == "__main__":
    main()
