"""The datasets of a log as a table for the terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..comparison.difference import MISSING, PRESENT, dataset_at
from ..evidence.dataset import Dataset, Scalar
from ..evidence.model import EvidenceLog
from ..statistics.records import STAGES
from ..util.text import counted, more_than, printable, valid_utf8
from .outcome import Outcome

_ROWS = 40


def sweep_table(log: EvidenceLog, outcome: Outcome) -> str:
    """Return a table of datasets: dose, photons counted back, SHA-256, the means of the stages, and drift.

    Parameters
    ----------
    outcome : Outcome
        What came of the comparison, if there was one.

    Returns
    -------
    str
        For standard output as it is: as wide, and with colours where it takes them. Of more than 40 datasets, those
        that drift come first, and the others are counted.
    """
    datasets = {valid_utf8(dataset.filename): dataset for dataset in log.datasets}
    drift = _drift(datasets, outcome)
    names = [*datasets, *(name for name in drift if name not in datasets)]
    if len(names) > _ROWS:
        names.sort(key=lambda name: name not in drift)
    grid = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    grid.add_column("dataset", overflow="fold", min_width=13)
    for column in ("dose", "counted", "sha256", *STAGES):
        grid.add_column(column, justify="left" if column == "sha256" else "right", no_wrap=True)
    if outcome.reference is not None:
        grid.add_column("drift", no_wrap=True)
    for name in names[:_ROWS]:
        grid.add_row(Text(printable(name)), *_cells(datasets.get(name)), *_drift_cells(drift.get(name), outcome))
    console = Console(file=sys.stdout, highlight=False)
    with console.capture() as capture:
        console.print(grid)
    lines = [line.rstrip() for line in capture.get().rstrip().splitlines()]
    return "\n".join([*lines, *more_than(_ROWS, len(names), "datasets")])


def _drift(datasets: Mapping[str, Dataset], outcome: Outcome) -> dict[str, str]:
    """Return how each dataset that differs from the reference does."""
    counts: dict[str, int] = {}
    told: dict[str, str] = {}
    for difference in outcome.differences:
        name = dataset_at(difference.where, datasets)
        if difference.verdict != "drift":
            continue
        if name is not None:
            counts[name] = counts.get(name, 0) + 1
        elif (difference.expected, difference.observed) == (PRESENT, MISSING):
            told[difference.where] = "missing"
    for name, count in counts.items():
        told[name] = counted(count, "value")
    for difference in outcome.differences:
        if difference.where in datasets and difference.expected == MISSING:
            told[difference.where] = "extra"
    return told


def _cells(dataset: Dataset | None) -> list[Text]:
    if dataset is None:
        return [Text("-")] * 6
    photons, stages = dataset.photons, [getattr(dataset.stats, stage) for stage in STAGES]
    counted = None if photons is None else photons.per_pattern
    cells = [
        printable(dataset.photon_dose or "-"),
        "no quanta" if photons and photons.quantized is False else _rounded(counted),
        printable(str(dataset.sha256 or "-"))[:8],
        *(_rounded(None if stats is None else stats.mean) for stats in stages),
    ]
    return [Text(cell) for cell in cells]


def _drift_cells(drift: str | None, outcome: Outcome) -> list[Text]:
    if outcome.reference is None:
        return []
    return [Text(drift, style="bold red") if drift else Text("-", style="green")]


def _rounded(value: Scalar) -> str:
    if not isinstance(value, int | float):
        return "-"
    try:
        return f"{value:.4g}".replace("e+0", "e").replace("e-0", "e-")
    except OverflowError:  # an integer beyond all floats
        return "-"
