"""What the options and the project's tables ask of a session."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from ..comparison.compare_log import read_references
from ..evidence.file import LogError, LogFile
from ..reports.writer import is_log_of
from ..scenario.options import OPTIONS
from ..scenario.pyproject import Project, find_project, named_references
from ..scenario.scenario import Scenario, ScenarioError, default_output, make_scenario
from ..util.errors import ParityError
from ..util.text import printable


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a session is asked to do.

    Attributes
    ----------
    scenario : Scenario
        What to check.
    started_in : str
        The folder that pytest was started in.
    output : str
        The folder for the artifacts.
    shown_output : str
        The same folder, as the user gave it, or relative to `started_in`.
    history : str or None
        Path of the attempts history to append to.
    update : bool
        Whether the observed values become the reference, which the scenario then names.
    attest : bool
        Whether to write what the log attests.
    cache : bool
        Whether measurements of earlier runs may be used.
    partial : bool
        Whether it is meant that others than the user leave checks out.
    """

    scenario: Scenario
    started_in: str
    output: str
    shown_output: str
    history: str | None
    update: bool
    attest: bool
    cache: bool
    partial: bool


def read_settings(config: pytest.Config) -> Settings:
    """Read the options of a session and the tables of its project.

    Raises
    ------
    ParityError
        If they cannot be followed.
    """
    started_in = str(config.invocation_params.dir)
    options = {name: config.getoption(f"parity_{name}") for name in OPTIONS}
    scenario_id = config.getoption("parity_scenario")
    if not scenario_id:
        raise ScenarioError("--parity-scenario is empty; name a scenario")
    project = _project(config, started_in)
    scenario = make_scenario(project, scenario_id, options, started_in)
    given = options["output"]
    output = os.path.join(started_in, given) if given else default_output(project, started_in)
    update = bool(config.getoption("parity_update_reference"))
    if update:
        _check_update(scenario, options, output)
    history = options["history"]
    return Settings(
        scenario=scenario,
        started_in=started_in,
        output=output,
        shown_output=given or os.path.relpath(output, started_in),
        history=None if history is None else os.path.join(started_in, history),
        update=update,
        attest=bool(config.getoption("parity_attest")),
        cache=not options["no_cache"],
        partial=bool(config.getoption("parity_partial")),
    )


def all_references(config: pytest.Config) -> list[str]:
    """Return the paths of all references that options and tables name, whatever else is wrong in them.

    Raises
    ------
    ProjectError
        If the file of a table cannot be read.
    """
    started_in = str(config.invocation_params.dir)
    given = [os.path.join(started_in, path) for path in config.getoption("parity_reference") or ()]
    return [*given, *(path for start in _starts(config, started_in) for path in named_references(start))]


def _starts(config: pytest.Config, started_in: str) -> Iterator[str]:
    """Return where to look for the project: ``-c FILE``, the folder that pytest was started in, and its root.

    pytest may take the value of an option for a path to tests, and its root for another one.
    """
    named = config.getoption("inifilename")
    yield from filter(None, (named and os.path.join(started_in, named), started_in, str(config.rootpath)))


def _project(config: pytest.Config, started_in: str) -> Project:
    for start in _starts(config, started_in):
        project = find_project(start)
        if project.path:
            return project
    return Project()


def _check_update(scenario: Scenario, options: dict[str, Any], output: str) -> None:
    if scenario.reference_path is None:
        raise ScenarioError(
            "which reference is to be updated? Name it by --parity-reference LOG or in the project's table"
        )
    if len(scenario.references) > 1:
        raise ScenarioError("several accepted runs are not written by --parity-update-reference; name one of them")
    for name in ("threshold", "compare"):
        if options[name]:
            raise ScenarioError(
                "--parity-update-reference accepts the observed values instead of comparing them, so it cannot be "
                f"combined with --parity-{name}"
            )
    if is_log_of(output, scenario.reference_path):
        raise ScenarioError("the reference is the log that this session writes; name another --parity-output")


def references_of(settings: Settings) -> tuple[LogFile, ...]:
    """Read the references to compare with; none if there is none, or if it will be updated.

    Raises
    ------
    LogError
        If it cannot be read, also if it will be updated, because that would fail after all was measured.
    """
    path = settings.scenario.reference_path
    is_there = path is not None and os.path.lexists(path)
    if settings.update and not is_there:
        return ()
    try:
        references = read_references(settings.scenario)
    except LogError as error:
        advice = "" if is_there else "; to make it of what is observed, add --parity-update-reference"
        raise LogError(f"the reference: {error}{advice}") from None
    return () if settings.update else references


@contextmanager
def usage_errors() -> Iterator[None]:
    """Raise errors that the user can put right as pytest's `UsageError`, which ends the session before any test."""
    try:
        yield
    except ParityError as error:
        raise pytest.UsageError(*map(printable, error.sentences)) from None
