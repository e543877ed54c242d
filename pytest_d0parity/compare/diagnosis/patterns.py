"""What is proven about the patterns of a dataset; the stages and the photons follow from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from ..difference import MISSING
from ..values import Named
from .pair import Pair, Proof, largest_change
from .proofs import ORDER, factor, is_near, precision, same_values, square

GROUPS = ("raw", "frames", "pattern", "arrays.diff3d", "photons", "normalized", "grouped")

_SAME_CONSTANT = 1e-6  # relative
_SCALES = ("params.intensity_scale", "params.intensity_scale_value")  # as logs of all versions call it
_MEASURED = (*ORDER, "mean", "std")
_NOTHING_MORE = (
    "the statistics of the patterns agree within their thresholds, and their bytes do not: every value may have moved "
    "a little, and nothing more can be said"
)


def differ(pair: Pair) -> bool:
    """Whether the patterns of both sides are not the same, as far as their values tell."""
    return pair.changes("arrays.diff3d.crc32") or any(
        pair.changes(name) for name in ("frames.order", *(f"raw.{statistic}" for statistic in _MEASURED))
    )


def prove(pair: Pair) -> Proof | None:
    """Return what is proven about the patterns; None where they are the same, or not known."""
    drifted = pair.drifts(*GROUPS)
    if drifted and all(each.observed == MISSING for each in pair.drifts("raw")) and pair.drifts("raw"):
        return Proof(
            "missing",
            "the patterns, which the reference holds, could not be measured here",
            "see the problems; if the file is damaged, ask for it again",
        )
    if not differ(pair):
        return None
    for rule in _RULES:
        if (proof := rule(pair)) is not None:
            return proof
    text, weight = largest_change(pair.drifts("raw") or drifted)
    if text:
        return Proof("changed", f"the patterns differ; {text}", "look at what was done to diff3d", weight)
    return Proof("within_thresholds", _NOTHING_MORE)


def _fewer_frames(pair: Pair) -> Proof | None:
    before, after = _frames(pair.expected), _frames(pair.observed)
    if before is None or after is None or before == after:
        return None
    which = "not all of them are here" if after < before else "there are more of them here"
    return Proof("frames", f"{after:,} frames, the reference has {before:,}", f"compare with as many frames: {which}")


def _frames(values: Named) -> int | None:
    count = values.get("frames.count")
    if type(count) is int:
        return count
    first = str(values.get("arrays.diff3d.shape")).partition("x")[0]  # of an older log
    return int(first) if first.isdecimal() else None


def _factor(pair: Pair) -> Proof | None:
    expected, observed = pair.stats("raw")
    found = factor(expected, observed, _MEASURED)
    if found is None:
        return None
    meaning = next(iter(_meanings(pair, found)), "")
    action = f"divide diff3d by {found:#.5g}" if found > 1 else f"multiply diff3d by {1 / found:#.5g}"
    return Proof(
        "factor",
        f"every statistic of raw is the reference's times {found:#.5g}{f', which is {meaning}' if meaning else ''}",
        f"{action}, or find the step that scales it",
    )


def _meanings(pair: Pair, found: float) -> Iterator[str]:
    """Yield what a factor is, where a recorded value says so."""
    known: list[tuple[str, object]] = [
        (name, values.get(key))
        for name, key in (
            ("intensity_scale", "params.intensity_scale"),
            ("intensity_scale", "params.intensity_scale_value"),
        )
        for values in pair.whole
    ]
    for values in (pair.expected, pair.observed):
        for key in ("photons.expected", "photons.per_pattern"):
            dose = values.get(key)
            if isinstance(dose, int | float) and dose > 0:
                known.append((f"sqrt(dose) of {dose:g} photons", math.sqrt(dose)))
    known.append(("the reference's maximum", pair.expected.get("raw.max")))
    known.append(("the maximum of this side", pair.observed.get("raw.max")))
    for name, value in known:
        if isinstance(value, int | float) and value > 0 and math.isfinite(value):
            if is_near(found, float(value), _SAME_CONSTANT):
                yield name
            elif is_near(found, 1 / value, _SAME_CONSTANT):
                yield f"1/{name}" if name == "intensity_scale" else f"1 / {name}"


def _square(pair: Pair) -> Proof | None:
    expected, observed = pair.stats("raw")
    for before, after, sentence, advice in (
        (
            expected,
            observed,
            "are the squares of the reference's{}: intensities here, amplitudes there",
            "take the square root of diff3d",
        ),
        (
            observed,
            expected,
            "are the square roots of the reference's{}: amplitudes here, intensities there",
            "square diff3d",
        ),
    ):
        if (found := square(before, after)) is not None:
            scale = "" if is_near(found, 1.0, 1e-5) else " but for a factor"
            return Proof("square", f"the values of raw {sentence.format(scale)}", advice)
    return None


def _precision(pair: Pair) -> Proof | None:
    expected, observed = pair.stats("raw")
    dtypes = pair.both("arrays.diff3d.dtype")
    found = precision(expected, observed, dtypes)
    if found is not None:
        sentence = (
            "the values agree to float16's precision"
            if found.coarser == "float16"
            else "the same values in another precision"
        )
        sentence = f"{sentence}: {dtypes[1]} here, {dtypes[0]} in the reference"
        return Proof("precision", sentence, f"keep diff3d as {found.finer} on both sides")
    if dtypes[0] != dtypes[1] and None not in dtypes and same_values(expected, observed):
        sentence = f"every statistic of raw is the same, kept as {dtypes[1]} here and as {dtypes[0]} in the reference"
        return Proof("dtype", sentence, "keep diff3d in one dtype on both sides")
    return None


def _order_of_frames(pair: Pair) -> Proof | None:
    same_frames = None not in pair.both("frames.set") and not pair.changes("frames.set")
    if same_frames and pair.changes("frames.order") and same_values(*pair.stats("raw")):
        return Proof(
            "frame_order", "the same frames in another order", "bring the frames into the order of the reference"
        )
    return None


def _pixels_moved(pair: Pair) -> Proof | None:
    same_sums = None not in pair.both("frames.order") and not pair.changes("frames.order")
    if not same_sums or not pair.changes("arrays.diff3d.crc32") or not same_values(*pair.stats("raw")):
        return None
    shapes = pair.both("arrays.diff3d.shape")
    if shapes[0] != shapes[1]:
        sentence = f"the same pixels in frames of another shape: {shapes[1]} here, {shapes[0]} in the reference"
        return Proof("shape", sentence, "reshape diff3d as in the reference, and look at the mean pattern")
    return Proof(
        "pixels_moved",
        "pixels moved within their frames, or are stored in another memory order: each frame holds the same ones",
        "compare the mean patterns: transposed, flipped or shifted by half a frame",
    )


_RULES: tuple[Callable[[Pair], Proof | None], ...] = (
    _fewer_frames,
    _factor,
    _square,
    _precision,
    _order_of_frames,
    _pixels_moved,
)
