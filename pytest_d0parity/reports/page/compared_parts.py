"""How each part of each dataset compares with the reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ...comparison.difference import MISSING, dataset_at
from ...comparison.values import BUILT_IN
from ...evidence.drift import Difference
from ...util.text import printable, valid_utf8
from ..outcome import Outcome
from .shown_log import ShownDataset, ShownLog

PARTS = ("file", "arrays", "raw", "normalized", "grouped", "photons", "probe")  # in the order of the pipeline

# The groups of values that belong to a part, where these are not those of its name.
_NAMES = {"file": ("sha256", "size_bytes"), "arrays": ("arrays", "metadata"), "raw": ("raw", "frames", "pattern")}
_WORST = ("drift", "within_thresholds", "repacked", "not_compared")
_MOST_ARRAYS = 3  # named in a cell
# What the checks of these names are about; a check of a stage, flag or metric is named after it.
_CHECKED = {"file": "file", "arrays": "arrays", "photon_dose": "photons", "probe": "probe", "params": "params"}


@dataclass(frozen=True)
class Cell:
    """How one part of a dataset compares: its verdict, how many of its values differ, and in which arrays."""

    verdict: str
    count: int
    arrays: Sequence[str] = ()


class ComparedParts:
    """The differences between a log and the reference, by dataset and part.

    Attributes
    ----------
    compared : bool
        Whether there was a reference at all.
    names : tuple of str
        Of the parts, in the order of the pipeline.
    """

    names = PARTS

    def __init__(self, run: ShownLog, outcome: Outcome) -> None:
        self._run = run
        self._by_dataset = _by_dataset(outcome.differences, run.datasets)
        # A dataset that one side alone has was not compared.
        self._alone = [d for d in outcome.differences if d.where in run.datasets]
        self._not_in_reference = {d.where for d in self._alone}
        # For two logs that are compared anew it does not matter which checks ran when they were made.
        not_run = [check for check in run.log.checks if outcome.verified and check.outcome == "not_run"]
        self._not_compared = {(check.dataset, _checked_part(check.id)) for check in not_run}
        self._checks = {_checked_part(check.id) for check in run.log.checks}
        errors = [problem for problem in run.log.all_problems if problem.severity == "error"]
        self._damaged = {dataset_of(problem.where, run.datasets) for problem in errors}
        # By the level, or by a limit for all of a part.
        left_out = {item.name.rpartition(":")[2].removesuffix(".*") for item in outcome.not_compared}
        self._left_out = {part for part in PARTS if part in left_out or "*" in left_out}
        self._left_out |= {"file"} if "sha256" in left_out else set()
        self.compared = outcome.reference is not None

    def matrix(self) -> Iterator[tuple[str, list[Cell | None]]]:
        """Yield, for each dataset, how each part of it compares, in the order of the pipeline."""
        for name in self._run.datasets:
            yield name, [self._cell(name, part) for part in PARTS]

    def _cell(self, name: str, part: str) -> Cell | None:
        names = _NAMES.get(part, (part,))
        own = self._by_dataset.get(name, ())
        differences = [d for d in own if d.where.removeprefix(f"{name}:").partition(".")[0] in names]
        values = self._run.datasets[name].values
        if not differences and not any(value.partition(".")[0] in names for value in values):
            return None
        # What could not be read was not compared.
        left_out = name in self._not_in_reference
        left_out = left_out or (name, part) in self._not_compared or (name in self._damaged and part != "file")
        left_out = left_out or part in self._left_out
        if name in self._damaged:  # what could not be read has no values that could differ
            differences = [each for each in differences if each.observed != MISSING]
        cell = _cell(differences, left_out)
        if part != "arrays":
            return cell
        where = [d.where.removeprefix(f"{name}:") for d in differences if d.verdict == cell.verdict]
        arrays = [*dict.fromkeys(printable(_array_at(place)) for place in where)]
        rest = [f"{len(arrays) - _MOST_ARRAYS} more"] if len(arrays) > _MOST_ARRAYS else []
        return replace(cell, arrays=(*arrays[:_MOST_ARRAYS], *rest))

    def rest_of_log(self) -> list[tuple[str, Cell]]:
        """Return how parameters, metrics, and the rest (datasets of one side, own checks of the users) compare."""
        groups: dict[str, list[Difference]] = {"params": [], "metrics": [], "": []}
        for difference in [*self._by_dataset.get(None, []), *self._alone]:
            kind = difference.where.partition(".")[0]
            groups[kind if kind in groups else ""].append(difference)
        left_out = {(part or "").partition(".")[0] for dataset, part in self._not_compared if dataset is None}
        shown_as = {"params": "parameters", "metrics": "metrics", "": "datasets and checks"}
        return [(shown_as[group], _cell(found, group in left_out)) for group, found in groups.items()]

    def drifting(self, value: str) -> dict[str, ShownDataset]:
        """Return the datasets in which a value drifts."""
        return {
            name: dataset
            for name, dataset in self._run.datasets.items()
            if any(d.verdict == "drift" and d.where == f"{name}:{value}" for d in self._by_dataset.get(name, ()))
        }

    def drift_count(self, name: str) -> int:
        """Return how many values of a dataset drift."""
        return sum(d.verdict == "drift" for d in self._by_dataset.get(name, ()))

    def is_compared(self, name: str, part: str) -> bool:
        """Whether a part of a dataset was compared."""
        return (name, part) not in self._not_compared

    def verdict_beside(self, name: str) -> str:
        """Return how a parameter or metric compares; empty where nothing was compared."""
        for difference in self._by_dataset.get(None, ()):
            if difference.where == name:
                return difference.verdict
        if not self.compared:
            return ""
        part, _, rest = name.partition(".")
        own = name if part == "params" else f"{part}.{rest.partition('.')[0]}"
        return "not_compared" if (None, own if own in self._checks else part) in self._not_compared else "same"


def _checked_part(check_id: str) -> str | None:
    """Return what a check of our own is about; None for the users' own checks.

    That is a part of a dataset, ``params.<flag>``, ``params`` or ``metrics.<name>``.
    """
    if not check_id.startswith(f"{BUILT_IN}test_"):
        return None
    kind, _, part = check_id.removeprefix(f"{BUILT_IN}test_").removesuffix("]").partition("[")
    if kind == "stage":
        return part.rpartition("-")[2]
    if kind in ("flag", "metric"):
        return f"{'params' if kind == 'flag' else 'metrics'}.{part}"
    return _CHECKED.get(kind)


def _by_dataset(differences: Sequence[Difference], names: Mapping[str, object]) -> dict[str | None, list[Difference]]:
    found: dict[str | None, list[Difference]] = {}
    for difference in differences:
        found.setdefault(dataset_of(difference.where, names), []).append(difference)
    return found


def dataset_of(where: str, names: Mapping[str, object]) -> str | None:
    """Return the dataset that a difference or a problem is about."""
    where = valid_utf8(where)
    return where if where in names else dataset_at(where, names)


def _cell(differences: Sequence[Difference], left_out: bool) -> Cell:
    verdicts = [d.verdict for d in differences] + ["not_compared"] * left_out
    verdict = min(verdicts, key=_WORST.index, default="same")
    return Cell(verdict, verdicts.count(verdict))


def _array_at(name: str) -> str:
    """Return the array that a value of the part ``arrays`` is about, or ``metadata``."""
    group, _, rest = name.partition(".")
    return rest.partition(".")[0] or group if group == "arrays" else group
