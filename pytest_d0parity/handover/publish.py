"""The artifacts of a run, written in the same way for the command line and for pytest."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from ..evidence.artifacts import PROBES, write_artifact
from ..evidence.file import LogFile
from ..evidence.model import EvidenceLog
from ..evidence.probe_archive import Probes, collect_probes, probes_to_bytes, read_probes
from ..reports.history import append_to_history
from ..reports.outcome import outcome_of
from ..reports.writer import append_to_step_summary, is_log_of, write_page, write_reports
from ..scenario.scenario import Scenario
from ..util.errors import ParityError


@dataclass(frozen=True, kw_only=True)
class Publication:
    """The artifacts that were written.

    Attributes
    ----------
    is_written : bool
        Whether the log is there, with digest, tables and checksums.
    errors : tuple of str
        What could not be written, in sentences.
    """

    is_written: bool
    errors: tuple[str, ...]


def publish(
    log: EvidenceLog,
    scenario: Scenario,
    output: str,
    reference: LogFile | None,
    *,
    history: str | None = None,
    shown_output: str | None = None,
) -> Publication:
    """Write the artifacts of a log. One that fails does not keep the others from being written.

    Parameters
    ----------
    scenario : Scenario
        What it is about, and where the datasets and the reference lie.
    output : str
        A folder that is there.
    reference : LogFile or None
        The log that it was compared with.
    history : str, optional
        The Markdown file whose attempts history gets an entry.
    shown_output : str, optional
        What to call `output` there; by default as it is.
    """
    errors: list[str] = []

    def attempt(step: Callable[[], object]) -> bool:
        try:
            step()
        except ParityError as error:
            errors.append(str(error))
            return False
        return True

    written = attempt(lambda: write_reports(log, output, scenario.reference_path))
    attempt(lambda: _show(log, scenario, output, reference))
    attempt(lambda: append_to_step_summary(log))
    if history is not None:
        attempt(lambda: append_to_history(history, log, shown_output or output))
    return Publication(is_written=written, errors=tuple(errors))


def _show(log: EvidenceLog, scenario: Scenario, output: str, reference: LogFile | None) -> None:
    """Write the page, and the probes that it shows."""
    path = scenario.reference_path
    if log.verdict != "match" and is_log_of(output, path):
        return  # the log there is the reference, whose probes and page stay
    # Read before the probes of the run are written: those of the reference may lie in the same folder.
    trusted = _with_probes(reference, path) if log.reference is not None else None
    probes = collect_probes(log.datasets, scenario.dataset_path)
    write_artifact(os.path.join(output, PROBES), probes_to_bytes(probes.arrays))
    write_page(log, probes, trusted, outcome_of(log), output)


def _with_probes(reference: LogFile | None, path: str | None) -> tuple[LogFile, Probes] | None:
    if reference is None or path is None:
        return None
    return reference, read_probes(os.path.dirname(path))
