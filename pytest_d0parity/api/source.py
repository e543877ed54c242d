"""What can be compared: a log, a folder that is measured, or what comes through a pipe."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
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


def note_on_files(given: str, path: str | None) -> list[str]:
    """Say so where a log stands for its folder, so that nobody looks at the files beside it."""
    if path in (None, given):
        return []
    return [
        f"{printable(given)} holds a log, which is compared; the files beside it were not looked at: d0parity verify "
        f"{printable(str(path))} does that"
    ]


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


def without_baseline(files: Sequence[LogFile]) -> tuple[list[LogFile], list[str]]:
    """Leave out of logs what a folder that is measured does not have: params, metrics, attachments, own checks.

    Returns
    -------
    notes : list of str
        That they are left out, where a log has some.
    """
    have = any(file.log.params or file.log.metrics or file.log.attachments for file in files)
    return [_without_baseline(file) for file in files], [_NO_BASELINE] if have else []


def _without_baseline(file: LogFile) -> LogFile:
    log = replace(file.log, params={}, baseline_params={}, metrics={}, attachments=(), checks=())
    return replace(file, log=log)


def in_memory(log: EvidenceLog, shown_as: str = "in memory") -> LogFile:
    """Return a log as if it had been read from a file."""
    from ..evidence.encoding import to_json

    return LogFile(shown_as, hashlib.sha256(to_json(log).encode()).hexdigest(), log)
