"""One value beside another: whether they differ, by how much, and whether that is allowed."""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeGuard

from ..evidence.dataset import Scalar
from ..evidence.drift import Difference, NotCompared
from ..evidence.model import Verdict
from ..scenario.thresholds import DEFAULT, EXACT, Threshold
from ..util.records import ABSENT
from .values import Named

MISSING = "(missing)"  # how a value that one side does not hold is shown
PRESENT = "present"  # and a dataset that it holds

_PLACES = 5  # that are named where values that were left out differ
_PIPELINE: tuple[tuple[str, ...], ...] = (
    ("raw.", "arrays.diff3d."),
    ("frames.", "pattern."),
    ("photons.",),
    ("normalized.",),
    ("grouped.", "arrays.scan_index."),
    ("probe.", "arrays.probeGuess."),
    ("arrays.",),
    ("metadata.",),
    ("params.",),
    ("metrics.",),
    (),  # whatever users record
)
_A_ROUNDING = 1e-10  # relative: smaller differences are counted, and not listed
ROUNDING = 1e-12  # of the largest magnitude in a group: differences below it are rounding


@dataclass(frozen=True)
class Comparison:
    """The differences that were found among a number of values.

    Attributes
    ----------
    differences : tuple of Difference
        The worst first.
    compared : int
        Number of values that were compared.
    not_compared : tuple of NotCompared
        What was left out.
    """

    differences: tuple[Difference, ...]
    compared: int
    not_compared: tuple[NotCompared, ...] = ()

    @classmethod
    def of(cls, parts: Iterable[Comparison]) -> Comparison:
        """Join several comparisons."""
        parts = list(parts)
        differences = [difference for part in parts for difference in part.differences]
        return cls(
            tuple(sorted(differences, key=worst_first)),
            sum(part.compared for part in parts),
            joined(item for part in parts for item in part.not_compared),
        )

    @property
    def drifted(self) -> tuple[Difference, ...]:
        """The differences beyond their thresholds."""
        return tuple(difference for difference in self.differences if difference.verdict == "drift")

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all differences; incomplete where nothing was compared.

        It is no match where something differs that was left out.
        """
        found = {difference.verdict for difference in self.differences}
        if "drift" in found:
            return "drift"
        if not self.compared:
            return "incomplete"
        is_within = "within_thresholds" in found or any(item.differ for item in self.not_compared)
        return "within_thresholds" if is_within else "match"


def joined(items: Iterable[NotCompared]) -> tuple[NotCompared, ...]:
    """Join what was left out under the same name for the same reason."""
    found: dict[tuple[str, str], NotCompared] = {}
    for item in items:
        key = item.name, item.why
        known = found.get(key)
        found[key] = (
            item
            if known is None
            else replace(
                known,
                values=known.values + item.values,
                differ=known.differ + item.differ,
                where=(known.where + item.where)[:_PLACES],
            )
        )
    return tuple(found.values())


def find_difference(
    where: str, expected: Scalar, observed: Scalar, given: Threshold | None, floor: float
) -> Difference | None:
    """Compare one value with the reference's.

    Parameters
    ----------
    where : str
        Its dotted name, behind its dataset or check.
    expected, observed : bool, int, float, str or None
        The reference's value and the one beside it; `ABSENT` where there is none.
    given : Threshold or None
        What somebody allowed. Without it floating values may differ by the default limit, and all others not at all.
    floor : float
        What is allowed at least where nothing was given, in the unit of the value.

    Returns
    -------
    Difference or None
        None where both are the same.
    """
    missing = expected is ABSENT or observed is ABSENT
    if not missing and are_same(expected, observed):
        return None
    limit = given or (DEFAULT if isinstance(expected, float) or isinstance(observed, float) else EXACT)
    distance, text = None, limit.text
    if isinstance(expected, str | bool):
        text = EXACT.text  # no threshold allows another text or flag
    if is_finite_number(expected) and is_finite_number(observed):
        allowed = max(limit.relative * abs(float(expected)), limit.absolute)
        if limit is DEFAULT and floor > allowed:
            allowed, text = floor, f"{ROUNDING:g} of group"
        # As fractions: an integer and a float that differ must not become equal on the way.
        distance = _ratio(abs(Fraction(observed) - Fraction(expected)), allowed)
    return Difference(
        where=where,
        expected=MISSING if expected is ABSENT else expected,
        observed=MISSING if observed is ABSENT else observed,
        threshold=text,
        distance=distance,
        verdict="within_thresholds" if distance is not None and distance <= 1 else "drift",
    )


def are_same(expected: object, observed: object) -> bool:
    """Whether two values are one: NaN is NaN, and a flag no number."""
    if isinstance(expected, float) and isinstance(observed, float) and math.isnan(expected):
        return math.isnan(observed)
    return expected == observed and isinstance(expected, bool) == isinstance(observed, bool)


def is_finite_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a number with a distance to others: not NaN, infinite, or an integer beyond all floats."""
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
    """Return the values of these dotted names, and those below them; the empty name is above all."""
    if "" in names:
        return values
    below = tuple(f"{above}." for above in names)
    return {name: value for name, value in values.items() if name in names or name.startswith(below)}


def dataset_at(where: str, names: Collection[str]) -> str | None:
    """Return the dataset with which a place begins, as in ``data_p1e5.npz:raw.mean``; None if there is none."""
    end = where.rfind(":")
    while end > 0:
        if where[:end] in names:
            return where[:end]
        end = where.rfind(":", 0, end)
    return None


def worst_first(difference: Difference) -> tuple[int, int, float]:
    """Return the key that sorts drift before what is allowed, then by root and meaning, then by distance."""
    rank = ("drift", "within_thresholds", "repacked").index(difference.verdict)
    distance = -math.inf if difference.distance is None else -difference.distance
    return rank, _meaning(difference.where), distance


def _meaning(where: str) -> int:
    """Return the place of a value in the order of the pipeline; hashes, which say the least, come last."""
    if ":" not in where and not where.startswith(("params.", "metrics.")):
        return -1  # a dataset that only one side has
    name = where.rpartition(":")[2]
    for place, groups in enumerate(_PIPELINE):
        if name.startswith(groups):
            return place
    return len(_PIPELINE) if name in ("sha256", "size_bytes") else len(_PIPELINE) - 1


def is_rounding(difference: Difference) -> bool:
    """Whether two numbers differ by a part in 1e10 at most, within their threshold."""
    before, after = difference.expected, difference.observed
    if difference.verdict != "within_thresholds" or not is_finite_number(before) or not is_finite_number(after):
        return False
    return abs(float(after) - float(before)) <= _A_ROUNDING * abs(float(before))
