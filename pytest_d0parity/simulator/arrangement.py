"""Arranges what was measured as a layout keeps it: units, axes, groups of neighbours, metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .layouts import Layout
from .params import LEGACY_PHOTONS
from .physics import Exposure, N

_SIGMAS = 10  # by which a count may exceed the expected one


def convert_counts(
    counts: Iterable[NDArray[np.int64]], exposure: Exposure, layout: Layout
) -> Iterator[NDArray[np.float32] | NDArray[np.unsignedinteger[Any]]]:
    """Yield patterns in the domain and the data type of a layout."""
    dtype = pattern_dtype(exposure, layout)
    for part in counts:
        if layout.domain == "amplitude":
            yield (np.sqrt(part) / np.sqrt(exposure.photons)).astype(dtype)
        else:
            yield (part * layout.gain).astype(dtype)


def pattern_dtype(exposure: Exposure, layout: Layout) -> np.dtype[Any]:
    """Return the data type of patterns: that of the layout, or a wider one where its integers are too small."""
    dtype = np.dtype(layout.dtype)
    if dtype.kind == "f":
        return dtype
    largest = exposure.brightest + _SIGMAS * (np.sqrt(exposure.brightest) + 1)
    return np.result_type(dtype, np.min_scalar_type(int(largest)))


def pattern_shape(frames: int, layout: Layout) -> tuple[int, ...]:
    """Return the shape of an array of patterns."""
    shapes = {
        "nhw": (frames, N, N),
        "hwn": (N, N, frames),
        "1nhw": (1, frames, N, N),
        "bhwc": (frames // layout.channels, N, N, layout.channels),
    }
    return shapes[layout.axes]


def arrange_patterns(parts: Iterable[NDArray[Any]], layout: Layout, dtype: np.dtype[Any]) -> Iterable[NDArray[Any]]:
    """Return chunks of shape (m, 64, 64) in the axes of a layout. Frames at the end are held in memory, all of them."""
    if layout.axes == "hwn":
        frames = np.concatenate([np.empty((0, N, N), dtype), *parts])
        return [np.ascontiguousarray(np.moveaxis(frames, 0, -1))]
    if layout.axes == "bhwc":
        return (_as_channels(part, layout.channels) for part in parts)
    return parts


def _as_channels(frames: NDArray[Any], channels: int) -> NDArray[Any]:
    """Make groups of successive frames: (m, 64, 64) to (m / c, 64, 64, c)."""
    return np.ascontiguousarray(np.moveaxis(frames.reshape(-1, channels, N, N), 1, -1))


def group_neighbours(corners: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Return positions of shape (n, 2) in another order: each `size` of them that follow each other are neighbours."""
    if size == 1:
        return corners
    left = np.arange(len(corners))
    order: list[int] = []
    while len(left):
        squared = np.sum((corners[left] - corners[left[0]]) ** 2, axis=1)
        nearest = np.argsort(squared, kind="stable")[:size]
        order.extend(left[nearest])
        left = np.delete(left, nearest)
    return corners[order]


def metadata_text(photons: float, layout: Layout) -> str:
    """Return the JSON text that tells the dose of a file, given in photons per pattern."""
    told: dict[str, Any] = {"schema_version": "1.0.0"}
    if layout.metadata == "target_mean_count":
        # The programs that write counts leave nphotons as it was in their configuration, whatever the dose is.
        told["physics_parameters"] = {"N": N, "nphotons": LEGACY_PHOTONS}
        told["measurement_domain"] = "count_intensity"
        told["probe_calibration"] = {"target_mean_count": photons / N**2}
    else:
        told["physics_parameters"] = {"N": N, "nphotons": photons}
    return json.dumps(told)
