"""How pixels moved within their frames, where the mean patterns of both sides are at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...evidence.drift import Finding
from ...statistics.frames.frame_pictures import FramePictures
from ..values import Values
from .patterns import MOVED

Frames = Mapping[str, FramePictures]  # by the SHA-256 of the dataset

_Move = Callable[[NDArray[Any]], NDArray[Any]]
_TURNS: dict[str, _Move] = {
    "": lambda pattern: pattern,
    "transposed": lambda pattern: pattern.T,
    "flipped top to bottom": lambda pattern: pattern[::-1],
    "flipped left to right": lambda pattern: pattern[:, ::-1],
    "turned by 180 degrees": lambda pattern: pattern[::-1, ::-1],
    "turned clockwise by 90 degrees": lambda pattern: np.rot90(pattern, -1),
    "turned counterclockwise by 90 degrees": lambda pattern: np.rot90(pattern),
    "transposed along the other diagonal": lambda pattern: pattern[::-1, ::-1].T,
}
_SHIFTS: dict[str, _Move] = {
    "": lambda pattern: pattern,
    "shifted by half a frame (fftshift)": np.fft.fftshift,
    "shifted back by half a frame (ifftshift)": np.fft.ifftshift,  # another one where a side is odd
    "shifted by half a frame in its rows alone": lambda pattern: np.fft.fftshift(pattern, 0),
    "shifted by half a frame in its columns alone": lambda pattern: np.fft.fftshift(pattern, 1),
}
_ASK = (
    "put the pictures.npz of each log beside it (that of reference.json as reference.pictures.npz): they tell how the "
    "pixels moved"
)
_SAME = 1e-6  # relative: both are means of the very same pixels, rounded to float32 and perhaps binned
_SAME_OF_LARGEST = 1e-7


def name_moves(
    findings: Sequence[Finding], reference: Values, observed: Values, trusted: Frames, here: Frames
) -> tuple[Finding, ...]:
    """Return the findings; those of moved pixels say which move it was, where the mean patterns show one alone.

    Parameters
    ----------
    reference, observed : Values
        Of both logs.
    trusted, here : mapping of str to FramePictures
        The mean patterns of both sides, as far as they are kept.
    """

    def move_of(name: str) -> str | None:
        hashes = (values.datasets[name].get("sha256") for values in (reference, observed))
        before, after = (kept.get(str(sha256)) for kept, sha256 in zip((trusted, here), hashes, strict=True))
        if before is None or after is None:
            return None
        if before.binned != after.binned:
            return ""
        return _move(before.pattern_array, after.pattern_array)

    return tuple(named for finding in findings for named in _named(finding, move_of))


def _named(finding: Finding, move_of: Callable[[str], str | None]) -> Iterator[Finding]:
    """Yield a finding, or one for each move of its datasets and one for those of which none is known."""
    if finding.root != "patterns" or finding.proof not in MOVED:
        yield finding
        return
    by_move: dict[str | None, list[str]] = {}
    for name in finding.datasets:
        by_move.setdefault(move_of(name), []).append(name)
    for move, names in by_move.items():
        named = replace(finding, datasets=tuple(names))
        if move:
            sentence = f"pixels moved within their frames: the mean pattern is the reference's, {move}"
            named = replace(named, sentence=sentence, advice="undo that, or find the step that does it")
        elif move is None:
            named = replace(named, advice=_ASK)
        yield named


def _move(before: NDArray[Any], after: NDArray[Any]) -> str:
    """Return the one move that makes a pattern the other; empty if none does or several do, or if nothing moved."""
    pixels = np.arange(before.size).reshape(before.shape)
    names: dict[tuple[tuple[int, ...], bytes], str] = {}  # by where each pixel goes: some moves are the same one
    found = []
    for shift, shifted in _SHIFTS.items():
        for turn, turned in _TURNS.items():
            places = shifted(turned(pixels))
            name = " and ".join(filter(None, [turn, shift]))
            if names.setdefault((places.shape, places.tobytes()), name) == name and _is_same(
                before.ravel()[places], after
            ):
                found.append(name)
    return found[0] if len(found) == 1 else "" if found else _roll(before, after)


def _roll(before: NDArray[Any], after: NDArray[Any]) -> str:
    """Return by how many rows and columns a pattern was shifted, with what left it on the other side; or nothing."""
    if before.shape != after.shape or not (np.isfinite(before).all() and np.isfinite(after).all()):
        return ""
    likeness = np.fft.irfft2(np.fft.rfft2(after) * np.fft.rfft2(before).conj(), before.shape)
    shift = [int(place) for place in np.unravel_index(int(np.argmax(likeness)), before.shape)]
    if not any(shift) or not _is_same(np.roll(before, shift, (0, 1)), after):
        return ""
    signed = [step - length * (step > length // 2) for step, length in zip(shift, before.shape, strict=True)]
    parts = [f"{step:+d} {what}" for step, what in zip(signed, ("rows", "columns"), strict=True) if step]
    return f"shifted by {' and '.join(parts)} (cyclically)"


def _is_same(pattern: NDArray[Any], other: NDArray[Any]) -> bool:
    if pattern.shape != other.shape:
        return False
    tolerance = _SAME_OF_LARGEST * float(np.max(np.abs(pattern), initial=0.0))
    return bool(np.allclose(pattern, other, rtol=_SAME, atol=tolerance, equal_nan=True))
