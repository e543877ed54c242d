"""Files whose bytes differ from the log, compared value by value."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..capture.baseline_run import read_baseline_run
from ..capture.executor import Executor
from ..capture.job import CaptureJob
from ..comparison.comparator import Comparator
from ..comparison.compare_log import explain
from ..comparison.difference import Comparison
from ..comparison.values import BaselineValues, Named, baseline_values, values_of_dataset
from ..evidence.dataset import Dataset, Problem
from ..evidence.drift import Finding
from ..evidence.file import LogError, LogFile
from ..scenario.layout import DEFAULT_LAYOUT, Layout
from ..scenario.scenario import Scenario
from ..scenario.thresholds import Level, Threshold
from ..util.text import valid_utf8

_BYTES = ("sha256", "size_bytes", "arrays")


@dataclass(frozen=True, kw_only=True)
class RemeasuredFile:
    """The values of a file, compared with a log.

    Attributes
    ----------
    sha256, size_bytes
        Of the file; None where it could not be read.
    comparison : Comparison
        Of its values with those in the log.
    errors : tuple of str
        What could not be read, in words.
    is_unreadable : bool
        Whether some of its bytes cannot be read as what it should be.
    is_same : bool
        Whether nothing in it differs from the log, whatever the thresholds: by the checksums of the arrays, or, for
        params, by all values.
    """

    sha256: str | None
    size_bytes: int | None
    comparison: Comparison
    errors: tuple[str, ...]
    is_unreadable: bool
    is_same: bool

    @property
    def arrays(self) -> tuple[str, ...]:
        """Names of the arrays that differ from the log."""
        found: dict[str, None] = {}
        for difference in self.comparison.drifted:
            _, known, name = difference.where.partition(":arrays.")
            if known:
                found[name.rpartition(".")[0]] = None
        return tuple(found)


class Remeasurement:
    """Compares files with the values in a log.

    Raises
    ------
    LogError
        If it is no evidence log, or there is none.
    """

    def __init__(self, file: LogFile | None, thresholds: Sequence[Threshold], level: Level) -> None:
        if file is None:
            raise LogError("without its log, nothing is known of the values in a bundle")
        self._comparator = Comparator.of(file, thresholds, level)
        layout = file.log.metadata.layout
        self._layout = layout if isinstance(layout, Layout) else DEFAULT_LAYOUT
        self._seen: dict[str, Dataset] = {}  # measured anew, and whole
        self._baseline: BaselineValues | None = None
        self._comparisons: list[Comparison] = []

    @property
    def knows_checksums(self) -> bool:
        """Whether logs of this version hold a checksum of each array."""
        return self._comparator.values.version > 0

    def warnings(self) -> tuple[Problem, ...]:
        """Return a warning for each threshold that covers no value."""
        return self._comparator.unused_thresholds(self._comparator.values)

    def inspect(self, folder: str, filename: str) -> RemeasuredFile:
        """Compare hash, size and arrays of a file with the log, without measuring it.

        Parameters
        ----------
        folder, filename : str
            Where it is.
        """
        return self._remeasured(self._job(folder).inspect(filename), _BYTES)

    def measure(
        self,
        folder: str,
        sizes: Mapping[str, int],
        executor: Executor,
        progress: Callable[[str, float], None],
    ) -> Iterator[tuple[str, RemeasuredFile]]:
        """Measure datasets anew, and yield each comparison as soon as it is done.

        Parameters
        ----------
        sizes : mapping of str to int
            The files in it, and how many bytes each has.
        progress : callable
            Told which share of a file is done.
        """
        for filename, captured in executor.capture(self._job(folder), sizes, progress):
            remeasured = self._remeasured(captured.dataset, ("",))
            if not remeasured.errors:  # which say what is wrong
                self._seen[filename] = captured.dataset
                self._comparisons.append(remeasured.comparison)
            yield filename, remeasured

    def findings(self) -> tuple[Finding, ...]:
        """Return why the datasets and params that were measured anew differ from the log."""
        known, seen = self._comparator.values, self._seen.values()
        observed = replace(
            known,
            datasets={valid_utf8(each.filename): values_of_dataset(each) for each in seen},
            errors={valid_utf8(each.filename): each.standard_errors for each in seen},
            unsound=frozenset(),
            baseline=self._baseline or known.baseline,
        )
        return explain(self._comparator.limited_to(self._seen), observed, Comparison.of(self._comparisons))

    def params(self, path: str) -> RemeasuredFile:
        """Compare every parameter and metric of a params file."""
        folder, name = os.path.split(path)  # which is not told: a tar is unpacked just anywhere
        run = read_baseline_run(Scenario(baseline_params=name, folders={"baseline_params": folder}))
        observed = baseline_values(run.params, run.parameters, run.metrics, ())
        errors = tuple(problem.message for problem in run.problems if problem.severity == "error")
        comparison = Comparison((), 0) if errors else self._comparator.compare_baseline(observed, _without_attachments)
        if not errors:
            self._baseline = observed
            self._comparisons.append(comparison)
        is_same = not comparison.differences and not any(item.differ for item in comparison.not_compared)
        return RemeasuredFile(
            sha256=run.sha256,
            size_bytes=None,
            comparison=comparison,
            errors=errors,
            is_unreadable=run.read is None,  # params that are too many are an error as well
            is_same=is_same and not errors,
        )

    def _job(self, folder: str) -> CaptureJob:
        return CaptureJob(Scenario(dataset_root=os.path.abspath(folder), layout=self._layout), self._comparator)

    def _remeasured(self, dataset: Dataset, names: Sequence[str]) -> RemeasuredFile:
        errors = [problem for problem in dataset.problems if problem.severity == "error"]
        name, values = valid_utf8(dataset.filename), values_of_dataset(dataset)
        return RemeasuredFile(
            sha256=dataset.sha256,
            size_bytes=dataset.size_bytes,
            is_unreadable=bool(errors),
            is_same=not errors and _checksums(values) == _checksums(self._comparator.values.datasets.get(name, {})),
            comparison=self._comparator.compare_dataset(
                name,
                values,
                dataset.standard_errors,
                sound=not errors,
                names=names,
            ),
            errors=tuple(_problem_text(problem, dataset.filename) for problem in errors),
        )


def _checksums(values: Named) -> dict[str, object]:
    return {name: value for name, value in values.items() if name.startswith("arrays.") and name.endswith(".crc32")}


def _without_attachments(values: Named) -> Named:
    return {name: value for name, value in values.items() if not name.startswith("attachments.")}


def _problem_text(problem: Problem, filename: str) -> str:
    array = problem.where.removeprefix(filename).removeprefix(":")
    return f"{array}: {problem.message}" if array else problem.message
