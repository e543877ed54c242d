"""Logs and folders compared, for scripts and notebooks."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..comparison.comparator import Comparator
from ..comparison.compare_log import explain
from ..comparison.difference import Comparison
from ..comparison.values import Values, values_of
from ..evidence.drift import Reference
from ..evidence.file import LogFile
from ..reports.outcome import Outcome
from ..scenario.options import DEFAULT_ID, LEVELS
from ..scenario.pyproject import Project
from ..scenario.thresholds import Level, Threshold, parse_threshold, threshold_of
from ..util.errors import UsageError
from .source import Source, measure_folder, read_sides, scenario_of_folder

if TYPE_CHECKING:
    from ..statistics.frames.frame_pictures import FramePictures


class LevelError(UsageError, ValueError):
    """A level of comparison that there is not."""


def compare(
    reference: Source,
    log: Source,
    *,
    level: Level = "bytes",
    thresholds: Sequence[str] | Mapping[str, Any] = (),
) -> Outcome:
    """Compare a log, or a folder of datasets, with one that is trusted.

    Parameters
    ----------
    reference, log : path or EvidenceLog
        A log, the path of one, or a folder. A folder that holds a log is that log; any other is measured.
    level : {"bytes", "statistics"}
        How much has to agree.
    thresholds : sequence of str, or mapping
        As on the command line, ``["raw.mean:5%"]``, or as in ``pyproject.toml``, ``{"raw.mean": "5%"}``.

    Warns
    -----
    UserWarning
        Of a threshold that covers no value.

    Returns
    -------
    Outcome
        `verdict`, `sentence`, `findings`, `differences` and `notes`, which say what was not looked at; a notebook
        shows it as a table.

    Raises
    ------
    ParityError
        If something cannot be read, or a level or threshold is none.

    Examples
    --------
    >>> import tempfile
    >>> from pytest_d0parity.simulator import simulate_sweep
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = simulate_sweep(folder, doses=("1e4",), frames=40)
    ...     compare(folder, folder)
    <Outcome match: every compared value equals the reference ...>
    """
    if level not in LEVELS:
        raise LevelError(f"level {level!r} is none of {', '.join(map(repr, LEVELS))}")
    notes: list[str] = []
    trusted, file = read_sides((reference, log), _measure, notes.append)
    outcome, _, comparator, observed, comparison = judge(trusted, file, level, _thresholds(thresholds), notes)
    for problem in comparator.problems(observed, comparison):
        warnings.warn(problem.message, stacklevel=2)
    return outcome


def judge(
    reference: LogFile, file: LogFile, level: Level, thresholds: Sequence[Threshold], notes: Sequence[str] = ()
) -> tuple[Outcome, Reference, Comparator, Values, Comparison]:
    """Compare two logs. Return the outcome, the record for a log, and what a caller needs to tell of problems."""
    observed = values_of(file.log)
    comparator = Comparator.of(reference, thresholds, level)
    comparison = comparator.compare(observed)
    record = comparator.record_beside(observed.checks, comparison)
    outcome = Outcome(
        verdict=comparison.verdict,
        differences=comparison.differences,
        findings=explain(comparator, observed, comparison, (lambda: _frames(reference), lambda: _frames(file))),
        filenames=tuple(observed.datasets),
        reference=reference.path,
        left_out=record.left_out,
        not_compared=record.not_compared,
        compared=record.compared,
        verified=False,
        from_cache=len(file.log.metadata.from_cache) if file.frames is not None else 0,  # of what was measured now
        notes=tuple(notes),
    )
    return outcome, record, comparator, observed, comparison


def _frames(file: LogFile) -> Mapping[str, FramePictures]:
    from ..evidence.pictures import frames_beside

    return frames_beside(file.path) if file.frames is None else file.frames


def _thresholds(given: Sequence[str] | Mapping[str, Any]) -> list[Threshold]:
    if isinstance(given, Mapping):
        return [threshold_of(pattern, limit) for pattern, limit in given.items()]
    return [parse_threshold(text) for text in given]


def _measure(folder: str, other: LogFile | None) -> LogFile:
    """Measure a folder, which is kept as the log on the other side says."""
    return measure_folder(scenario_of_folder(Project(), DEFAULT_ID, {}, folder, other))
