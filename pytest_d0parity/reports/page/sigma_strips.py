"""Differences in standard errors as a strip of points for each dataset."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...evidence.drift import Difference
from .compared_parts import dataset_of

REACH = 10.0  # standard errors to both sides; what lies farther stands at the end
_HALF = 150.0  # width of half a strip, in the unit of the SVG


@dataclass(frozen=True)
class Strip:
    """The values of one dataset that are judged in standard errors.

    Attributes
    ----------
    points : list of (float, bool)
        Place of each value from the left, and whether it drifts.
    drifted : list of (str, float)
        Names of the values that drift, and by how many standard errors; the farthest first.
    alt : str
        The strip in words.
    """

    dataset: str
    points: Sequence[tuple[float, bool]]
    drifted: Sequence[tuple[str, float]]
    alt: str


def sigma_strips(differences: Sequence[Difference], names: Mapping[str, object]) -> Iterator[Strip]:
    """Yield a strip for each dataset of which values are judged in standard errors.

    Parameters
    ----------
    names : mapping
        The datasets by name, in the order of the log.
    """
    by_dataset: dict[str, list[Difference]] = {}
    for each in differences:
        dataset = dataset_of(each.where, names)
        if each.sigma is not None and dataset is not None:
            by_dataset.setdefault(dataset, []).append(each)
    for name in names:
        if found := by_dataset.get(name):
            yield _strip(name, found)


def place(sigma: float) -> float:
    """Return where on a strip a difference stands, from the left."""
    return _HALF + max(-REACH, min(REACH, sigma)) / REACH * _HALF


def _strip(name: str, found: Sequence[Difference]) -> Strip:
    judged = [(each, each.sigma) for each in found if each.sigma is not None]
    drifted = [(each.where.rpartition(":")[2], sigma) for each, sigma in judged if each.verdict == "drift"]
    drifted.sort(key=lambda value: -abs(value[1]))
    finite = [abs(sigma) for _, sigma in judged if math.isfinite(sigma)]
    alt = f"{name}: {len(found)} values, at most {max(finite, default=0.0):.1f} standard errors from the reference"
    return Strip(
        dataset=name,
        points=[(place(sigma), each.verdict == "drift") for each, sigma in judged],
        drifted=drifted,
        alt=f"{alt}; {len(drifted)} drift" if drifted else alt,
    )
