"""What the checks of a session share, in each process that runs tests: the scenario, its data, and the reference."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import Any

import pytest

from ..compare.comparator import Comparator
from ..evidence.drift import Difference
from ..readers.params.reader import ParamsError, load_params
from ..reports.difference_table import difference_table
from ..util.text import printable
from .check_spec import CheckSpec
from .dataset import ParityDataset
from .recording import ENDED, recorded_values, remove_recorded
from .run_store import RunData

PARITY = pytest.StashKey["ParitySession"]()
SPEC = pytest.StashKey[CheckSpec]()  # only the built-in checks have it
ID = pytest.StashKey[str]()  # the node id of a test when it was collected: see `id_of`


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
        """Remove what an earlier run of the same test recorded."""
        item.stash[ENDED] = False
        remove_recorded(item)

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
        """Add the id of the test to its report: see `id_of_report`."""
        report = yield
        report.d0parity_id = id_of(item)
        return report

    def parity_dataset(self, filename: str) -> ParityDataset:
        """Return a dataset for one of the users' own checks, which fails if the file cannot be read at all."""
        names = self.data.selection.filenames
        if filename not in names:
            there = ", ".join(map(printable, names))
            pytest.fail(f"{printable(str(filename))} is no dataset of the sweep; there is: {there}", pytrace=False)
        record = self.data.dataset(filename)
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
        try:
            return load_params(self.scenario.params_path, self.scenario.trust_params)
        except ParamsError as error:
            pytest.fail(str(error), pytrace=False)


def id_of(item: pytest.Item) -> str:
    """Return the node id that a test was collected under. It may be changed: pytest-xdist adds the name of a group."""
    return item.stash.get(ID, item.nodeid)


def id_of_report(report: pytest.TestReport) -> str | None:
    """Return what `id_of` gives for the test of a report; None if it was not made in the test's own process."""
    return getattr(report, "d0parity_id", None)


def dataset_of(item: pytest.Item) -> str | None:
    """Return the file name of the dataset that one of the users' own checks is about, if it is about one."""
    callspec = getattr(item, "callspec", None)
    name = callspec.params.get("parity_dataset") if callspec else None
    return name if isinstance(name, str) else None  # a test may parametrize the fixture with something else


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
        pytest.fail(drift_message(drifted, comparator, f"{name}:"), pytrace=False)
