"""The scenario that a log documents: what to capture, and what to compare it with."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..util.errors import UsageError
from ..util.text import printable, text_as_name
from .attachments import AttachedFile, attached_files
from .layout import DEFAULT_LAYOUT, Layout, make_layout
from .options import DEFAULT_ID, LAYOUT
from .pyproject import Project, ScenarioTable
from .thresholds import Level, Threshold, parse_threshold

DEFAULT_ROOT = "photon_grid_study_20250826_152459"
REPORTS_ROOT = "plans/active/seed/reports"

_PATHS = ("dataset_root", "baseline_params", "baseline_metrics", "attachments", "references")
_SETTINGS = (*_PATHS, "limit_datasets", "compare")


class ScenarioError(UsageError, ValueError):
    """The options and the project's tables do not define a scenario. The message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What to capture, and what to compare it with.

    Attributes
    ----------
    scenario_id : str
        Name of the scenario.
    dataset_root : str
        Folder of the sweep, as given.
    baseline_params : str or None
        The params file of the baseline run, as given.
    baseline_metrics : str or None
        A file of its metrics, as given.
    attachments : tuple of str
        Files that belong to the baseline run and are not measured, as given: ``[ROLE=]FILE``.
    limit_datasets : tuple of str or None
        Names of the datasets to capture; None for the whole sweep.
    layout : Layout
        How the sweep is kept.
    trust_params : bool
        Load the params with dill itself, which executes code in the file.
    references : tuple of str
        The evidence logs to compare with, as given: one, or several accepted runs.
    compare : str
        The level: ``bytes``, where everything has to agree, or ``statistics``.
    thresholds : tuple of Threshold
        Allowed differences from the reference; of those that cover a value the last one applies.
    folders : dict of str to str
        For each of the paths above that is not relative to the current folder, the folder it is relative to.
    """

    scenario_id: str = DEFAULT_ID
    dataset_root: str = DEFAULT_ROOT
    baseline_params: str | None = None
    baseline_metrics: str | None = None
    attachments: tuple[str, ...] = ()
    limit_datasets: tuple[str, ...] | None = None
    layout: Layout = DEFAULT_LAYOUT
    trust_params: bool = False
    references: tuple[str, ...] = ()
    compare: Level = "bytes"
    thresholds: tuple[Threshold, ...] = ()
    folders: Mapping[str, str] = field(default_factory=dict)

    @property
    def root_path(self) -> str:
        """Path of the dataset root."""
        return self._resolve("dataset_root", self.dataset_root)

    @property
    def params_path(self) -> str | None:
        """Path of the params file."""
        return self.baseline_params and self._resolve("baseline_params", self.baseline_params)

    @property
    def metrics_path(self) -> str | None:
        """Path of the file of metrics."""
        return self.baseline_metrics and self._resolve("baseline_metrics", self.baseline_metrics)

    @property
    def attached_files(self) -> tuple[AttachedFile, ...]:
        """The attachments."""
        return attached_files(self.attachments)

    def attachment_path(self, file: AttachedFile) -> str:
        """Return the path of an attachment."""
        return self._resolve("attachments", file.path)

    @property
    def reference(self) -> str | None:
        """The reference, or the first of several, as given."""
        return self.references[0] if self.references else None

    @property
    def reference_path(self) -> str | None:
        """Path of the reference, or of the first of several."""
        return self.reference_paths[0] if self.references else None

    @property
    def reference_paths(self) -> tuple[str, ...]:
        """Paths of the references."""
        return tuple(self._resolve("references", path) for path in self.references)

    def dataset_path(self, filename: str) -> str:
        """Return the path of a dataset, whose name is given as text: see `text.name_as_text`."""
        return os.path.join(self.root_path, text_as_name(filename))

    def _resolve(self, name: str, path: str) -> str:
        return os.path.join(self.folders.get(name, ""), path)


def make_scenario(project: Project, scenario_id: str, options: Mapping[str, Any], folder: str = "") -> Scenario:
    """Combine the project's table of a scenario with the options, which override it.

    Parameters
    ----------
    project : Project
        The settings of the project.
    scenario_id : str
        ID of the scenario, for which the project may have a table.
    options : mapping
        Has every name of `options.OPTIONS`; None where an option was not given.
    folder : str
        The folder that the paths among the options are relative to.

    Raises
    ------
    ScenarioError
        If the project has tables but none for this scenario, and no dataset root is given; or if thresholds are
        given without a reference.
    AttachmentError
        If two attachments are the same file, or one is none.
    LayoutError
        If an option of the layout cannot be followed.
    """
    table = project.scenarios.get(scenario_id)
    if table is None:
        if project.scenarios and options["dataset_root"] is None and scenario_id != DEFAULT_ID:
            raise ScenarioError(_unknown_scenario(project, scenario_id))
        table = ScenarioTable()
    lists = {"references": options["reference"], "attachments": options["attach"]}
    options = {**options, **{name: values and tuple(values) for name, values in lists.items()}}
    given = {name: options[name] for name in _SETTINGS if options[name] is not None}
    in_table = {name: getattr(table, name) for name in _SETTINGS if getattr(table, name) is not None}
    for name, what in (("threshold", "a threshold"), ("compare", "a level of comparison")):
        if options[name] and "references" not in in_table | given:
            raise ScenarioError(f"{what} has no effect without a reference; name the log to compare with as well")
    attached_files((in_table | given).get("attachments", ()))
    return Scenario(
        scenario_id=scenario_id,
        layout=_layout(table, options),
        trust_params=bool(options["trust_params"]),
        thresholds=thresholds_of(project, scenario_id, options["threshold"]),
        folders={name: project.folder if name in in_table and name not in given else folder for name in _PATHS},
        **in_table | given,
    )


def _layout(table: ScenarioTable, options: Mapping[str, Any]) -> Layout:
    given = {"arrays" if name == "array" else name: options[name] for name in LAYOUT if options.get(name)}
    return make_layout({**table.layout, **given})


def thresholds_of(project: Project, scenario_id: str, given: Iterable[str] | None) -> tuple[Threshold, ...]:
    """Return the thresholds of the project, of the scenario's table, and of the command line; later ones override."""
    table = project.scenarios.get(scenario_id, ScenarioTable())
    return (*project.thresholds, *table.thresholds, *map(parse_threshold, given or ()))


