"""The parity side of a pytest session, in the process that collects and runs the tests."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np
import pytest

from ..capture.job import CaptureJob
from ..compare.comparator import Comparator
from ..compare.values import CheckValues, limits_of_check
from ..evidence.encoding import convert_for_json
from ..evidence.model import Difference, Scalar
from ..readers.params.reader import ParamsError, load_params
from ..reports.difference_table import difference_table
from ..scenario.thresholds import ThresholdError, threshold_of
from ..util.errors import ParityError
from ..util.text import NUMBERS, printable, valid_utf8
from .check_spec import CheckSpec
from .dataset import ParityDataset
from .run_store import RunData, RunStore

FIXTURES = frozenset({"parity_scenario", "parity_params", "parity_dataset", "parity_record"})

# Recorded values travel on the test reports as properties whose names begin with these.
_VALUE = "d0parity:"
_BIG = "d0parity-int:"  # as text: execnet, which carries the reports of xdist, fails on some integers
_LIMIT = "d0parity-limit:"
_NAME = re.compile(r"[^\s:]+")

PARITY = pytest.StashKey["ParitySession"]()
SPEC = pytest.StashKey[CheckSpec]()
ENDED = pytest.StashKey[bool]()


class RecordError(ParityError, TypeError):
    """A value that cannot be recorded. The message names it."""


@dataclass(frozen=True)
class PlannedCheck:
    """A check that was collected.

    Attributes
    ----------
    id : str
    dataset : str or None
        File name of the dataset that it is about.
    spec : CheckSpec or None
        None for a check of the users' own.
    selected : bool
        Whether it was left after deselection.
    """

    id: str
    dataset: str | None
    spec: CheckSpec | None
    selected: bool


class ParitySession:
    """Collects the checks, measures for them, and compares what they record.

    Parameters
    ----------
    config : pytest.Config
    job : CaptureJob
        Its reference is None where nothing is to be compared.
    store : RunStore
        Shared by the processes of this run.
    """

    def __init__(self, config: pytest.Config, job: CaptureJob, store: RunStore) -> None:
        self.scenario = job.scenario
        self.comparator = job.comparator
        self.data = RunData(job, store)
        self._store = store
        self._wanted, self._by_id = _take_ids(config)
        self._collected: dict[str, PlannedCheck] = {}

    # --- collection

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Add the checks to what the session itself collects.

        They are added as items: a module among the session's files would be dropped by --lf, which passes over
        files whose path it does not know.
        """
        report = yield
        if isinstance(collector, pytest.Session) and report.passed:
            report.result = [*report.result, *self._checks(collector)]
        return report

    def _checks(self, session: pytest.Session) -> list[pytest.Item]:
        module = import_module(".checks", __package__)
        # Its path is the project's, whose conftest.py applies, and not where the package is installed.
        node = _ChecksModule.from_parent(
            session, path=session.config.rootpath, name="d0parity", nodeid="d0parity", module=module
        )
        items = [item for item in node.collect() if isinstance(item, pytest.Function)]
        for item in items:
            item.stash[SPEC] = module.spec_of(item)
            # Where the package is installed is nobody's business, and would differ from one machine to another.
            item.location = ("d0parity", None, item.name)
        order = {filename: number for number, filename in enumerate(self.data.selection.filenames)}
        # All checks of a dataset in a row: under xdist they go to one worker, and the others have work of their own.
        return sorted(items, key=lambda item: order.get(item.stash[SPEC].dataset or "", -1))

    def filename_params(self) -> list[Any]:
        """Give the datasets as parameters of tests; one that is skipped where there is none."""
        names = self.data.selection.filenames
        if not names:
            none = pytest.mark.skip(reason="the sweep holds no dataset; d0parity::test_datasets tells why")
            return [pytest.param(None, id="none", marks=none)]
        return [pytest.param(name, id=printable(name)) for name in names]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Parametrize the users' own checks over the sweep."""
        given = {name for mark in metafunc.definition.iter_markers("parametrize") for name in _argnames(mark)}
        if "parity_dataset" in metafunc.fixturenames and "parity_dataset" not in given:
            metafunc.parametrize("parity_dataset", self.filename_params(), indirect=True)

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Remember a check, also when it will be deselected."""
        spec = item.stash.get(SPEC, None)
        if spec is not None or FIXTURES.intersection(getattr(item, "fixturenames", ())):
            dataset = spec.dataset if spec else _dataset_of(item)
            self._collected[item.nodeid] = PlannedCheck(item.nodeid, dataset, spec, selected=False)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out the checks that the ids on the command line do not ask for."""
        found = {wanted for wanted in self._wanted for name in self._collected if _is_named(name, wanted)}
        unknown = [wanted for wanted in self._wanted if wanted not in found]
        self._store.put("unknown", unknown)
        if unknown and not hasattr(config, "workerinput"):
            raise pytest.UsageError(not_found(unknown))
        if self._by_id:
            removed = {
                item
                for item in items
                if SPEC in item.stash and not any(_is_named(item.nodeid, wanted) for wanted in self._wanted)
            }
            if removed:
                config.hook.pytest_deselected(items=list(removed))
                items[:] = [item for item in items if item not in removed]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Tell the controller what is planned."""
        selected = {item.nodeid for item in session.items}
        plan = [
            PlannedCheck(check.id, check.dataset, check.spec, check.id in selected)
            for check in self._collected.values()
        ]
        self._store.put("plan", plan)

    # --- running

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Forget what an earlier run of the same test has recorded."""
        item.stash[ENDED] = False
        item.user_properties[:] = [
            pair for pair in item.user_properties if not pair[0].startswith((_VALUE, _BIG, _LIMIT))
        ]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Compare what a check of the users' own has recorded."""
        try:
            result = yield
        finally:
            item.stash[ENDED] = True
        if self.comparator is not None and SPEC not in item.stash:
            self._compare_own(item, self.comparator)
        return result

    def _compare_own(self, item: pytest.Item, comparator: Comparator) -> None:
        values = recorded_values(item.user_properties, _dataset_of(item))
        if not values.values and item.nodeid not in comparator.values.checks:
            return
        drifted = comparator.compare_check(item.nodeid, values).drifted
        if drifted:
            pytest.fail(drift_message(drifted, comparator, f"{item.nodeid}:"), pytrace=False)

    def record(self, item: pytest.Item, values: Mapping[str, Scalar]) -> None:
        """Put the values of a built-in check on its report."""
        item.user_properties += [_as_property(name, convert_for_json(value)) for name, value in values.items()]

    def record_own(self, item: pytest.Item, name: str, value: Any, rel: float | None, abs: float | None) -> None:  # noqa: A002
        """Put a value of a check of the users' own on its report: see the fixture ``parity_record``."""
        __tracebackhide__ = True
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise RecordError(f"{name!r} is no name for a value: a text without blanks and colons is")
        if item.stash.get(ENDED, False):
            raise RecordError(f"{name!r} comes too late to be compared: record it before the test has ended")
        said = convert_for_json(_scalar(name, value))
        earlier = recorded_values(item.user_properties, None).values
        if name in earlier:
            before = convert_for_json(earlier[name])
            if (type(before), before) != (type(said), said):
                raise RecordError(f"{name!r} is recorded twice, as {before!r} and as {said!r}")
            return
        limits = {key: limit for key, limit in (("rel", rel), ("abs", abs)) if limit is not None}
        if limits:
            try:
                threshold_of(name, limits)
            except ThresholdError as error:
                raise RecordError(str(error)) from None
            shares = {key: float(limit) for key, limit in limits.items()}
            item.user_properties.append((_LIMIT + name, json.dumps(shares)))
        item.user_properties.append(_as_property(name, said))

    def dataset(self, filename: str) -> ParityDataset:
        """Give a dataset to a check of the users' own, which fails where the file cannot be read at all."""
        names = self.data.selection.filenames
        if filename not in names:
            there = ", ".join(map(printable, names))
            pytest.fail(f"{printable(str(filename))} is no dataset of the sweep; there is: {there}", pytrace=False)
        record = self.data.dataset(filename)
        unreadable = [p.message for p in record.problems if p.severity == "error" and p.where == filename]
        if unreadable:
            pytest.fail(f"{printable(filename)}: {'; '.join(unreadable)}", pytrace=False)
        values = {item.name: getattr(record, item.name) for item in fields(ParityDataset)}
        values["arrays"] = MappingProxyType(values["arrays"])  # the log's own must not be changed
        return ParityDataset(**values | {"path": self.scenario.dataset_path(filename)})

    def load_params(self) -> dict[str, Any]:
        """Give the params to a check of the users' own."""
        if self.scenario.params_path is None:
            pytest.skip("the scenario names no baseline params")
        try:
            return load_params(self.scenario.params_path, self.scenario.trust_params)
        except ParamsError as error:
            pytest.fail(str(error), pytrace=False)

    def expects(self, filename: str) -> bool:
        """Whether the reference has a dataset."""
        return self.comparator is not None and valid_utf8(filename) in self.comparator.values.datasets


