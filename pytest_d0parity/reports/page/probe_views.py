"""The probes of a log, beside those of the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...evidence.artifacts import PROBES
from .drawing.pictures import Picture, difference_pictures, picture_side, probe_pictures, to_plane
from .shown_log import ShownLog

_NOT_KEPT = f"{PROBES} does not hold it."


@dataclass(frozen=True)
class ProbeView:
    """A distinct probe, the datasets that share it, and the reference's probe of the same datasets."""

    names: Sequence[str]
    run: Sequence[Picture]
    reference: Sequence[Picture]
    difference: Sequence[Picture]
    remark: str


def probe_views(run: ShownLog, reference: ShownLog | None) -> list[ProbeView]:
    """Return each distinct probe, with the reference's and their difference."""
    shared: dict[tuple[str | None, str | None], list[str]] = {}
    for name, dataset in run.datasets.items():
        other = reference.datasets.get(name) if reference else None
        if "probe.l2_norm" in dataset.values:
            shared.setdefault((dataset.probe, other.probe if other else None), []).append(name)
    side = picture_side(sum(2 if theirs in (None, ours) else 6 for ours, theirs in shared))
    return [_view(run, reference, names, *pair, side) for pair, names in shared.items()]


def _view(
    run: ShownLog, reference: ShownLog | None, names: Sequence[str], ours: str | None, theirs: str | None, side: int
) -> ProbeView:
    probe = run.probes.arrays.get(ours or "")
    if probe is None or (shown := to_plane(probe)) is None:
        return ProbeView(names, (), (), (), _why_no_picture("it", run, probe))
    plane, remark = shown
    pictures = probe_pictures(plane, side)
    if reference is None:
        return ProbeView(names, pictures, (), (), remark)
    if ours == theirs:
        same = "The reference's has the same CRC-32 and length."
        return ProbeView(names, pictures, (), (), f"{remark} {same}".strip())
    trusted = reference.probes.arrays.get(theirs or "")
    if trusted is None or (other := to_plane(trusted)) is None:
        why = _why_no_picture("the reference's", reference, trusted)
        return ProbeView(names, pictures, (), (), f"{remark} {why}".strip())
    before, its = other
    remark = f"{remark} {f'Of the reference: {its}' if its else ''}".strip()
    if trusted.shape != probe.shape:
        shapes = f"{'x'.join(map(str, trusted.shape))}, and {'x'.join(map(str, probe.shape))} here"
        remark = f"{remark} The reference's has another shape: {shapes}.".strip()
        return ProbeView(names, pictures, probe_pictures(before, side), (), remark)
    if probe.ndim > 2 and not np.array_equal(probe, trusted, equal_nan=True) and np.array_equal(plane, before):
        remark += " It differs from the reference's in modes that are not shown."
    top = max(float(np.abs(plane).max()), float(np.abs(before).max()))
    return ProbeView(
        names,
        probe_pictures(plane, side, top),
        probe_pictures(before, side, top),
        difference_pictures(plane, before, side),
        remark,
    )


def _why_no_picture(whose: str, log: ShownLog, probe: NDArray[Any] | None) -> str:
    why = "It is empty." if probe is not None else log.probes.remark or _NOT_KEPT
    return f"There is no picture of {whose}. {why}"
