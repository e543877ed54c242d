"""A dataset of a log beside that of the reference: its values, what differs, and what is proven about one root."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...evidence.drift import Difference
from ...util.text import listed
from ..difference import MISSING, are_same, is_finite_number
from ..values import Named

ONE_SIDE = "one_side"  # the rule of what one side alone has, and no fault of a file
DAMAGED = "see the problems, which say whether to ask for it again"
NOT_ALL_COMPARED = "not all statistics were compared, and nothing more can be said"


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
    about : str
        What is said of several datasets in one sentence, that of the worst; by default the sentence itself.
    """

    rule: str
    sentence: str
    advice: str = ""
    weight: float = 0.0
    about: str = ""


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
    sound : tuple of bool
        Whether all of the file could be read, for the reference and for this side.
    """

    name: str
    expected: Named
    observed: Named
    differences: Sequence[Difference]
    whole: Sequence[Named] = ()
    sound: tuple[bool, bool] = (True, True)

    @cached_property
    def drifted(self) -> Mapping[str, Difference]:
        """The differences beyond their thresholds, by the names of the values."""
        prefix = len(self.name) + 1
        return {each.where[prefix:]: each for each in self.differences if each.verdict == "drift"}

    def drifts(self, *groups: str) -> list[Difference]:
        """Return the differences beyond their thresholds in these groups of values."""
        return [each for group in groups for each in self._drifted_below.get(group, ())]

    @cached_property
    def _drifted_below(self) -> Mapping[str, list[Difference]]:
        """The differences beyond their thresholds, by each name and group that they belong to."""
        below: dict[str, list[Difference]] = {}
        for name, each in self.drifted.items():
            while name:
                below.setdefault(name, []).append(each)
                name = name.rpartition(".")[0]
        return below

    def both(self, name: str) -> tuple[Any, Any]:
        """Return the values of this name of both sides; None where one does not hold it."""
        return self.expected.get(name), self.observed.get(name)

    def changes(self, name: str) -> bool:
        """Whether both sides hold a value, and not the same one."""
        before, after = self.both(name)
        return before is not None and after is not None and not are_same(before, after)

    def agrees(self, name: str) -> bool:
        """Whether both sides hold a value, and the same one."""
        return None not in self.both(name) and not self.changes(name)

    def same_bytes(self, array: str) -> bool:
        """Whether an array is the same to the last byte. Of a damaged file the CRC-32 says what it should be."""
        return all(self.sound) and self.agrees(f"arrays.{array}.crc32")

    def were_compared(self, group: str, names: Iterable[str]) -> bool:
        """Whether these values of a group were compared, as far as both sides hold them, and they hold some."""
        held = [name for name in (f"{group}.{each}" for each in names) if None not in self.both(name)]
        start = len(self.name) + 1
        listed_as = {each.where[start:] for each in self.differences}
        return bool(held) and not any(self.changes(name) and name not in listed_as for name in held)

    def stats(self, group: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the values of a group of both sides by the last part of their names."""
        before, after = self._grouped
        return before.get(group, {}), after.get(group, {})

    @cached_property
    def _grouped(self) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
        return _by_group(self.expected), _by_group(self.observed)


def _by_group(values: Named) -> dict[str, dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        group, _, last = name.rpartition(".")
        groups.setdefault(group, {})[last] = value
    return groups


def same_bytes_proof(what: str, drifted: Iterable[Difference]) -> Proof:
    """Return that values differ of what is the same to the last byte."""
    names = [_value_name(each.where) for each in drifted]
    sentence = (
        f"the bytes{f' of {what}' if what else ''} are the reference's, and the values are not: the log, the layout or "
        f"the way of measuring differs, not the data ({listed(names, 3)})"
    )
    return Proof("same_bytes", sentence, "measure both again, with the same version")


def largest_change(drifted: Sequence[Difference]) -> tuple[str, float]:
    """Return the largest change among statistics in words, and how large it is as a share of the reference's value.

    A change of a hash, size or text is none of a statistic, and one from zero has no share. Empty if there is no other.
    """
    changes = [
        each
        for each in drifted
        if each.distance is not None and is_finite_number(each.expected) and is_finite_number(each.observed)
    ]
    changes = [each for each in changes if not each.where.endswith((".size_bytes", ":size_bytes"))]
    if not changes:
        return "", 0.0
    worst = max(changes, key=lambda each: (_relative(each), each.distance or 0.0))
    return f"largest change {_value_name(worst.where)}, {change_text(worst)}", _relative(worst)


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
