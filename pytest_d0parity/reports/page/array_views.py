"""The probes and small objects of a log, beside those of the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...evidence.artifacts import PICTURES
from ...evidence.pictures import name_of
from .alignment import align
from .drawing.pictures import Picture, difference_pictures, magnitude_picture, picture_side, probe_pictures, to_plane
from .shown_log import ShownDataset, ShownLog

_NOT_KEPT = f"{PICTURES} does not hold it."
_MOST = 24  # distinct arrays that are shown


@dataclass(frozen=True)
class ArrayView:
    """A distinct probe or object, the datasets that share it, and the reference's of the same datasets.

    Attributes
    ----------
    aligned : sequence of Picture
        What differs from the reference's once both lie upon each other.
    remark : str
        In sentences.
    """

    names: Sequence[str]
    run: Sequence[Picture] = ()
    reference: Sequence[Picture] = ()
    difference: Sequence[Picture] = ()
    aligned: Sequence[Picture] = ()
    remark: str = ""


def array_views(run: ShownLog, reference: ShownLog | None, role: str) -> list[ArrayView]:
    """Return each distinct array of a role, with the reference's and their difference; of many the first ones."""
    shared: dict[tuple[str | None, str | None], list[str]] = {}
    for name, dataset in run.datasets.items():
        other = reference.datasets.get(name) if reference else None
        ours = name_of(dataset.record, role)
        if "probe.l2_norm" in dataset.values if role == "probeGuess" else ours in run.pictures.arrays:
            shared.setdefault((ours, name_of(other.record, role) if other else None), []).append(name)
    pairs = [*shared.items()][:_MOST]
    side = picture_side(sum(2 if theirs in (None, ours) else 7 for (ours, theirs), _ in pairs))
    return [_view(run, reference, names, *pair, side) for pair, names in pairs]


def _view(
    run: ShownLog, reference: ShownLog | None, names: Sequence[str], ours: str | None, theirs: str | None, side: int
) -> ArrayView:
    array = run.pictures.arrays.get(ours or "")
    powers = _powers(run.datasets[names[0]])
    if array is None or (shown := to_plane(array)) is None:
        return ArrayView(names, remark=_joined(_why_no_picture("it", run, array), powers))
    plane, remark = shown
    pictures = probe_pictures(plane, side)
    if reference is None:
        return ArrayView(names, pictures, remark=_joined(remark, powers))
    if ours == theirs:
        same = "The reference's has the same CRC-32 and length."
        return ArrayView(names, pictures, remark=_joined(remark, powers, same))
    trusted = reference.pictures.arrays.get(theirs or "")
    if trusted is None or (other := to_plane(trusted)) is None:
        why = _why_no_picture("the reference's", reference, trusted)
        return ArrayView(names, pictures, remark=_joined(remark, powers, why))
    before, its = other
    their_powers = _powers(reference.datasets[names[0]])
    remark = _joined(remark, powers, f"Of the reference: {its}" if its else "")
    if their_powers != powers:
        remark = _joined(remark, f"Of the reference: {their_powers or 'one mode.'}")
    if trusted.shape != array.shape:
        shapes = f"{'x'.join(map(str, trusted.shape))}, and {'x'.join(map(str, array.shape))} here"
        remark = _joined(remark, f"The reference's has another shape: {shapes}.")
        return ArrayView(names, pictures, probe_pictures(before, side), remark=remark)
    if array.ndim > 2 and not np.array_equal(array, trusted, equal_nan=True) and np.array_equal(plane, before):
        remark = _joined(remark, "It differs from the reference's in modes that are not shown.")
    top = max(float(np.abs(plane).max()), float(np.abs(before).max()))
    aligned = align(plane, before)
    return ArrayView(
        names,
        probe_pictures(plane, side, top),
        probe_pictures(before, side, top),
        difference_pictures(plane, before, side),
        () if aligned is None else (magnitude_picture("what is left", aligned.difference, side),),
        _joined(remark, aligned.sentence if aligned else ""),
    )


def _powers(dataset: ShownDataset) -> str:
    """Return how the power of a probe is shared out among its modes, in a sentence; empty where there is one mode."""
    powers = dataset.record.probe.power_per_mode if dataset.record.probe else None
    if not powers or len(powers) < 2:
        return ""
    total = sum(powers) or 1.0
    return f"Power per mode: {', '.join(f'{power:.4g} ({100 * power / total:.3g} %)' for power in powers)}."


def _joined(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


def _why_no_picture(whose: str, log: ShownLog, array: NDArray[Any] | None) -> str:
    why = "It is empty." if array is not None else log.pictures.remark or _NOT_KEPT
    return f"There is no picture of {whose}. {why}"
