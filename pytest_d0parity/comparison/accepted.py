"""Several accepted runs as one reference: their mean, and what they scatter by."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..evidence.drift import AcceptedRun
from ..evidence.file import LogFile
from ..statistics.moments import sample_deviation
from ..util.errors import UsageError
from ..util.text import listed, printable
from .difference import is_finite_number
from .values import CheckValues, Named, Values

MIN_RUNS = 4  # fewer say too little about how much runs scatter


class AcceptedRunsError(UsageError, ValueError):
    """References that cannot stand together."""


@dataclass(frozen=True)
class AcceptedRuns:
    """References that are trusted alike.

    Attributes
    ----------
    runs : tuple of AcceptedRun
        Which they are.
    values : tuple of Values
        Theirs.
    """

    runs: tuple[AcceptedRun, ...]
    values: tuple[Values, ...]

    @classmethod
    def of(cls, files: Sequence[LogFile], values: Sequence[Values]) -> AcceptedRuns:
        """Return these references as accepted runs.

        Raises
        ------
        AcceptedRunsError
            If they are too few, or of different scenarios.
        """
        if len(files) < MIN_RUNS:
            raise AcceptedRunsError(
                f"{len(files)} different references are given: one is compared with, and {MIN_RUNS} or more tell how "
                "much accepted runs scatter; two or three tell too little. Give one of them, or more"
            )
        scenarios = list(dict.fromkeys(each.scenario_id for each in values))
        if len(scenarios) > 1:
            raise AcceptedRunsError(f"the references are of different scenarios: {listed(scenarios, MIN_RUNS)}")
        runs = tuple(AcceptedRun(path=file.path, sha256=file.sha256) for file in files)
        return cls(runs, tuple(values))

    def mean(self) -> Values:
        """Return the values of the first run, with the means of those that may scatter."""
        first = self.values[0]
        errors = {name: dict(self._errors_of(name)) for name in first.datasets}
        return replace(
            first,
            datasets={name: {**values, **self._means(name)} for name, values in first.datasets.items()},
            errors=errors,
            baseline=replace(first.baseline, metrics={**first.baseline.metrics, **self._means(None)}),
            checks={
                name: CheckValues(check.dataset, {**check.values, **self._means(name)}, check.limits)
                for name, check in first.checks.items()
            },
        )

    def may_scatter(self, key: str | None, name: str) -> bool:
        """Whether the runs may differ in a value: one with a standard error, a metric, or a recorded one."""
        if key is None:
            return name.startswith("metrics.")
        return key in self.values[0].checks or all(name in each.errors.get(key, ()) for each in self.values)

    def may_differ(self, key: str | None, name: str) -> bool:
        """Whether the runs may differ in a value, since it may scatter, or follows from one that may."""
        followed = "photons.per_pattern" if name == "photons.ratio" else name.replace("normalized.", "raw.", 1)
        return self.may_scatter(key, name) or self.may_scatter(key, followed)

    def spread_of(self, key: str | None) -> dict[str, float]:
        """Return s k / (k - 3) of the values that may scatter, with the standard deviation s over the k runs.

        Parameters
        ----------
        key : str or None
            A dataset, or one of the users' own checks; None for the metrics.
        """
        k = len(self.values)
        return {name: sample_deviation(values) * k / (k - 3) for name, values in self._scattering(key)}

    def _means(self, key: str | None) -> dict[str, float]:
        return {name: math.fsum(values) / len(values) for name, values in self._scattering(key)}

    def _scattering(self, key: str | None) -> Iterator[tuple[str, list[float]]]:
        for name in self._named(self.values[0], key):
            found = [self._named(each, key).get(name) for each in self.values]
            numbers = [float(value) for value in found if is_finite_number(value)]
            if len(numbers) == len(found) and self.may_scatter(key, name):
                yield name, numbers

    def _errors_of(self, dataset: str) -> Iterator[tuple[str, float]]:
        for name in self.values[0].errors.get(dataset, ()):
            found = [each.errors.get(dataset, {}).get(name) for each in self.values]
            errors = [error for error in found if error is not None]
            if len(errors) == len(found):
                yield name, math.sqrt(math.fsum(error * error for error in errors) / len(errors))

    @staticmethod
    def _named(values: Values, key: str | None) -> Named:
        if key is None:
            return values.baseline.metrics
        if key in values.checks:
            return values.checks[key].values
        return values.datasets.get(key, {})


def without_doubles(files: Sequence[LogFile]) -> tuple[tuple[LogFile, ...], str]:
    """Return each reference once, and a sentence that names those that were given twice; empty where none was."""
    by_hash: dict[str, LogFile] = {}
    twice = []
    for file in files:
        if by_hash.setdefault(file.sha256, file) is not file:
            twice.append(file.path)
    text = f"these references are the same file as another one, and count once: {listed(twice, 3)}" if twice else ""
    return tuple(by_hash.values()), text


def disagreement(first: str, other: str, where: str) -> AcceptedRunsError:
    """Return the error for references that differ in what may not scatter."""
    return AcceptedRunsError(
        f"the references {printable(first)} and {printable(other)} differ in {printable(where)}, which has no "
        "standard error: accepted runs must agree in all but what the frames, metrics and recorded values scatter"
    )
