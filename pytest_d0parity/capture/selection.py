"""Selection of the datasets of a scenario."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from ..evidence.dataset import Problem
from ..scenario.scenario import Scenario
from ..scenario.sweep import PATTERN, SweepError, list_sweep, same_doses, sort_by_dose
from ..util.files import size_of
from ..util.text import printable, text_as_name, valid_utf8


@dataclass(frozen=True)
class DatasetSelection:
    """File names of the datasets of a scenario, sorted by dose, and the problems of the sweep as a whole."""

    filenames: tuple[str, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def has_errors(self) -> bool:
        """Whether a dataset, or the sweep, cannot be captured as asked for."""
        return any(problem.severity == "error" for problem in self.problems)


def sizes_of(scenario: Scenario, filenames: Iterable[str]) -> dict[str, int]:
    """Return the bytes of each dataset, by file name; zero if it cannot be accessed."""
    return {name: size_of(scenario.dataset_path(name)) for name in filenames}


def select_datasets(scenario: Scenario) -> DatasetSelection:
    """Select the datasets that a scenario asks for, as far as they exist."""
    try:
        sweep = list_sweep(scenario.root_path, scenario.dataset_root)
    except SweepError as error:
        return DatasetSelection((), (_error("dataset_root", str(error)),))
    shown_as = printable(scenario.dataset_root)
    names = sweep
    problems = []
    if scenario.limit_datasets is not None:
        found = dict.fromkeys(name for name in scenario.limit_datasets if _is_entry(scenario.root_path, name))
        names = sort_by_dose(found)
        listed = ", ".join(printable(name) for name in sweep) or "no datasets at all"
        problems = [
            _error("limit_datasets", f"{printable(name)} is not in {shown_as}; there is: {listed}")
            for name in scenario.limit_datasets
            if name not in found
        ]
    elif not sweep:
        problems = [_error("dataset_root", f"no datasets: {shown_as} holds no file named {PATTERN}")]
    problems += [
        Problem(
            severity="warning",
            where="datasets",
            message=f"these claim one and the same dose: {', '.join(same)}; keep one of them",
        )
        for same in same_doses(names)
    ]
    by_written_name: dict[str, str] = {}
    for name in names:
        if by_written_name.setdefault(valid_utf8(name), name) != name:
            message = f"two files are both written {printable(name)} in a log, of which one is left out; rename it"
            problems.append(_error("datasets", message))
    return DatasetSelection(tuple(by_written_name.values()), tuple(problems))


def _error(where: str, message: str) -> Problem:
    return Problem(severity="error", where=where, message=message)


def _is_entry(root: str, name: str) -> bool:
    """Return whether a name is that of an entry of the folder itself, which may be a broken link."""
    is_name = os.path.basename(name) == name and name not in ("", ".", "..")
    return is_name and os.path.lexists(os.path.join(root, text_as_name(name)))
