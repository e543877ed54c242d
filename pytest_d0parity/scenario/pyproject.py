"""What a project says about itself: ``[tool.d0parity]`` in its ``pyproject.toml``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..util.errors import UsageError
from ..util.files import describe_os_error
from ..util.text import printable
from .thresholds import Threshold, ThresholdError, threshold_of


class ProjectError(UsageError, ValueError):
    """A ``pyproject.toml`` that says something nobody can follow. The message names the file and the key."""


@dataclass(frozen=True, kw_only=True)
class ScenarioTable:
    """A table ``[tool.d0parity.scenarios.ID]``; what it does not say is None.

    Paths are as written, relative to `Project.folder`.
    """

    dataset_root: str | None = None
    baseline_params: str | None = None
    limit_datasets: tuple[str, ...] | None = None
    reference: str | None = None
    thresholds: tuple[Threshold, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Project:
    """A table ``[tool.d0parity]``.

    Attributes
    ----------
    path : str or None
        The ``pyproject.toml``; None where no file has such a table.
    reports_root : str or None
        Where the artifacts of a run go that names no output, as written.
    thresholds : tuple of Threshold
    scenarios : dict of str to ScenarioTable
    """

    path: str | None = None
    reports_root: str | None = None
    thresholds: tuple[Threshold, ...] = ()
    scenarios: Mapping[str, ScenarioTable] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """What the paths in it are relative to."""
        return os.path.dirname(self.path) if self.path else ""


def find_project(start: str) -> Project:
    """Read the nearest ``pyproject.toml`` that has a table ``[tool.d0parity]``.

    Parameters
    ----------
    start : str
        The folder to begin with; then those above it.

    Returns
    -------
    Project
        An empty one where there is no such table.

    Raises
    ------
    ProjectError
        If a file cannot be read, or its table holds something unknown or of the wrong kind.
    """
    folder = os.path.abspath(start)
    while True:
        path = os.path.join(folder, "pyproject.toml")
        if os.path.isfile(path):
            table = _table(path)
            if table is not None:
                return table
        above = os.path.dirname(folder)
        if above == folder:
            return Project()
        folder = above


def _table(path: str) -> Project | None:
    import tomllib  # where there is such a file

    try:
        with open(path, "rb") as file:
            tool = tomllib.load(file).get("tool", {})
        if not isinstance(tool, dict) or "d0parity" not in tool:
            return None
        return _project(path, tool["d0parity"])
    except OSError as error:
        raise ProjectError(f"{printable(path)} cannot be read: {describe_os_error(error)}") from None
    except (ValueError, RecursionError) as error:  # also of tomllib, and of bytes that are not UTF-8
        raise ProjectError(f"{printable(path)}: {error}") from None


def _project(path: str, table: Any) -> Project:
    table = _known("tool.d0parity", table, ("reports_root", "thresholds", "scenarios"))
    scenarios = table.get("scenarios", {})
    if not isinstance(scenarios, dict):
        raise ValueError("tool.d0parity.scenarios is no table")
    return Project(
        path=path,
        reports_root=_text("tool.d0parity", table, "reports_root"),
        thresholds=_thresholds("tool.d0parity", table),
        scenarios={name: _scenario(f"tool.d0parity.scenarios.{name}", entry) for name, entry in scenarios.items()},
    )


def _scenario(where: str, table: Any) -> ScenarioTable:
    keys = ("dataset_root", "baseline_params", "limit_datasets", "reference", "thresholds")
    table = _known(where, table, keys)
    names = table.get("limit_datasets")
    if names is not None and (not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names)):
        raise ValueError(f"{where}.limit_datasets is no list of file names")
    return ScenarioTable(
        dataset_root=_text(where, table, "dataset_root"),
        baseline_params=_text(where, table, "baseline_params"),
        limit_datasets=None if names is None else tuple(names),
        reference=_text(where, table, "reference"),
        thresholds=_thresholds(where, table),
    )


def _known(where: str, table: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise ValueError(f"{where} is no table")
    for key in table:
        if key not in keys:
            raise ValueError(f"{where} has an unknown key {key!r}; known are {', '.join(keys)}")
    return table


def _text(where: str, table: dict[str, Any], key: str) -> str | None:
    value = table.get(key)
    if value is not None and (not isinstance(value, str) or not value):
        raise ValueError(f"{where}.{key} is {value!r}; a text is expected")
    return value


def _thresholds(where: str, table: dict[str, Any]) -> tuple[Threshold, ...]:
    settings = table.get("thresholds", {})
    if not isinstance(settings, dict):
        raise ValueError(f"{where}.thresholds is no table of patterns and limits")
    try:
        return tuple(threshold_of(pattern, setting) for pattern, setting in settings.items())
    except ThresholdError as error:
        raise ValueError(f"{where}.thresholds: {error}") from None
