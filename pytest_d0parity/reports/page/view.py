"""The top of the page and its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...evidence.dataset import Scalar
from ...evidence.model import SHOWN
from ...util.text import printable
from ..layout_table import layout_rows
from ..outcome import Outcome
from .compared_parts import ComparedParts, dataset_of
from .shown_log import ShownDataset, ShownLog

_FEW = 24  # datasets, up to which every section is open
_SCANS = 2  # from so many scans on they are shown one by one


@dataclass(frozen=True)
class Row:
    """A dataset in its table."""

    name: str
    dataset: ShownDataset
    drift: int
    problems: int


class PageView:
    """The top of the page, and its tables.

    Attributes
    ----------
    limit : int
        Rows of a table whose length the number of datasets does not bound.
    """

    limit = 2000

    def __init__(self, run: ShownLog, reference: ShownLog | None, outcome: Outcome, parts: ComparedParts) -> None:
        self._run = run
        self._reference = reference
        self._outcome = outcome
        self._parts = parts
        self.open = len(run.datasets) <= _FEW
        self.unsound = run.log.has_errors

    @property
    def layout(self) -> list[tuple[str, str]]:
        """How the sweep is kept, where it was not all found by convention under the usual names."""
        return [(what, how) for what, how in layout_rows(self._run.log) if what in ("dose", "arrays", "domain")]

    @property
    def title(self) -> str:
        """The verdict, and the name of the scenario."""
        return f"{self._run.log.verdict.replace('_', ' ')}: {self._run.log.metadata.scenario_id}"

    @property
    def state(self) -> str:
        """The verdict that the page shows: ``incomplete`` instead of a good one if something could not be read."""
        well = ("recorded", *SHOWN)
        doubtful = self.unsound or bool(self.failed_checks())
        return "incomplete" if doubtful and self._run.log.verdict in well else self._run.log.verdict

    @property
    def next_steps(self) -> list[str]:
        """What to do next, in sentences."""
        run, steps = self._run, []
        if self.unsound:
            steps.append("Something could not be read or measured: see the problems, put them right, and run again.")
        elif any(not problem.accepted and problem.name != "unmeasured" for problem in run.log.all_problems):
            steps.append("Look at the warnings: something was measured and looks wrong.")
        elif any(check.outcome in ("failed", "error") for check in run.log.checks):
            steps.append("Look at the checks that failed.")
        drifts = any(difference.verdict == "drift" for difference in self._outcome.differences)
        match "drift" if drifts else run.log.verdict:
            case "recorded":
                steps.append(
                    "Hand it over: `d0parity bundle` packs the log with the data. The other side checks them by "
                    "`d0parity verify`, and its own data by `d0parity log --reference dose_parity_log.json`."
                )
            case "match" if not steps:
                left = len(self._outcome.left_out)
                steps.append(
                    f"What was looked at is the same. Left out, as asked: {left} of what the reference holds."
                    if left
                    else "Nothing: both sides hold the same values."
                )
            case "within_thresholds":
                steps.append("Look at the values that moved. If their thresholds are what you agreed on, all is well.")
            case "drift":
                steps += self._outcome.next_steps
                if not self.unsound:
                    steps.append(
                        "If the change is meant, accept it with `--parity-update-reference`, and have it reviewed."
                    )
            case "incomplete" if not steps:
                steps.append("Run everything that was planned: what was not looked at shows no parity.")
        return steps

    def scans(self) -> Iterator[tuple[str, Any, Any]]:
        """Yield name, scan, and the reference's mean of it, for the datasets that have several."""
        for name, dataset in self._run.datasets.items():
            other = self._reference.datasets.get(name) if self._reference else None
            means = {scan.scan_index: scan.mean for scan in (other.record.scans if other else ())}
            if len(dataset.record.scans) >= _SCANS:
                for scan in dataset.record.scans:
                    yield name, scan, means.get(scan.scan_index)

    def many_scans(self) -> list[str]:
        """Return the names of datasets with too many scans to list."""
        return [
            printable(name)
            for name, dataset in self._run.datasets.items()
            if not dataset.record.scans and _is_more_than(dataset.values.get("grouped.n_unique_scans"), 1)
        ]

    def rows(self) -> Iterator[Row]:
        """Yield the rows of the table of datasets."""
        problems = Counter(dataset_of(problem.where, self._run.datasets) for problem in self._run.log.all_problems)
        for name, dataset in self._run.datasets.items():
            yield Row(name, dataset, self._parts.drift_count(name), problems[name])

    def baseline(self, part: str) -> list[tuple[str, Scalar, Scalar, str]]:
        """Return name, value, the reference's value and verdict of the parameters (``params``) or ``metrics``."""
        values = self._run.values.whole
        others = self._reference.values.whole if self._reference else {}
        names = [name for name in dict.fromkeys([*values, *others]) if name.startswith(f"{part}.")]
        return [(name, values.get(name), others.get(name), self._parts.verdict_beside(name)) for name in names]

    @property
    def baseline_differs(self) -> bool:
        """Whether a parameter or a metric is not the reference's, or there is none to compare with."""
        verdicts = {verdict for part in ("params", "metrics") for *_, verdict in self.baseline(part)}
        return verdicts != {"same"}

    def failed_checks(self) -> list[tuple[str, str]]:
        """Return outcome and id of the checks that did not pass."""
        return [
            (check.outcome.replace("_", " "), check.id) for check in self._run.log.checks if check.outcome != "passed"
        ]


def _is_more_than(value: Scalar, than: int) -> bool:
    return isinstance(value, int) and value > than
