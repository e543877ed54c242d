"""What is looked at without a reference: what a maintainer would want to know before he trusts a file."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ...readers.npz import Member
from ...statistics.distribution import Distribution
from ...statistics.frames.frame_statistics import FrameStatistics
from ...statistics.photons import photons_of_frames
from ...statistics.records import Photons
from ...statistics.top_values import TopValues
from ...util.text import counted
from .measurement import Measurement
from .positions import are_positions
from .roles import OBJECT, Roles

_SATURATED = 0.01  # share of the pixels at the maximum
_FEW = 10  # pixels that may be at the maximum of however small an array
_BRIGHT = 10.0  # times the median of the frames
_GROUND_TRUTH = "ground_truth_patches"


def warn_of_patterns(
    result: Measurement, name: str, values: Distribution, top: TopValues, frames: FrameStatistics, photons: Photons
) -> None:
    """Add warnings about the patterns: negative, saturated, at the top of their type, empty or very bright."""
    if not values.count:
        return
    dtype = frames.stack.dtype
    if values.max <= 0:
        message = f"its maximum is {values.max!r}; normalising divides by it, so it should be positive"
        result.warning("maximum_not_positive", name, message)
    if values.min < 0:
        message = f"its minimum is {values.min:.6g}; amplitudes and counts are never negative, as masked pixels may be"
        result.warning("negative", name, message)
    if dtype.kind in "iu" and values.max >= np.iinfo(dtype).max:
        message = f"{counted(top.count, 'value')} of {int(np.iinfo(dtype).max)}, the largest {dtype}: counts may have "
        result.warning("top_of_type", name, message + "been cut off, or have wrapped around, there")
    elif values.max > 0 and top.count > max(_SATURATED * values.count, _FEW) and top.has_levels:
        message = f"{100 * top.count / values.count:.2g} % of its pixels are at the maximum, {values.max:.6g}: the "
        result.warning("saturated", name, message + "detector, or the file, may have cut off what is above")
    _warn_of_frames(result, name, frames, photons)


def _warn_of_frames(result: Measurement, name: str, frames: FrameStatistics, photons: Photons) -> None:
    empty = photons.empty or 0
    if empty == frames.n_frames:
        return  # of which is said that its maximum is not positive
    expected = frames.n_frames * math.exp(-photons.per_pattern) if photons.per_pattern is not None else 0.0
    if empty > expected + 5 * math.sqrt(expected):
        share = f"{empty} of {counted(frames.n_frames, 'frame')}"
        result.warning("empty_frames", name, f"{share} {'is' if empty == 1 else 'are'} empty, without a single photon")
    counts = photons_of_frames(photons, frames)
    power = frames.squares if counts is None else counts
    lit = power[power > 0]
    if not lit.size:
        return
    median = float(np.median(lit))
    bright = int(np.count_nonzero(power > _BRIGHT * median))
    if bright:
        of = "of the summed squares" if counts is None else f"of {median:.6g} photons"
        message = (
            f"{bright} of {counted(frames.n_frames, 'frame')} {'is' if bright == 1 else 'are'} more than ten times "
        )
        result.warning(
            "bright_frames", name, message + f"above the median {of}, up to {float(power.max()) / median:.3g} times"
        )


def warn_of_other_arrays(members: Mapping[str, Member], result: Measurement) -> None:
    """Add warnings about positions of another length than there are frames, and an object that is constant."""
    roles = Roles(result.roles)
    scan_index = result.roles.get("scan_index")
    if result.frames is not None:
        fitting = {result.frames.count, result.groups}
        for name, member in members.items():
            if name != scan_index and member.shape and are_positions(name, roles) and member.shape[0] not in fitting:
                message = (
                    f"it has {member.shape[0]} entries, but there are {result.frames.count} frames: one entry for "
                )
                result.warning("wrong_length", name, message + "each is expected")
    _warn_of_object(result)


def _warn_of_object(result: Measurement) -> None:
    name = result.roles.get(OBJECT, OBJECT)
    constant = {each: _is_constant(result, each) for each in (name, _GROUND_TRUTH)}
    if None not in constant.values() and constant[name] != constant[_GROUND_TRUTH]:
        flat, other = (name, _GROUND_TRUTH) if constant[name] else (_GROUND_TRUTH, name)
        message = f"it is constant while {other} is not; one of them may be a stand-in"
        result.warning("constant_object", flat, message)


def _is_constant(result: Measurement, name: str) -> bool | None:
    """Whether all values of an array are the same; None where it was not measured."""
    info = result.arrays.get(name)
    if info is None or not info.count or info.mean is None or info.min is None or info.max is None:
        return None
    if info.mean_real is not None and info.mean_imag is not None:  # of one phase, the means of the parts add up
        return info.min == info.max and math.isclose(
            math.hypot(info.mean_real, info.mean_imag), info.mean, rel_tol=1e-6
        )
    return info.min == info.max
