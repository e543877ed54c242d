"""Who left checks out: the user himself, or a conftest.py, another plugin or a configured ``addopts``."""

from __future__ import annotations

import argparse
import copy
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from ..util.text import listed, printable

ASKED = "d0parity_asked"  # key by which a worker of pytest-xdist gets what `asked_of_pytest` gives

_ANNOUNCED = pytest.StashKey[Mapping[str, Any]]()  # the globals of the module that announced that it deselects a test
_PYTEST = ("mark", "main")  # the plugins of pytest that deselect by -k, -m and --deselect
# The options by which pytest's modules and we deselect, and how to show them.
_OPTIONS = {
    "_pytest.mark": ("keyword", "markexpr"),
    "_pytest.main": ("deselect",),
    "_pytest.cacheprovider": ("lf",),
    "_pytest.stepwise": ("stepwise",),
    f"{__package__}.collection": ("by_id",),
}
_SHOWN = {
    "keyword": "-k '{}'",
    "markexpr": "-m '{}'",
    "deselect": "--deselect",
    "lf": "--lf",
    "stepwise": "--stepwise",
    "by_id": "an id",
}
_MAX_NAMES = 5
_OURS_AND_PYTESTS = ("_pytest", "pluggy", "xdist", "__channelexec__", __name__.partition(".")[0])


def asked_of_pytest(config: pytest.Config) -> dict[str, Any]:
    """Return how the user himself selects tests: on the command line and in PYTEST_ADDOPTS, not in the configuration.

    Returns
    -------
    dict
        The values of pytest's options, by their names there, and ``by_id``: whether he names tests by ids.
    """
    worker = getattr(config, "workerinput", None)
    if worker:
        asked: dict[str, Any] = worker[ASKED]
        return asked
    typed = [*shlex.split(os.environ.get("PYTEST_ADDOPTS", "")), *map(str, config.invocation_params.args)]
    options = vars(config._parser.parse_known_args(typed))
    return {
        "keyword": options.get("keyword") or "",
        "markexpr": options.get("markexpr") or "",
        "deselect": options.get("deselect") or [],
        "lf": bool(options.get("lf")),
        "stepwise": any(options.get(name) for name in ("stepwise", "stepwise_skip", "stepwise_reset")),
        "by_id": any("::" in path or os.path.basename(path) == "d0parity" for path in options["file_or_dir"]),
    }


class Deselection:
    """Tells who left tests out.

    Parameters
    ----------
    config : pytest.Config
        Of the process that collects them.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def note(self, items: Sequence[object]) -> None:
        """Note who announces that he deselects tests; to be called by our hook for that alone."""
        frame = sys._getframe(2)
        while frame.f_back and _name(frame.f_globals).startswith("pluggy"):
            frame = frame.f_back
        for item in items:
            if isinstance(item, pytest.Item):  # pytest-testmon announces what is none, so that it is counted
                item.stash[_ANNOUNCED] = frame.f_globals

    def takers(self, gone: Sequence[pytest.Item], session: pytest.Session) -> list[str]:
        """Return who took tests away; the empty text for those that the user himself left out."""
        if not gone:
            return []
        asked = asked_of_pytest(self._config)
        left = set(map(id, self._left_by_user(gone, session, asked)))
        return [self._taker(item, asked) if id(item) in left else "" for item in gone]

    def _left_by_user(
        self, items: Sequence[pytest.Item], session: pytest.Session, asked: dict[str, Any]
    ) -> Sequence[pytest.Item]:
        """Return which tests the user's own -k, -m and --deselect leave, whoever else was there before."""
        config = copy.copy(self._config)
        config.option = argparse.Namespace(**vars(self._config.option) | asked)
        config.hook = SimpleNamespace(pytest_deselected=lambda **_: None)  # type: ignore[assignment]
        plugins = self._config.pluginmanager
        others = [plugin for name, plugin in plugins.list_name_plugin() if name not in _PYTEST]
        deselect = plugins.subset_hook_caller("pytest_collection_modifyitems", others)
        left = list(items)
        deselect(session=session, config=config, items=left)
        return left

    def _taker(self, item: pytest.Item, asked: Mapping[str, Any]) -> str:
        module = item.stash.get(_ANNOUNCED, None)
        if module is None:
            return f"one that does not announce it: {listed(self._silent(), _MAX_NAMES)}"
        options = _OPTIONS.get(_name(module))
        if options is None:
            return self._shown(module)
        given = {name: getattr(self._config.option, name, True) for name in options}
        configured = [_SHOWN[name].format(value) for name, value in given.items() if value and value != asked[name]]
        if not configured:
            return ""
        return f"{printable(' '.join(configured))} in a configured addopts"

    def _silent(self) -> list[str]:
        """Return who may have taken tests away without a word."""
        hooks = self._config.hook.pytest_collection_modifyitems.get_hookimpls()
        modules = [getattr(hook.function, "__globals__", {}) for hook in hooks]
        others = [module for module in modules if _name(module).partition(".")[0] not in _OURS_AND_PYTESTS]
        return [*dict.fromkeys(map(self._shown, reversed(others)))] or ["a conftest.py or another plugin"]

    def _shown(self, module: Mapping[str, Any]) -> str:
        """Return the path of a module of the project, and the name of any other."""
        path = os.path.relpath(str(module.get("__file__") or os.pardir), self._config.rootpath)
        inside = not path.startswith(os.pardir) and "site-packages" not in path
        return printable(path if inside else _name(module))


def _name(module: Mapping[str, Any]) -> str:
    return str(module.get("__name__", ""))
