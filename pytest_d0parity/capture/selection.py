"""Selection of the datasets of a scenario."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ..evidence.dataset import Problem
from ..readers.npz import array_names
from ..scenario.scenario import Scenario
from ..scenario.sweep import PATTERN, Claims, Sweep, SweepError, claims_of, find_sweep
from ..util.files import size_of
from ..util.text import listed, printable, text_as_name, valid_utf8
from .dataset.roles import PROBE, find_roles
from .records.acceptance import accepted

if TYPE_CHECKING:
    from ..comparison.comparator import Comparator


@dataclass(frozen=True)
class DatasetSelection:
    """The datasets of a scenario, and the problems of the sweep as a whole.

    Attributes
    ----------
    claims : dict
        Their names, relative to the root and sorted by dose, and for each what the user and the name say about it.
    problems : tuple of Problem
        What is wrong with the selection.
    left_aside : tuple of str
        NPZ files that were seen and do not belong to the sweep.
    """

    claims: Mapping[str, Claims] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    left_aside: tuple[str, ...] = ()

    @property
    def filenames(self) -> tuple[str, ...]:
        """The names of the datasets, relative to the root and sorted by dose."""
        return tuple(self.claims)

    @property
    def has_errors(self) -> bool:
        """Whether a dataset, or the sweep, cannot be captured as asked for."""
        return any(problem.severity == "error" for problem in self.problems)


def sizes_of(scenario: Scenario, filenames: Iterable[str]) -> dict[str, int]:
    """Return the bytes of each dataset, by file name; zero if it cannot be accessed."""
    return {name: size_of(scenario.dataset_path(name)) for name in filenames}


def select_datasets(scenario: Scenario) -> DatasetSelection:
    """Select the datasets that a scenario asks for, as far as they exist.

    Raises
    ------
    LayoutError
        If the search for doses in the names takes too long.
    """
    try:
        sweep = find_sweep(scenario.root_path, scenario.layout, scenario.dataset_root)
    except SweepError as error:
        return DatasetSelection(problems=(_error("dataset_root", str(error)),))
    claims = sweep.claims
    if scenario.limit_datasets is not None:
        found = [name for name in dict.fromkeys(scenario.limit_datasets) if _is_entry(scenario.root_path, name)]
        claims = claims_of(found, scenario.layout)
        problems = [*_not_there(scenario, sweep, claims)]
    else:
        problems = [] if claims else [_nothing(scenario)]
    problems += [*_doses_without_dataset(scenario, sweep, claims), *_two_spellings(claims)]
    by_written_name: dict[str, str] = {}
    for name in claims:
        if by_written_name.setdefault(valid_utf8(name), name) != name:
            message = f"two files are both written {printable(name)} in a log, of which one is left out; rename it"
            problems.append(_error("datasets", message))
    problems = [accepted(scenario.layout, "datasets", problem) for problem in problems]
    kept = {name: claims[name] for name in by_written_name.values()}
    left_aside = () if scenario.limit_datasets is not None else sweep.left_aside
    return DatasetSelection(kept, tuple(problems), left_aside)


def expects_probe(scenario: Scenario, filenames: Iterable[str], comparator: Comparator | None) -> bool:
    """Whether any dataset of the sweep, or of the reference, has a probe, so that one without is worth a warning."""
    if comparator is not None and any("probe.l2_norm" in values for values in comparator.values.datasets.values()):
        return True
    told = scenario.layout.arrays
    return any(PROBE in find_roles(array_names(scenario.dataset_path(name)), told).names for name in filenames)


def _not_there(scenario: Scenario, sweep: Sweep, claims: Mapping[str, Claims]) -> Iterator[Problem]:
    there = listed([*sweep.claims], 20) or "no datasets at all"
    for name in scenario.limit_datasets or ():
        if name not in claims:
            message = f"{printable(name)} is not in {printable(scenario.dataset_root)}; there is: {there}"
            yield _error("limit_datasets", message)


def _nothing(scenario: Scenario) -> Problem:
    root = printable(scenario.dataset_root)
    if globs := scenario.layout.datasets:
        return _error("datasets", f"no datasets: nothing in {root} matches {listed(globs, 5)}")
    message = f"no datasets: {root} holds no file named {PATTERN}, and no NPZ file whose name or folder says a dose"
    return _error("dataset_root", message)


def _doses_without_dataset(scenario: Scenario, sweep: Sweep, claims: Mapping[str, Claims]) -> Iterator[Problem]:
    names = {*sweep.claims, *sweep.left_aside, *claims}
    for glob in scenario.layout.doses:
        if names and glob not in names and not any(fnmatchcase(name, glob) for name in names):
            message = f"{printable(glob)} is in the table of doses, but no such dataset is there; there is: "
            yield _error("doses", message + listed(sorted(names), 20))


def _two_spellings(claims: Mapping[str, Claims]) -> Iterator[Problem]:
    """Yield a warning for each dose that names spell in two ways, as 1e5 and 1e05; pairs of splits spell it alike."""
    by_dose: dict[tuple[str, float], dict[str, str]] = {}
    for name, (claim, *_) in ((name, found) for name, found in claims.items() if found):
        if not claim.is_told:
            by_dose.setdefault((claim.unit, claim.number), {}).setdefault(claim.spelled, name)
    for spellings in by_dose.values():
        if len(spellings) > 1:
            message = f"these claim one and the same dose, spelled differently: {listed([*spellings.values()], 5)}; "
            yield Problem(
                severity="warning",
                name="two_spellings",
                where="datasets",
                message=message + "keep one of them, or spell them alike",
            )


def _error(where: str, message: str) -> Problem:
    return Problem(severity="error", name="unreadable", where=where, message=message)


def _is_entry(root: str, name: str) -> bool:
    """Return whether a name is that of an entry below the root, which may be a broken link."""
    parts = name.split("/")
    return not {"", ".", ".."} & {*parts} and os.path.lexists(os.path.join(root, text_as_name(name)))
