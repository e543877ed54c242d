"""Patterns and files of any layout, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def write(path: Path, **arrays: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)


def counts(photons: float = 1e4, n: int = 40, seed: int = 0) -> np.ndarray:
    """Poisson counts of a bright spot: (n, 16, 16) int64, of so many photons per pattern."""
    y, x = np.mgrid[-1:1:16j, -1:1:16j]
    spot = np.exp(-4 * (x**2 + y**2))
    return np.random.default_rng(seed).poisson(photons * spot / spot.sum(), (n, 16, 16))


def amplitudes(photons: float = 1e4, n: int = 40, seed: int = 0) -> np.ndarray:
    return np.sqrt(counts(photons, n, seed) / photons).astype(np.float32)
