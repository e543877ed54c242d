"""One value beside another: whether they differ, by how much, and whether that is allowed."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeGuard

from ..evidence.model import Difference, Scalar
from ..scenario.thresholds import DEFAULT, EXACT, Threshold
from .values import Named

MISSING = "(missing)"


PRESENT = "present"


_ROUNDING = 1e-12  # of the largest magnitude in a group; below it a value is as good as zero


Verdict = Literal["match", "within_thresholds", "drift", "incomplete"]


@dataclass(frozen=True)
class Comparison:
    """What came of comparing.

    Attributes
    ----------
    differences : tuple of Difference
        The worst first.
    compared : int
        Number of values that were looked at.
    """

    differences: tuple[Difference, ...]
    compared: int

    @classmethod
    def of(cls, parts: Iterable[Comparison]) -> Comparison:
        """Join several."""
        parts = list(parts)
        differences = [difference for part in parts for difference in part.differences]
        return cls(tuple(sorted(differences, key=_badness)), sum(part.compared for part in parts))

    @property
    def drifted(self) -> tuple[Difference, ...]:
        """The differences beyond their thresholds."""
        return tuple(difference for difference in self.differences if difference.verdict == "drift")

    @property
    def verdict(self) -> Verdict:
        """The worst of what was found; incomplete where nothing was compared, which shows nothing."""
        if not self.compared:
            return "incomplete"
        found = {difference.verdict for difference in self.differences}
        return "drift" if "drift" in found else "within_thresholds" if "within_thresholds" in found else "match"


class _Missing:
    """No value at all, which differs from any value, also from a text that says so."""


_NONE = _Missing()


def _difference(
    where: str, expected: Scalar | _Missing, observed: Scalar | _Missing, given: Threshold | None, floor: float
) -> Difference | None:
    missing = isinstance(expected, _Missing) or isinstance(observed, _Missing)
    if not missing and _same(expected, observed):
        return None
    limit = given or (DEFAULT if isinstance(expected, float) or isinstance(observed, float) else EXACT)
    distance, text = None, limit.text
    if isinstance(expected, str | bool):
        text = EXACT.text  # no threshold allows another text or flag
    if _is_number(expected) and _is_number(observed):
        allowed = max(limit.relative * abs(float(expected)), limit.absolute)
        if limit is DEFAULT and floor > allowed:
            allowed, text = floor, f"{_ROUNDING:g} of group"
        # As fractions: an integer and a float that differ must not become equal on the way.
        distance = _ratio(abs(Fraction(observed) - Fraction(expected)), allowed)
    return Difference(
        where=where,
        expected=MISSING if isinstance(expected, _Missing) else expected,
        observed=MISSING if isinstance(observed, _Missing) else observed,
        threshold=text,
        distance=distance,
        verdict="within_thresholds" if distance is not None and distance <= 1 else "drift",
    )


def _same(expected: object, observed: object) -> bool:
    if isinstance(expected, float) and isinstance(observed, float) and math.isnan(expected):
        return math.isnan(observed)
    return expected == observed and isinstance(expected, bool) == isinstance(observed, bool)


def _is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value can be near another one; NaN, infinities, and integers beyond all floats cannot."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max


def _ratio(gap: Fraction, allowed: float) -> float:
    if allowed == math.inf:
        return 0.0
    try:
        return float(gap) / allowed
    except (ZeroDivisionError, OverflowError):
        return math.inf


def within(values: Named, names: Sequence[str]) -> Named:
    """Pick the values that have one of these names, or lie below one; the empty name is above all."""
    return {
        name: value
        for name, value in values.items()
        if any(not above or name == above or name.startswith(f"{above}.") for above in names)
    }


def _badness(difference: Difference) -> tuple[int, float]:
    rank = ("drift", "within_thresholds", "repacked").index(difference.verdict)
    return rank, -math.inf if difference.distance is None else -difference.distance
