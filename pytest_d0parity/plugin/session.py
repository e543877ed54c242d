"""What the checks of a session share, in each process that runs tests: the scenario, its data, and the reference."""

from __future__ import annotations

import unittest
from collections.abc import Generator, Sequence
from dataclasses import fields
from functools import cached_property
from inspect import signature
from types import MappingProxyType
from typing import Any

import pytest

from ..comparison.comparator import Comparator
from ..evidence.drift import Difference
from ..readers.params.reader import ParamsError, load_params
from ..reports.difference_table import difference_table
from ..util.errors import ParityError
from ..util.runtime import refuse_replaced
from ..util.text import listed, printable
from .check_spec import CheckSpec
from .dataset import ParityDataset
from .recording import ENDED, recorded_values, remove_recorded
from .run_store import RunData

PARITY = pytest.StashKey["ParitySession"]()
SPEC = pytest.StashKey[CheckSpec]()  # only the built-in checks have it
FIXTURES = frozenset({"parity_scenario", "parity_params", "parity_dataset", "parity_record"})
SEEN = pytest.StashKey[str | None]()  # the dataset that a test has looked at: one that is skipped before looks at none
DRIFTED = pytest.StashKey[str]()  # the names of what drifted in a test, a few of them, if that is why it failed
ID = pytest.StashKey[str]()  # the node id of a test when it was collected: see `id_of`

_MAX_NAMES = 5
_UNITTEST = (
    "a method of a unittest.TestCase takes no arguments and runs once, so it cannot run for each dataset: use a plain "
    "function or class for that; parity_record and parity_params can be had by a fixture of the class with autouse=True"
)


class ParitySession:
    """The scenario, data and reference of a session; it also compares what the users' own checks record.

    Parameters
    ----------
    data : RunData
        Its job has no comparator if there is nothing to compare with.
    """

    def __init__(self, data: RunData) -> None:
        self.data = data
        self.scenario = data.job.scenario
        self.comparator = data.job.comparator

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Remove what an earlier run of the same test recorded, and read what the test needs.

        Its fixtures are set up afterwards: they may replace what reads files.
        """
        item.stash[ENDED], item.stash[SEEN], item.stash[DRIFTED] = False, None, ""
        remove_recorded(item)
        _refuse_arguments(item)
        if item.get_closest_marker("skip") is None:
            try:
                self._prepare(item)
            except ParityError as error:
                pytest.fail(str(error), pytrace=False)

    def _prepare(self, item: pytest.Item) -> None:
        spec = item.stash.get(SPEC, None)
        dataset = spec.dataset if spec else dataset_of(item)
        if dataset is not None and dataset in self.data.selection.claims:
            self.data.dataset(dataset)
        elif spec:
            _ = self.data.baseline_run
        if "parity_params" in getattr(item, "fixturenames", ()):
            _ = self.params

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Compare what one of the users' own checks recorded."""
        try:
            result = yield
        finally:
            item.stash[ENDED] = True
        if self.comparator is not None and SPEC not in item.stash:
            _compare_own(item, self.comparator)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Add the id of the test to its report, the dataset that it has looked at, and what drifted in it.

        Where `CI` is set, pytest's short summary repeats messages whole: those of the checks are cut to their sentence,
        for their table has been shown.
        """
        report = yield
        report.d0parity_id, report.d0parity_seen = id_of(item), item.stash.get(SEEN, None)
        report.d0parity_drifted = item.stash.get(DRIFTED, "") if report.when == "call" else ""
        crash = getattr(report.longrepr, "reprcrash", None)
        if crash is not None and SPEC in item.stash:
            crash.message = crash.message.partition("\n\n")[0]
        return report

    def parity_dataset(self, filename: str, item: pytest.Item) -> ParityDataset:
        """Return a dataset for one of the users' own checks, which fails if the file cannot be read at all."""
        if filename not in self.data.selection.claims:
            there = ", ".join(map(printable, self.data.selection.filenames))
            pytest.fail(f"{printable(str(filename))} is no dataset of the sweep; there is: {there}", pytrace=False)
        record = self.data.dataset(filename)
        item.stash[SEEN] = filename
        unreadable = [p.message for p in record.problems if p.severity == "error" and p.where == filename]
        if unreadable:
            pytest.fail(f"{printable(filename)}: {'; '.join(unreadable)}", pytrace=False)
        values = {item.name: getattr(record, item.name) for item in fields(ParityDataset)}
        for name in ("roles", "arrays"):
            values[name] = MappingProxyType(values[name])  # read-only, because the log holds the same dictionary
        return ParityDataset(**values | {"path": self.scenario.dataset_path(filename)})

    def load_params(self) -> dict[str, Any]:
        """Load the params for one of the users' own checks; it is skipped if there are none, and fails on an error."""
        if self.scenario.params_path is None:
            pytest.skip("the scenario names no baseline params")
        if isinstance(self.params, str):
            pytest.fail(self.params, pytrace=False)
        return self.params

    @cached_property
    def params(self) -> dict[str, Any] | str:
        """The params, or in words why they cannot be loaded; empty if the scenario names none."""
        if self.scenario.params_path is None:
            return {}
        refuse_replaced("the baseline params")
        try:
            return load_params(self.scenario.params_path, self.scenario.trust_params)
        except ParamsError as error:
            return str(error)


