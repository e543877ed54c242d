"""A dataset of a log beside that of the reference: its values, what differs, and what is proven about one root."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...evidence.drift import Difference
from ..difference import MISSING, is_finite_number
from ..values import Named


@dataclass(frozen=True)
class Proof:
    """What is proven about a root of one dataset.

    Attributes
    ----------
    rule : str
        Short name of the rule.
    sentence : str
        What is proven; without an end.
    advice : str
        What to do next; without an end, and empty where nothing follows.
    weight : float
        By which the worst of several datasets is chosen, where one sentence stands for all.
    """

    rule: str
    sentence: str
    advice: str = ""
    weight: float = 0.0


@dataclass(frozen=True)
class Pair:
    """A dataset on both sides.

    Attributes
    ----------
    expected, observed : dict
        All comparable values by dotted names.
    differences : sequence of Difference
        Those of this dataset.
    whole : dict
        Parameters and metrics of both sides, by which a factor is recognised.
    """

    name: str
    expected: Named
    observed: Named
    differences: Sequence[Difference]
    whole: Sequence[Named] = ()

    @cached_property
    def drifted(self) -> Mapping[str, Difference]:
        """The differences beyond their thresholds, by the names of the values."""
        prefix = len(self.name) + 1
        return {each.where[prefix:]: each for each in self.differences if each.verdict == "drift"}

    def drifts(self, *groups: str) -> list[Difference]:
        """Return the differences beyond their thresholds in these groups of values."""
        return [
            each
            for name, each in self.drifted.items()
            if any(name == group or name.startswith(f"{group}.") for group in groups)
        ]

    def both(self, name: str) -> tuple[Any, Any]:
        """Return the values of this name of both sides; None where one does not hold it."""
        return self.expected.get(name), self.observed.get(name)

    def changes(self, name: str) -> bool:
        """Whether both sides hold a value, and not the same one."""
        before, after = self.both(name)
        return before is not None and after is not None and before != after

    def stats(self, group: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the values of a group of both sides by the last part of their names."""
        prefix = f"{group}."
        before, after = (
            {name[len(prefix) :]: value for name, value in values.items() if name.startswith(prefix)}
            for values in (self.expected, self.observed)
        )
        return before, after


def largest_change(drifted: Sequence[Difference]) -> tuple[str, float]:
    """Return the largest change among statistics in words, and how many times it is what is allowed.

    A change of a hash, size or text is none of a statistic. Empty if there is no other.
    """
    changes = [
        each
        for each in drifted
        if each.distance is not None and is_finite_number(each.expected) and is_finite_number(each.observed)
    ]
    changes = [each for each in changes if not each.where.endswith((".size_bytes", ":size_bytes"))]
    if not changes:
        return "", 0.0
    worst = max(changes, key=lambda each: (each.distance or 0.0, _relative(each)))
    return f"largest change {_value_name(worst.where)}, {change_text(worst)}", worst.distance or 0.0


def change_text(difference: Difference) -> str:
    """Return both values of a difference, and the change in percent where it has one: ``1.2 -> 1.3 (+8.33 %)``."""
    before, after = difference.expected, difference.observed
    text = f"{_shown(before)} -> {_shown(after)}"
    if not is_finite_number(before) or not is_finite_number(after):
        return text
    if text.partition(" -> ")[0] == text.partition(" -> ")[2]:
        text = f"{before!r} -> {after!r}"
    return f"{text} ({100 * (after - before) / abs(before):+.3g} %)" if before else text


def _relative(difference: Difference) -> float:
    before: Any = difference.expected
    after: Any = difference.observed
    return abs(after - before) / abs(before) if before else 0.0


def _value_name(where: str) -> str:
    return where.rpartition(":")[2]


def _shown(value: object) -> str:
    if value == MISSING or value is None:
        return "nothing"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 1]}…"


_MAX_TEXT = 40  # characters of a text in a sentence
