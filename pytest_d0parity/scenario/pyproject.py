"""The settings of a project: ``[tool.d0parity]`` in its ``pyproject.toml``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..util.errors import UsageError
from ..util.files import describe_os_error
from ..util.text import printable
from .layout import LAYOUT_KEYS, LayoutError, make_layout
from .thresholds import Level, Threshold, ThresholdError, threshold_of


class ProjectError(UsageError, ValueError):
    """A ``pyproject.toml`` cannot be read or has a mistake in our table. The message names the file and the key."""


@dataclass(frozen=True, kw_only=True)
class ScenarioTable:
    """A table ``[tool.d0parity.scenarios.ID]``; a key that it does not have is None.

    Paths are as written, relative to `Project.folder`. `layout` holds the settings of a `layout.Layout`.
    """

    dataset_root: str | None = None
    baseline_params: str | None = None
    baseline_metrics: str | None = None
    attachments: tuple[str, ...] | None = None
    limit_datasets: tuple[str, ...] | None = None
    references: tuple[str, ...] | None = None
    compare: Level | None = None
    layout: Mapping[str, Any] = field(default_factory=dict)
    thresholds: tuple[Threshold, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Project:
    """A table ``[tool.d0parity]``.

    Attributes
    ----------
    path : str or None
        The ``pyproject.toml``; None where no file has such a table.
    reports_root : str or None
        Folder for the artifacts of runs without an output option, as written.
    thresholds : tuple of Threshold
        Apply to all scenarios.
    scenarios : dict of str to ScenarioTable
        The tables of the scenarios, by ID.
    """

    path: str | None = None
    reports_root: str | None = None
    thresholds: tuple[Threshold, ...] = ()
    scenarios: Mapping[str, ScenarioTable] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The folder that the paths in the table are relative to."""
        return os.path.dirname(self.path) if self.path else ""


def find_project(start: str) -> Project:
    """Read the nearest ``pyproject.toml`` that has a table ``[tool.d0parity]``.

    Parameters
    ----------
    start : str
        The folder in which the search begins, or a file of settings that is looked at first; it goes on in the folders
        above.

    Returns
    -------
    Project
        Without any settings where there is no such table.

    Raises
    ------
    ProjectError
        If a file cannot be read, or its table holds something unknown or of the wrong kind.
    """
    found = _nearest_table(start)
    if found is None:
        return Project()
    path, table = found
    try:
        return _project(path, table)
    except ValueError as error:
        raise ProjectError(f"{printable(path)}: {error}") from None


def named_references(start: str) -> tuple[str, ...]:
    """Return the paths of all references that the tables of a project name, whatever else is wrong in them.

    Parameters
    ----------
    start : str
        As for `find_project`.

    Raises
    ------
    ProjectError
        If a file cannot be read.
    """
    path, table = _nearest_table(start) or ("", {})
    scenarios = table.get("scenarios") if isinstance(table, dict) else None
    named: list[Any] = []
    for scenario in scenarios.values() if isinstance(scenarios, dict) else ():
        if isinstance(scenario, dict):
            several = scenario.get("references")
            named += [scenario.get("reference"), *(several if isinstance(several, list) else ())]
    return tuple(os.path.join(os.path.dirname(path), name) for name in named if isinstance(name, str))


def _nearest_table(start: str) -> tuple[str, Any] | None:
    """Return the nearest file that has a table ``[tool.d0parity]``, and that table."""
    for path in _candidates(os.path.abspath(start)):
        if os.path.isfile(path):
            tool = _read_tool(path)
            if "d0parity" in tool:
                return path, tool["d0parity"]
    return None


def _candidates(start: str) -> Iterator[str]:
    """Return the files that may have our table, the nearest first."""
    folder = Path(start)
    if folder.is_file():
        if folder.suffix == ".toml":
            yield start
        folder = folder.parent
    yield from (str(each / "pyproject.toml") for each in (folder, *folder.parents))


def _read_tool(path: str) -> dict[str, Any]:
    """Return the table ``[tool]`` of a file."""
    import tomllib  # here, since most sessions have no such file

    try:
        with open(path, "rb") as file:
            tool = tomllib.load(file).get("tool", {})
    except OSError as error:
        raise ProjectError(f"{printable(path)} cannot be read: {describe_os_error(error)}") from None
    except (ValueError, RecursionError) as error:  # ValueError also from tomllib, and for bytes that are not UTF-8
        raise ProjectError(f"{printable(path)}: {error}") from None
    return tool if isinstance(tool, dict) else {}


def _project(path: str, table: Any) -> Project:
    from .tables import ProjectKeys, read_table  # imports msgspec

    keys = read_table("tool.d0parity", table, ProjectKeys)
    return Project(
        path=path,
        reports_root=keys.reports_root,
        thresholds=_thresholds("tool.d0parity", keys.thresholds),
        scenarios={name: _scenario(f"tool.d0parity.scenarios.{name}", entry) for name, entry in keys.scenarios.items()},
    )


def _scenario(name: str, table: Any) -> ScenarioTable:
    from .tables import ScenarioKeys, read_table  # imports msgspec

    keys = read_table(name, table, ScenarioKeys)
    if keys.reference and keys.references:
        raise ValueError(f"{name} has both reference and references; name one reference, or several accepted runs")
    return ScenarioTable(
        dataset_root=keys.dataset_root,
        baseline_params=keys.baseline_params,
        baseline_metrics=keys.baseline_metrics,
        attachments=keys.attachments,
        limit_datasets=keys.limit_datasets,
        references=keys.references or (keys.reference and (keys.reference,)) or None,
        compare=keys.compare,
        layout=_layout(name, {key: getattr(keys, key) for key in LAYOUT_KEYS}),
        thresholds=_thresholds(name, keys.thresholds),
    )


def _layout(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    try:
        make_layout(settings)  # a mistake is told as one of this table
    except LayoutError as error:
        raise ValueError(f"{name}: {error}") from None
    return settings


def _thresholds(name: str, settings: Mapping[str, Any]) -> tuple[Threshold, ...]:
    try:
        return tuple(threshold_of(pattern, setting) for pattern, setting in settings.items())
    except ThresholdError as error:
        raise ValueError(f"{name}.thresholds: {error}") from None