class _ChecksModule(pytest.Module):
    """The bundled module, whatever the project's own patterns for test names are."""

    def __init__(self, *, module: ModuleType, **options: Any) -> None:
        super().__init__(**options)
        self._module = module

    def _getobj(self) -> ModuleType:
        return self._module

    def istestfunction(self, obj: object, name: str) -> bool:
        return callable(obj) and name.startswith("test_")

    def istestclass(self, obj: object, name: str) -> bool:
        del obj, name
        return False


def recorded_values(properties: Iterable[tuple[str, object]], dataset: str | None) -> CheckValues:
    """Take the recorded values out of the properties of a test."""
    values: dict[str, Any] = {}
    for name, value in properties:
        if name.startswith(_VALUE):
            values[name.removeprefix(_VALUE)] = NUMBERS.get(value, value) if isinstance(value, str) else value
        elif name.startswith(_BIG):
            values[name.removeprefix(_BIG)] = int(str(value))
    limits = limits_of_check(recorded_limits(properties))
    return CheckValues(None if dataset is None else valid_utf8(dataset), values, limits)


def recorded_limits(properties: Iterable[tuple[str, object]]) -> dict[str, Any]:
    """Take the thresholds that a test names for its values out of its properties."""
    return {name.removeprefix(_LIMIT): json.loads(str(value)) for name, value in properties if name.startswith(_LIMIT)}