def id_of(item: pytest.Item) -> str:
    """Return the node id that a test was collected under. It may be changed: pytest-xdist adds the name of a group."""
    return item.stash.get(ID, item.nodeid)


def id_of_report(report: pytest.TestReport) -> str | None:
    """Return what `id_of` gives for the test of a report; None if it was not made in the test's own process."""
    return getattr(report, "d0parity_id", None)


def seen_by(report: pytest.TestReport) -> str | None:
    """Return the file name of the dataset that the test of a report has looked at; None if it did not come to that."""
    return getattr(report, "d0parity_seen", None)


def drifted_in(report: pytest.TestReport) -> str:
    """Return the names of what drifted in the test of a report, a few of them; empty if it failed for another cause."""
    return getattr(report, "d0parity_drifted", "")


def dataset_of(item: pytest.Item) -> str | None:
    """Return the file name of the dataset that one of the users' own checks is about, if it is about one."""
    callspec = getattr(item, "callspec", None)
    name = callspec.params.get("parity_dataset") if callspec else None
    return name if isinstance(name, str) else None  # a test may parametrize the fixture with something else


def names_of(drifted: Sequence[Difference], prefix: str) -> str:
    """Return the names of what drifts, a few of them, without the prefix that all share."""
    return listed([difference.where.removeprefix(prefix) for difference in drifted], _MAX_NAMES)


def drift_message(drifted: Sequence[Difference], comparator: Comparator, prefix: str) -> str:
    """Describe what drifts, in a sentence and a table that leaves out the prefix that all names share."""
    count = "1 value drifts" if len(drifted) == 1 else f"{len(drifted)} values drift"
    return f"{count} from the reference {printable(comparator.record.path)}\n\n{difference_table(drifted, prefix)}"


def _compare_own(item: pytest.Item, comparator: Comparator) -> None:
    values = recorded_values(item.user_properties, dataset_of(item))
    name = id_of(item)
    if not values.values and name not in comparator.values.checks:
        return
    drifted = comparator.compare_check(name, values).drifted
    if drifted:
        item.stash[DRIFTED] = names_of(drifted, f"{name}:")
        pytest.fail(drift_message(drifted, comparator, f"{name}:"), pytrace=False)


def why_not_parametrized(cls: type | None) -> str:
    """Say why a test that asks for `parity_dataset` was not made one for each dataset.

    Parameters
    ----------
    cls : type or None
        The class that the test is a method of.
    """
    if _is_unittest(cls):
        return f"parity_dataset is not for this test: {_UNITTEST}"
    return "parity_dataset is parametrized where a test names it; getfixturevalue comes too late"


def _refuse_arguments(item: pytest.Item) -> None:
    """Fail a method of unittest's that waits for arguments of ours."""
    cls = getattr(item, "cls", None)
    if not _is_unittest(cls):
        return
    asked = FIXTURES.intersection(signature(getattr(cls, item.name)).parameters)
    if asked:
        pytest.fail(f"{listed(sorted(asked), len(FIXTURES))} cannot be given to this test: {_UNITTEST}", pytrace=False)


def _is_unittest(cls: type | None) -> bool:
    return cls is not None and issubclass(cls, unittest.TestCase)
