"""Which checks a session has: the built-in ones, those of the users, and the ids on the command line."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType

import pytest

from ..util.text import printable
from . import checks
from .check_spec import CheckSpec
from .deselection import Deselection
from .run_store import RunData, RunStore
from .session import FIXTURES, ID, SPEC, dataset_of, id_of


@dataclass(frozen=True)
class PlannedCheck:
    """A check that was collected.

    Attributes
    ----------
    id : str
        The node id of the test when it was collected.
    dataset : str or None
        File name of the dataset that it is about.
    spec : CheckSpec or None
        None for one of the users' own checks.
    selected : bool
        Whether it was left after deselection.
    nodeid : str
        The node id that its reports have, where somebody has changed it since.
    taken_by : str
        Who took it away, where that was not the user; empty where it was, or nobody did.
    """

    id: str
    dataset: str | None
    spec: CheckSpec | None
    selected: bool
    nodeid: str = ""
    taken_by: str = ""


class CheckCollector:
    """Adds the built-in checks to a session, and stores which checks are planned.

    Parameters
    ----------
    config : pytest.Config
        The ids of built-in checks are removed from its arguments.
    data : RunData
        The datasets to parametrize over.
    store : RunStore
        Receives ``"plan"``, a list of `PlannedCheck`, and ``"unknown"``, the ids that name no check.
    """

    def __init__(self, config: pytest.Config, data: RunData, store: RunStore) -> None:
        self._data = data
        self._store = store
        self._deselection = Deselection(config)
        self._own_ids, self._by_id = _take_own_ids(config)
        self._collected: dict[str, pytest.Item] = {}  # by the ids that they were collected under

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Add the built-in checks to what the session collects.

        They are added as items, because --lf skips a module whose path it does not know.
        """
        report = yield
        if isinstance(collector, pytest.Session) and report.passed and not _is_for_vs_code(collector.config):
            report.result = [*report.result, *self._built_in_checks(collector)]
        return report

    def _built_in_checks(self, session: pytest.Session) -> list[pytest.Item]:
        # The path is that of the project, so that its conftest.py applies, and not that of the installed package.
        node = _ChecksModule.from_parent(session, path=session.config.rootpath, name="d0parity", nodeid="d0parity")
        items = [item for item in node.collect() if isinstance(item, pytest.Function)]
        for item in items:
            item.stash[SPEC] = checks.spec_of(item)
        if not self._data.expects_probe:  # neither the sweep nor the reference has any, so there is nothing to check
            items = [item for item in items if item.stash[SPEC].kind != "probe"]
        items = [item for item in items if item.stash[SPEC] != checks.NO_ATTACHMENT]
        for item in items:
            item.location = ("d0parity", None, item.name)  # the path of the installed package differs by machine
        order = {filename: number for number, filename in enumerate(self._data.selection.filenames)}
        # All checks of a dataset in a row, so that xdist gives them to one worker, which alone measures it.
        items.sort(key=lambda item: order.get(item.stash[SPEC].dataset or "", -1))
        for item in items:
            self._add(item)  # already here, because others may filter what is collected
        return [*items]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Parametrize the users' own checks over the datasets."""
        given = {name for mark in metafunc.definition.iter_markers("parametrize") for name in _argnames(mark)}
        if "parity_dataset" in metafunc.fixturenames and "parity_dataset" not in given:
            metafunc.parametrize("parity_dataset", checks.dataset_params(self._data), indirect=True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Note the id of a test; add a check to the plan, also if it will be deselected."""
        item.stash.setdefault(ID, item.nodeid)
        if FIXTURES.intersection(getattr(item, "fixturenames", ())):
            self._add(item)

    def _add(self, item: pytest.Item) -> None:
        self._collected[item.stash.setdefault(ID, item.nodeid)] = item

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect the built-in checks that no id on the command line names, if there are ids."""
        unknown = [own_id for own_id in self._own_ids if not any(_names(own_id, name) for name in self._collected)]
        self._store.put("unknown", unknown)
        if unknown and not hasattr(config, "workerinput"):
            raise pytest.UsageError(not_found(unknown))
        if not self._by_id:
            return
        left = [item for item in items if SPEC not in item.stash or self._is_asked_for(item)]
        removed = [item for item in items if SPEC in item.stash and not self._is_asked_for(item)]
        if removed:
            config.hook.pytest_deselected(items=removed)
            items[:] = left

    def _is_asked_for(self, item: pytest.Item) -> bool:
        return any(_names(own_id, id_of(item)) for own_id in self._own_ids)

    def pytest_deselected(self, items: Sequence[object]) -> None:
        """Note who deselects tests."""
        self._deselection.note(items)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Store the plan for the controller."""
        nodeids = {id_of(item): item.nodeid for item in session.items}
        gone = {name: item for name, item in self._collected.items() if name not in nodeids}
        takers = dict(zip(gone, self._deselection.takers([*gone.values()], session), strict=True))
        self._store.put(
            "plan",
            [
                PlannedCheck(
                    name,
                    item.stash[SPEC].dataset if SPEC in item.stash else dataset_of(item),
                    item.stash.get(SPEC, None),
                    selected=name in nodeids,
                    nodeid=nodeids.get(name, name),
                    taken_by=takers.get(name, ""),
                )
                for name, item in self._collected.items()
            ],
        )


class _ChecksModule(pytest.Module):
    """The module of the built-in checks, collected whatever the project's patterns for test names are."""

    def _getobj(self) -> ModuleType:
        return checks

    def istestfunction(self, obj: object, name: str) -> bool:
        return callable(obj) and name.startswith("test_")

    def istestclass(self, obj: object, name: str) -> bool:
        del obj, name
        return False


def _is_for_vs_code(config: pytest.Config) -> bool:
    """Whether VS Code looks for tests. It would find none if there were an id without the name of a Python file."""
    return bool(config.option.collectonly) and config.pluginmanager.hasplugin("vscode_pytest")


def not_found(ids: Sequence[str]) -> str:
    """Say that there are no checks with these ids."""
    return f"not found: {', '.join(map(printable, ids))} (--collect-only shows all checks)"


def _take_own_ids(config: pytest.Config) -> tuple[list[str], bool]:
    """Remove the ids of built-in checks from the arguments, because pytest would look for files of these names.

    Returns
    -------
    own_ids : list of str
        The removed ids.
    by_id : bool
        Whether any argument is an id, of a built-in check or of another test.
    """
    own_ids = {argument: name for argument in config.args if (name := _own_id(config, argument))}
    by_id = any("::" in argument for argument in config.args) or bool(own_ids)
    config.args[:] = [argument for argument in config.args if argument not in own_ids]
    return list(own_ids.values()), by_id


def _own_id(config: pytest.Config, argument: str) -> str | None:
    """Return the id of a built-in check that an argument is; None if it is something else.

    pytest prints ids relative to the current folder, so that the id may begin with ``../``.
    """
    path, colons, rest = argument.partition("::")
    exists = os.path.exists(os.path.join(config.invocation_params.dir, path))
    if os.path.basename(path) != "d0parity" or exists:
        return None
    return f"d0parity{colons}{rest}"


def _names(own_id: str, name: str) -> bool:
    """Whether an id is that of a test, or of the function or module that it belongs to."""
    return name == own_id or name.startswith((f"{own_id}[", f"{own_id}::"))


def _argnames(mark: pytest.Mark) -> Iterable[str]:
    names = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
    return [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
