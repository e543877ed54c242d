"""The artifacts of a run, written in the same way for the command line and for pytest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..evidence.artifacts import LOG, PAGE, PROBES
from ..evidence.file import LogFile
from ..evidence.model import EvidenceLog
from ..evidence.probe_archive import Probes, collect_probes, read_probes
from ..reports.history import append_to_history
from ..reports.outcome import outcome_of
from ..reports.writer import Artifacts, append_to_step_summary, is_log_of, render_page, write_artifacts
from ..scenario.scenario import Scenario
from ..util.errors import ParityError
from ..util.text import printable


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
    say: Callable[[str], None],
    *,
    history: str | None = None,
    shown_output: str | None = None,
) -> Publication:
    """Write the artifacts of a log. A page that cannot be made does not keep the others from being written.

    Parameters
    ----------
    scenario : Scenario
        What it is about, and where the datasets and the reference lie.
    output : str
        A folder that is there.
    reference : LogFile or None
        The log that it was compared with.
    say : callable
        Is told what is waited for.
    history : str, optional
        The Markdown file whose attempts history gets an entry.
    shown_output : str, optional
        What to call `output` there; by default as it is.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C. While the page is made, all else is written first.
    """
    errors: list[str] = []

    def attempt(step: Callable[[], object]) -> bool:
        try:
            step()
        except ParityError as error:
            errors.append(str(error))
            return False
        return True

    artifacts, more = Artifacts(log), dict[str, bytes]()
    if not (log.verdict != "match" and is_log_of(output, scenario.reference_path)):
        try:
            attempt(lambda: more.update(_shown(artifacts, scenario, reference)))
        except KeyboardInterrupt:
            write_artifacts(artifacts, output, {}, say, scenario.reference_path)
            path = printable(os.path.join(shown_output or output, LOG))
            say(f"{path} is written without its page, which was interrupted")
            raise
    written = attempt(lambda: write_artifacts(artifacts, output, more, say, scenario.reference_path))
    attempt(lambda: append_to_step_summary(log))
    if history is not None:
        attempt(lambda: append_to_history(history, log, shown_output or output, say))
    return Publication(is_written=written, errors=tuple(errors))


def _shown(artifacts: Artifacts, scenario: Scenario, reference: LogFile | None) -> Iterator[tuple[str, bytes]]:
    """Yield the probes, and the page that shows them."""
    log = artifacts.log
    # Read before the probes of the run are written: those of the reference may lie in the same folder.
    trusted = _with_probes(reference, scenario.reference_path) if log.reference is not None else None
    probes = collect_probes(log.datasets, scenario.dataset_path)
    yield PROBES, artifacts.probes(probes)
    yield PAGE, render_page(log, artifacts.sha256, probes, trusted, outcome_of(log))


def _with_probes(reference: LogFile | None, path: str | None) -> tuple[LogFile, Probes] | None:
    if reference is None or path is None:
        return None
    return reference, read_probes(os.path.dirname(path))
