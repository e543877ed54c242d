"""What one log is about."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..util.errors import UsageError
from ..util.text import printable
from .options import DEFAULT_ID
from .pyproject import Project, ScenarioTable
from .thresholds import Threshold, parse_threshold

DEFAULT_ROOT = "photon_grid_study_20250826_152459"
REPORTS_ROOT = "plans/active/seed/reports"

_PATHS = ("dataset_root", "baseline_params", "reference")


class ScenarioError(UsageError, ValueError):
    """Options and tables that name no scenario, said in words."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What to look at.

    Attributes
    ----------
    scenario_id : str
        Name of the scenario.
    dataset_root : str
        FolderTree of the sweep, as given.
    baseline_params : str or None
        The ``params.dill`` of the baseline run, as given.
    limit_datasets : tuple of str or None
        Names of the datasets to look at; None for the whole sweep.
    trust_params : bool
        Load the params with dill itself, executing what the file says.
    reference : str or None
        The evidence log to compare with, as given.
    thresholds : tuple of Threshold
        How far a value may be from the reference; the last one that covers it counts.
    folders : dict of str to str
        For those of the paths above that are not relative to the current folder: what they are relative to.
    """

    scenario_id: str = DEFAULT_ID
    dataset_root: str = DEFAULT_ROOT
    baseline_params: str | None = None
    limit_datasets: tuple[str, ...] | None = None
    trust_params: bool = False
    reference: str | None = None
    thresholds: tuple[Threshold, ...] = ()
    folders: Mapping[str, str] = field(default_factory=dict)

    @property
    def root_path(self) -> str:
        """Where the dataset root is."""
        return self._located("dataset_root", self.dataset_root)

    @property
    def params_path(self) -> str | None:
        """Where the params file is."""
        return self.baseline_params and self._located("baseline_params", self.baseline_params)

    @property
    def reference_path(self) -> str | None:
        """Where the reference is."""
        return self.reference and self._located("reference", self.reference)

    def dataset_path(self, filename: str) -> str:
        """Where a dataset is."""
        return os.path.join(self.root_path, filename)

    def _located(self, name: str, path: str) -> str:
        return os.path.join(self.folders.get(name, ""), path)


def make_scenario(project: Project, scenario_id: str, options: Mapping[str, Any], folder: str = "") -> Scenario:
    """Put together what a project's table says about a scenario, and the options that override it.

    Parameters
    ----------
    project : Project
    scenario_id : str
        May name one of the project's tables.
    options : mapping
        By the names of `options.OPTIONS`; None where one was not given.
    folder : str
        What the paths among the options are relative to.

    Returns
    -------
    Scenario

    Raises
    ------
    ScenarioError
        If the project has tables, none of them is that of the scenario, and no dataset root is given; or if there
        are thresholds on the command line, and nothing to compare with.
    """
    table = project.scenarios.get(scenario_id)
    if table is None:
        if project.scenarios and options["dataset_root"] is None and scenario_id != DEFAULT_ID:
            raise ScenarioError(_unknown(project, scenario_id))
        table = ScenarioTable()
    given = {name: options[name] for name in (*_PATHS, "limit_datasets") if options[name] is not None}
    written = {name: getattr(table, name) for name in (*_PATHS, "limit_datasets") if getattr(table, name) is not None}
    if options["threshold"] and "reference" not in written | given:
        raise ScenarioError("a threshold has no effect without a reference; name the log to compare with as well")
    return Scenario(
        scenario_id=scenario_id,
        trust_params=bool(options["trust_params"]),
        thresholds=thresholds_of(project, scenario_id, options["threshold"]),
        folders={name: project.folder if name in written and name not in given else folder for name in _PATHS},
        **written | given,
    )


def thresholds_of(project: Project, scenario_id: str, given: Iterable[str] | None) -> tuple[Threshold, ...]:
    """Put together the thresholds of a project, of a scenario's table, and those of the command line, which win."""
    table = project.scenarios.get(scenario_id, ScenarioTable())
    return (*project.thresholds, *table.thresholds, *map(parse_threshold, given or ()))


def _unknown(project: Project, scenario_id: str) -> str:
    there = ", ".join(printable(name) for name in project.scenarios)
    return (
        f"there is no table [tool.d0parity.scenarios.{printable(scenario_id)}] in {printable(project.path or '')}; "
        f"there is: {there}. Name one of these, add a table, or give the dataset root as an option"
    )


def default_output(project: Project, folder: str = "") -> str:
    """Where the artifacts go when nobody says: ``$ARTIFACT_DIR``, or a new folder named by the time in UTC.

    Parameters
    ----------
    project : Project
        Which may configure the ``reports_root``.
    folder : str
        What the result is relative to where no project says otherwise.
    """
    now = datetime.datetime.now(datetime.UTC)
    chosen = os.environ.get("ARTIFACT_DIR")
    if chosen:
        return os.path.join(folder, chosen)
    root = os.path.join(project.folder, project.reports_root) if project.reports_root else REPORTS_ROOT
    return os.path.join(folder, root, f"{now:%Y-%m-%dT%H%M%SZ}")