def level_of(project: Project, scenario_id: str, given: Level | None) -> Level:
    """Return the level that was given, or else that of the scenario's table, or else ``bytes``."""
    return given or project.scenarios.get(scenario_id, ScenarioTable()).compare or "bytes"


def _unknown_scenario(project: Project, scenario_id: str) -> str:
    there = ", ".join(printable(name) for name in project.scenarios)
    return (
        f"there is no table [tool.d0parity.scenarios.{printable(scenario_id)}] in {printable(project.path or '')}; "
        f"there is: {there}. Name one of these, add a table, or give the dataset root as an option"
    )


def named_output(given: str | None, folder: str = "") -> str | None:
    """Return the output folder that an option, or else ``$ARTIFACT_DIR``, names; None if neither does.

    Parameters
    ----------
    folder : str
        The folder that both are relative to.
    """
    named = given or os.environ.get("ARTIFACT_DIR")
    return os.path.join(folder, named) if named else None


def default_output(project: Project, folder: str = "") -> str:
    """Return the output folder of a run without an output option.

    This is ``$ARTIFACT_DIR``, or else a new folder named by the time in UTC, below the reports root.

    Parameters
    ----------
    project : Project
        Its ``reports_root`` replaces the default one.
    folder : str
        The folder that ``$ARTIFACT_DIR`` and the default reports root are relative to.
    """
    named = named_output(None, folder)
    if named is not None:
        return named
    now = datetime.datetime.now(datetime.UTC)
    root = os.path.join(project.folder, project.reports_root) if project.reports_root else REPORTS_ROOT
    return os.path.join(folder, root, f"{now:%Y-%m-%dT%H%M%SZ}")
