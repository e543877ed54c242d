"""What can be compared: a log, a folder that is measured, or what comes through a pipe."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any

from ..evidence.artifacts import LOG
from ..evidence.file import LogError, LogFile, parse_log, read_log
from ..evidence.model import EvidenceLog
from ..util.files import describe_os_error
from ..util.progress import NO_LISTENER, Listener
from ..util.text import printable

if TYPE_CHECKING:
    from ..scenario.pyproject import Project
    from ..scenario.scenario import Scenario

STANDARD_INPUT = "-"

_MOST = 1 << 29  # bytes of a log
_NO_BASELINE = (
    "params, metrics and attachments are not compared, for a folder that is measured has none: record it by d0parity "
    "log --baseline-params FILE"
)
_BAG = os.path.join("data", LOG)


def log_in(path: str) -> str | None:
    """Return the path of the log that a path stands for; None for a folder without one, which is to be measured."""
    if not os.path.isdir(path):
        return path
    return next((os.path.join(path, name) for name in (LOG, _BAG) if os.path.isfile(os.path.join(path, name))), None)


Source = str | os.PathLike[str] | EvidenceLog


def read_sides(
    given: tuple[Source, Source], measure: Callable[[str, LogFile | None], LogFile], note: Callable[[str], None]
) -> tuple[LogFile, LogFile]:
    """Read both sides of a comparison, and measure the folders that hold no log.

    Parameters
    ----------
    given : pair of path or EvidenceLog
        What is trusted, and what is compared with it.
    measure : callable
        Measures a folder; told of the log on the other side, if that is one.
    note : callable
        Told of what is not looked at.

    Raises
    ------
    ParityError
        If one of them cannot be read or measured.
    """
    logs = [_log_of(each, note) for each in given]
    sides = [
        measure(os.fspath(source), logs[1 - number]) if log is None and not isinstance(source, EvidenceLog) else log
        for number, (source, log) in enumerate(zip(given, logs, strict=True))
    ]
    files = [each for each in sides if each is not None]
    if None in logs:
        if any(file.log.params or file.log.metrics or file.log.attachments for file in files):
            note(_NO_BASELINE)
        files = [_without_baseline(file) for file in files]
    return files[0], files[1]


def _log_of(source: Source, note: Callable[[str], None]) -> LogFile | None:
    """Return the log that a source is or holds; None for a folder without one."""
    if isinstance(source, EvidenceLog):
        return in_memory(source)
    given = os.fspath(source)
    path = log_in(given)
    if path is None:
        return None
    if path != given:
        note(
            f"{printable(given)} holds a log, which is compared; the files beside it were not looked at: d0parity "
            f"verify {printable(path)} does that"
        )
    return read_source(path)


def read_source(path: str) -> LogFile:
    """Read a log from a file, from a pipe as it comes, or, for ``-``, from standard input.

    Raises
    ------
    LogError
        If it cannot be read, or is something else; it says which command takes that.
    """
    if path == STANDARD_INPUT:
        return parse_log(_all_of(sys.stdin.buffer, "standard input"), "standard input")
    if not os.path.lexists(path):
        raise LogError(f"{printable(path)} cannot be read: there is no such file or folder; check the path")
    try:
        is_pipe = not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        is_pipe = False  # reading it will fail, and say why
    if not is_pipe or os.path.isdir(path):
        return read_log(path)
    try:
        with open(path, "rb") as file:
            return parse_log(_all_of(file, path), path)
    except OSError as error:
        raise LogError(f"log {printable(path)} cannot be read: {describe_os_error(error)}; check the path") from None


def _all_of(file: IO[bytes], shown_as: str) -> bytes:
    data = file.read(_MOST + 1)
    if len(data) > _MOST:
        raise LogError(f"{printable(shown_as)} says more than {_MOST >> 20} MiB, which is no log")
    return data


def measure_folder(
    scenario: Scenario, listener: Listener = NO_LISTENER, note: Callable[[str], None] = lambda _: None
) -> LogFile:
    """Measure a folder, or take its measurements from the user's cache.

    Parameters
    ----------
    scenario : Scenario
        Whose dataset root is the folder.
    note : callable
        Told of what the work goes on without.

    Returns
    -------
    LogFile
        Named after the folder.

    Raises
    ------
    LogError
        If there is no dataset in it.
    """
    from ..capture.cache import open_user_cache
    from ..capture.local_pool import LocalPool, pool_size
    from ..scenario.sweep import sweep_sizes

    cache = open_user_cache(note)
    with LocalPool(pool_size(None, sweep_sizes(scenario), cache), note) as pool:
        from ..capture.run import capture_with_pictures
        from ..evidence.pictures import frames_by_hash

        measured = replace(scenario, references=())
        log, frames = capture_with_pictures(measured, listener, executor=pool, cache=cache)
    if not log.datasets:
        raise LogError(
            f"there is no dataset in {printable(scenario.dataset_root)}: d0parity scan says what is there, and how to "
            "log it"
        )
    return replace(in_memory(log, scenario.dataset_root), frames=frames_by_hash(log, frames))


def scenario_of_folder(
    project: Project, scenario_id: str, options: Mapping[str, Any], folder: str, other: LogFile | None
) -> Scenario:
    """Return the scenario by which a folder is measured.

    Parameters
    ----------
    options : mapping
        Those of the layout; others may be missing.
    other : LogFile or None
        The log that it is compared with: where nothing else is said, the folder is kept as this log says.

    Raises
    ------
    ParityError
        If it makes no scenario.
    """
    from ..scenario.layout import Layout
    from ..scenario.options import DEFAULT_ID, LAYOUT, OPTIONS
    from ..scenario.scenario import make_scenario

    given = {**dict.fromkeys(OPTIONS), **options, "dataset_root": folder, "reference": None, "threshold": None}
    scenario = make_scenario(project, scenario_id, {**given, "compare": None})
    scenario = replace(scenario, baseline_params=None, baseline_metrics=None, attachments=(), limit_datasets=None)
    told = scenario_id != DEFAULT_ID or any(options.get(name) for name in LAYOUT)
    layout = other.log.metadata.layout if other is not None else None
    return replace(scenario, layout=layout) if isinstance(layout, Layout) and not told else scenario


def _without_baseline(file: LogFile) -> LogFile:
    """Return a log without what a folder that is measured does not have: params, metrics, attachments, own checks."""
    log = replace(file.log, params={}, baseline_params={}, metrics={}, attachments=(), checks=())
    return replace(file, log=log)


def in_memory(log: EvidenceLog, shown_as: str = "in memory") -> LogFile:
    """Return a log as if it had been read from a file."""
    from ..evidence.encoding import to_json

    return LogFile(shown_as, hashlib.sha256(to_json(log).encode()).hexdigest(), log)
