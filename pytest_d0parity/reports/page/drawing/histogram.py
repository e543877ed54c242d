"""Histograms as SVG paths, small enough for hundreds of them on a page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ....statistics.records import Histogram, Photons

_WIDTH, _HEIGHT = 240.0, 100.0
_BAR = 0.9  # width of a bar, as a share of its slot


@dataclass(frozen=True)
class Bars:
    """A histogram as the path of an SVG, 240 by 100, and the outline of the reference's."""

    run: str
    reference: str
    decades: Sequence[tuple[float, str]]
    ticks: Sequence[tuple[float, str, str]]
    label: str
    alt: str


def draw_bars(raw: Histogram, other: Histogram | None, count: int | None, photons: Photons | None) -> Bars:
    """Draw a histogram with one slot for each bin, and a height by the logarithm of the count.

    Parameters
    ----------
    raw, other : Histogram
        Of the run, and of the reference where it has one.
    count : int or None
        How many values there are, of which the histogram may count a part.
    photons : Photons or None
        Those of the run: where they are counted, places are labelled by the photons in a pixel.
    """
    edges = sorted({*raw.edges, *(other.edges if other else ())})
    places = {edge: number * _WIDTH / (len(edges) - 1) for number, edge in enumerate(edges)}
    top = math.log10(max(*raw.counts, *(other.counts if other else ()), 1)) + 1
    decades = range(0, math.ceil(top), max(1, math.ceil(top / 4)))
    total = sum(raw.counts)
    alt = (
        f"Histogram of {total:,} of {count:,} values"
        if count is not None and count != total
        else f"Histogram of {total:,} values"
    )
    most = max(range(len(raw.counts)), key=raw.counts.__getitem__)
    alt += f", from {raw.edges[0]:.3g} to {raw.edges[-1]:.3g}, most between {raw.edges[most]:.3g} and "
    alt += f"{raw.edges[most + 1]:.3g}"
    middle = edges[len(edges) // 2]
    quantum = photons.quantum if photons is not None and photons.quantized is True else None

    def spelled(edge: float) -> str:
        if not quantum or not isinstance(quantum, float):
            return f"{edge:.3g}"
        return f"{(edge * edge if photons and photons.domain == 'amplitude' else edge) / quantum:.3g}"

    return Bars(
        run="".join(_bar_paths(raw, places, top)),
        reference=_outline(other, places, top) if other else "",
        decades=[(_HEIGHT - _height(10**power, top), f"1e{power}" if power else "1") for power in decades],
        ticks=[
            (0.0, spelled(edges[0]), "start"),
            *([(places[middle], spelled(middle), "middle")] if len(edges) > 2 else []),
            (_WIDTH, spelled(edges[-1]), "end"),
        ],
        label="photons in a pixel" if quantum else "value of diff3d, as stored",
        alt=alt,
    )


def _height(count: float, top: float) -> float:
    return (math.log10(count) + 1) / top * _HEIGHT * _BAR if count else 0.0


def _bar_paths(histogram: Histogram, places: Mapping[float, float], top: float) -> Iterator[str]:
    for low, high, count in zip(histogram.edges, histogram.edges[1:], histogram.counts, strict=False):
        if count:
            left, right, height = places[low], places[high], _height(count, top)
            yield f"M{left:.1f} 100v{-height:.1f}H{right:.1f}V100z"


def _outline(histogram: Histogram, places: Mapping[float, float], top: float) -> str:
    path = [f"M{places[histogram.edges[0]]:.1f} 100"]
    for high, count in zip(histogram.edges[1:], histogram.counts, strict=True):
        path.append(f"V{_HEIGHT - _height(count, top):.1f}H{places[high]:.1f}")
    return "".join([*path, "V100"])
