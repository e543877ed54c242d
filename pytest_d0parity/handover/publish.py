"""The artifacts of a run, written in the same way for the command line and for pytest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ..evidence.artifacts import LOG, PAGE, PICTURES, SUMS, write_artifact
from ..evidence.file import LogFile, read_log
from ..evidence.model import EvidenceLog
from ..evidence.pictures import (
    Pictures,
    collect_pictures,
    named_after,
    pictures_beside,
    pictures_to_bytes,
    read_pictures,
)
from ..reports.csv_tables import checksums
from ..reports.digest import step_summary
from ..reports.history import append_to_history
from ..reports.outcome import outcome_of
from ..reports.writer import Artifacts, append_to_step_summary, is_log_of, render_page, write_artifacts
from ..scenario.scenario import Scenario
from ..statistics.frames.frame_pictures import FramePictures
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
    frames: Mapping[str, FramePictures],
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
    frames : mapping of str to FramePictures
        What was seen of the frames of each dataset when it was measured, by file name.
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
            attempt(lambda: more.update(_shown(artifacts, frames, scenario, reference)))
        except KeyboardInterrupt:
            write_artifacts(artifacts, output, {}, say, scenario.reference_path)
            path = printable(os.path.join(shown_output or output, LOG))
            say(f"{path} is written without its page, which was interrupted")
            raise
    written = attempt(lambda: write_artifacts(artifacts, output, more, say, scenario.reference_path))
    attempt(lambda: append_to_step_summary(step_summary(log)))
    if history is not None:
        attempt(lambda: append_to_history(history, log, shown_output or output, say))
    return Publication(is_written=written, errors=tuple(errors))


def keep_beside_reference(path: str, output: str) -> None:
    """Write what the page and a look at the files need beside a reference that was updated, named after it.

    Parameters
    ----------
    path : str
        The reference, which is there.
    output : str
        The folder of the run that it was updated from, whose pictures replace those of the same datasets.

    Raises
    ------
    LogError, ReportError
        If the reference cannot be read, or something cannot be written.
    """
    file = read_log(path)
    old, new = read_pictures(pictures_beside(path)), read_pictures(os.path.join(output, PICTURES))
    kept = old.joined(new).limited_to(file.log.datasets)
    write_artifact(named_after(path, PICTURES), pictures_to_bytes(kept, file.sha256))
    write_artifact(named_after(path, SUMS), checksums(file.log))


def _shown(
    artifacts: Artifacts, frames: Mapping[str, FramePictures], scenario: Scenario, reference: LogFile | None
) -> Iterator[tuple[str, bytes]]:
    """Yield the pictures, and the page that shows them."""
    log = artifacts.log
    # Read before the pictures of the run are written: those of the reference may lie in the same folder.
    trusted = _with_pictures(reference, scenario.reference_path) if log.reference is not None else None
    pictures = collect_pictures(log.datasets, scenario.dataset_path, frames)
    yield PICTURES, artifacts.pictures(pictures)
    yield PAGE, render_page(log, artifacts.sha256, pictures, trusted, outcome_of(log))


def _with_pictures(reference: LogFile | None, path: str | None) -> tuple[LogFile, Pictures] | None:
    if reference is None or path is None:
        return None
    return reference, read_pictures(pictures_beside(path))
