"""Several runs side by side, over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...comparison.difference import is_finite_number
from ...comparison.values import Values, values_of
from ...evidence.dataset import Scalar
from ...evidence.model import EvidenceLog
from .drawing.charts import Chart, over_number

_OF_DATASETS = ("sha256", "photons.per_pattern", "raw.mean", "raw.std", "raw.p99", "probe.l2_norm")
_MOST = 24  # values that are drawn


@dataclass(frozen=True)
class RunRow:
    """A value, and what it is in each run; `differs` where it is not the same in all of them."""

    name: str
    values: Sequence[Scalar]
    differs: bool


@dataclass(frozen=True)
class RunTable:
    """Several runs, the earliest first.

    Attributes
    ----------
    logs : sequence of EvidenceLog
        The runs.
    rows : sequence of RunRow
        Values of datasets, and metrics, those that differ first.
    charts : sequence of Chart
        Numbers that differ, over the number of the run.
    """

    logs: Sequence[EvidenceLog]
    rows: Sequence[RunRow]
    charts: Sequence[Chart]


def run_table(logs: Sequence[EvidenceLog]) -> RunTable | None:
    """Return runs side by side; None for fewer than two."""
    if len(logs) < 2:
        return None
    ordered = sorted(logs, key=lambda log: str(log.metadata.timestamp))
    rows = sorted(_rows([values_of(log) for log in ordered]), key=lambda row: not row.differs)
    charts = [_chart(row) for row in rows if row.differs and all(map(is_finite_number, row.values))]
    return RunTable(ordered, rows, charts[:_MOST])


def _rows(runs: Sequence[Values]) -> Iterator[RunRow]:
    for dataset in dict.fromkeys(name for run in runs for name in run.datasets):
        for name in _OF_DATASETS:
            values = [run.datasets.get(dataset, {}).get(name) for run in runs]
            if any(value is not None for value in values):
                yield _row(f"{dataset}:{name}", values)
    for name in dict.fromkeys(name for run in runs for name in run.baseline.metrics):
        yield _row(name, [run.baseline.metrics.get(name) for run in runs])


def _row(name: str, values: Sequence[Scalar]) -> RunRow:
    return RunRow(name, values, len({repr(value) for value in values}) > 1)


def _chart(row: RunRow) -> Chart:
    places = [(float(number), float(value or 0)) for number, value in enumerate(row.values, 1)]
    return over_number(row.name, "run", places, [])
