"""What is proven about the patterns of a dataset; the stages and the photons follow from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from ..difference import MISSING
from .pair import DAMAGED, NOT_ALL_COMPARED, Pair, Proof, change_text, largest_change, same_bytes_proof
from .proofs import ORDER, factor, is_near, precision, same_values, square

MOVED = ("pixels_moved", "shape")  # the rules of which mean patterns may show more: see `moves`
GROUPS = ("raw", "frames", "pattern", "arrays.diff3d", "photons", "normalized", "grouped")

_SAME_CONSTANT = 1e-6  # relative
_SCALES = ("params.intensity_scale", "params.intensity_scale_value")  # as logs of all versions call it
_OF_VALUES = ("raw.", "photons.", "normalized.", "grouped.", "pattern.")
_SAMPLED = 512  # frames at most, of which the mean pattern is taken
_SAME_CENTRE = 1e-6  # pixels
_MEASURED = (*ORDER, "mean", "std")
_NOTHING_MORE = (
    "the statistics of the patterns agree within their thresholds, and their bytes do not: every value may have moved "
    "a little, and nothing more can be said"
)


def differ(pair: Pair) -> bool:
    """Whether the patterns of both sides are not the same, as far as their values tell."""
    if pair.same_bytes("diff3d"):
        return False
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
            DAMAGED,
        )
    if pair.same_bytes("diff3d"):
        measured = pair.drifts("raw", "frames", "pattern", "photons", "normalized")
        return same_bytes_proof("diff3d", measured) if measured else None
    if not differ(pair):
        return None
    for rule in _RULES:
        if (proof := rule(pair)) is not None:
            return proof
    text, weight = largest_change(pair.drifts("raw") or drifted)
    if not text and (values := [each for each in drifted if each.where.rpartition(":")[2].startswith(_OF_VALUES)]):
        text = f"{values[0].where.rpartition(':')[2]}, {change_text(values[0])}"
    if text:
        return Proof("changed", f"the patterns differ; {text}", "look at what was done to diff3d", weight, "patterns")
    if not pair.were_compared("raw", _MEASURED):
        return Proof("within_thresholds", f"the patterns differ; {NOT_ALL_COMPARED}")
    return Proof("within_thresholds", _NOTHING_MORE)


def _not_finite(pair: Pair) -> Proof | None:
    for name, what in (("raw.nan_count", "NaN"), ("raw.inf_count", "infinite")):
        before, after = (value if isinstance(value, int) else 0 for value in pair.both(name))
        if after > before:
            verb = "value is" if after == 1 else "values are"
            return Proof(
                "not_finite",
                f"{after:,} {verb} {what} here, {before or 'none'} in the reference",
                f"find what makes {'it' if after == 1 else 'them'}, as a division by zero",
            )
    return None


def _fewer_frames(pair: Pair) -> Proof | None:
    before, after = _frames(pair)
    if before is None or after is None or before == after:
        return None
    which = "not all of them are here" if after < before else "there are more of them here"
    return Proof("frames", f"{after:,} frames, the reference has {before:,}", f"compare with as many frames: {which}")


def _frames(pair: Pair) -> tuple[int, int] | tuple[None, None]:
    """Return the numbers of frames; of older logs the first axes tell them, where the others are alike."""
    before, after = pair.both("frames.count")
    if type(before) is int and type(after) is int:
        return before, after
    shapes = [str(shape).partition("x") for shape in pair.both("arrays.diff3d.shape")]
    if shapes[0][2] and shapes[0][1:] == shapes[1][1:] and all(first.isdecimal() for first, _, _ in shapes):
        return int(shapes[0][0]), int(shapes[1][0])
    return None, None


def _factor(pair: Pair) -> Proof | None:
    expected, observed = pair.stats("raw")
    found = factor(expected, observed, _MEASURED)
    if found is None:
        return None
    meaning = next(iter(_meanings(pair, found)), "")
    action = f"divide diff3d by {found:#.5g}" if found > 1 else f"multiply diff3d by {1 / found:#.5g}"
    sentence = f"every statistic of raw is the reference's times {found:#.5g}"
    told = f"{sentence}, which is {meaning}" if meaning else sentence
    return Proof("factor", told, f"{action}, or find the step that scales it", about=sentence)


def _meanings(pair: Pair, found: float) -> Iterator[str]:
    """Yield what a factor is, where a recorded value says so."""
    known: list[tuple[str, object]] = [("intensity_scale", values.get(key)) for key in _SCALES for values in pair.whole]
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
            "every statistic agrees to float16's precision"
            if found.coarser == "float16"
            else "the same values in another precision"
        )
        sentence = f"{sentence}: {dtypes[1]} here, {dtypes[0]} in the reference"
        back = f"save diff3d as {dtypes[0]} again, or accept it by --compare statistics"
        is_finer = str(dtypes[1]).lstrip("<>=") == found.finer
        return Proof("precision", sentence, back if is_finer else f"keep diff3d as {found.finer} on both sides")
    if dtypes[0] != dtypes[1] and None not in dtypes and same_values(expected, observed):
        sentence = f"every statistic of raw is the same, kept as {dtypes[1]} here and as {dtypes[0]} in the reference"
        return Proof("dtype", sentence, "keep diff3d in one dtype on both sides")
    return None


def _order_of_frames(pair: Pair) -> Proof | None:
    if (
        pair.agrees("frames.set")
        and _may_have_one_centre(pair)
        and pair.changes("frames.order")
        and same_values(*pair.stats("raw"))
    ):
        return Proof(
            "frame_order", "the same frames in another order", "bring the frames into the order of the reference"
        )
    return None


def _may_have_one_centre(pair: Pair) -> bool:
    """Whether the mean patterns of all frames, where they are of all, have one centre of mass."""
    count = pair.observed.get("frames.count")
    if not isinstance(count, int) or count > _SAMPLED:
        return True
    centres = [pair.both(f"pattern.{axis}") for axis in ("row", "column")]
    return all(None in each or abs(each[0] - each[1]) <= _SAME_CENTRE for each in centres)


def _pixels_moved(pair: Pair) -> Proof | None:
    if (
        not pair.agrees("frames.order")
        or not pair.changes("arrays.diff3d.crc32")
        or not same_values(*pair.stats("raw"))
    ):
        return None
    shapes = pair.both("arrays.diff3d.shape")
    if shapes[0] != shapes[1]:
        sentence = f"the same pixels in frames of another shape: {shapes[1]} here, {shapes[0]} in the reference"
        return Proof("shape", sentence, "reshape diff3d as in the reference, and look at the mean pattern")
    return Proof(
        "pixels_moved",
        "pixels moved within their frames, or are stored in another memory order: each frame holds the same ones",
        "compare the mean patterns: is one the other transposed, flipped, turned or shifted?",
    )


_RULES: tuple[Callable[[Pair], Proof | None], ...] = (
    _fewer_frames,
    _not_finite,
    _factor,
    _square,
    _precision,
    _order_of_frames,
    _pixels_moved,
)