def drift_message(drifted: Sequence[Difference], comparator: Comparator, prefix: str) -> str:
    """Say what drifts: a sentence, and a table without the prefix that all names have in common."""
    count = "1 value drifts" if len(drifted) == 1 else f"{len(drifted)} values drift"
    return f"{count} from the reference {printable(comparator.record.path)}\n\n{difference_table(drifted, prefix)}"


def _as_property(name: str, value: Any) -> tuple[str, object]:
    if isinstance(value, int) and not isinstance(value, bool) and value != _clipped(value):
        return _BIG + name, str(value)
    return _VALUE + name, value


def _clipped(value: int) -> int:
    return max(-(2**31), min(value, 2**31 - 1))


def not_found(ids: Sequence[str]) -> str:
    """Say that there are no checks of these names."""
    return f"not found: {', '.join(map(printable, ids))} (--collect-only shows all checks)"


def _take_ids(config: pytest.Config) -> tuple[list[str], bool]:
    """Take our ids out of the arguments, for pytest would look for files of these names.

    Returns
    -------
    wanted : list of str
    by_id : bool
        Whether tests are asked for by id, ours or others.
    """
    own = {argument: name for argument in config.args if (name := _own_id(config, argument))}
    by_id = any("::" in argument for argument in config.args) or bool(own)
    config.args[:] = [argument for argument in config.args if argument not in own]
    return list(own.values()), by_id


def _own_id(config: pytest.Config, argument: str) -> str | None:
    """Give the id of ours that an argument names; None where it names none.

    pytest prints ids relative to where the user stands, so one of ours may begin with ``../``.
    """
    head, colons, rest = argument.partition("::")
    is_there = os.path.exists(os.path.join(config.invocation_params.dir, head))
    if os.path.basename(head) != "d0parity" or is_there:
        return None
    return f"d0parity{colons}{rest}"


def _is_named(name: str, wanted: str) -> bool:
    return name == wanted or name.startswith((f"{wanted}[", f"{wanted}::"))


def _argnames(mark: pytest.Mark) -> list[str]:
    names = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
    return [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)


def _dataset_of(item: pytest.Item) -> str | None:
    callspec = getattr(item, "callspec", None)
    name = callspec.params.get("parity_dataset") if callspec else None
    return name if isinstance(name, str) else None  # a test may put something else in the fixture's place


def _scalar(name: str, value: Any) -> Scalar:
    __tracebackhide__ = True
    if isinstance(value, np.generic | np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        raise RecordError(f"{name!r} is an integer beyond all floating numbers, which cannot be recorded")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    kind = f"an array of shape {value.shape}" if isinstance(value, np.ndarray) else f"a {type(value).__qualname__}"
    raise RecordError(f"{name!r} is {kind}, which cannot be recorded; a number, text, flag or None can")
