"""What keeps the code easy to find one's way in: its size, its privacy, and what its start imports."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

import pytest_d0parity
from tests.support.command import LOG, d0parity

PACKAGE = Path(pytest_d0parity.__file__).parent
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))

MOST_LINES = 400
MOST_MODULES = 12

HEAVY = {"numpy", "rich", "dill"}


def source(module: str) -> str:
    return (PACKAGE / module).read_text(encoding="utf-8")


def imports(module: str) -> Iterator[tuple[str, str]]:
    """Return what is imported anywhere in a module, inside functions as well: from where, and the name."""
    for node in ast.walk(ast.parse(source(module))):
        if isinstance(node, ast.Import):
            yield from (("", alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (("." * node.level + (node.module or ""), alias.name) for alias in node.names)


# --- size ----------------------------------------------------------------------------------------


def test_modules_are_short() -> None:
    lines = {module: len(source(module).splitlines()) for module in MODULES}
    assert {module: number for module, number in lines.items() if number > MOST_LINES} == {}


def test_packages_have_few_modules() -> None:
    modules = Counter(os.path.dirname(module) for module in MODULES if os.path.basename(module) != "__init__.py")
    assert {package: number for package, number in modules.items() if number > MOST_MODULES} == {}


# --- privacy -------------------------------------------------------------------------------------


def test_only_the_package_itself_lists_its_names() -> None:
    assert [module for module in MODULES if "__all__" in source(module)] == ["__init__.py"]


def test_no_private_name_of_another_module_is_imported() -> None:
    found = {module: [name for _, name in imports(module) if re.match("_(?!_|version$)", name)] for module in MODULES}
    assert {module: names for module, names in found.items() if names} == {}


def test_only_the_plugin_imports_pytest() -> None:
    others = [module for module in MODULES if not module.startswith("plugin/")]
    roots = {module: {(origin or name).partition(".")[0] for origin, name in imports(module)} for module in others}
    assert [module for module in others if roots[module] & {"pytest", "_pytest"}] == []


# --- dependencies --------------------------------------------------------------------------------

ANSWERED = {"pytest-json-report"}  # for who asks for --json-report: we answer its hooks, and import nothing of it
BROUGHT = {"markupsafe", "cryptography"}  # by jinja2, and by securesystemslib[crypto], which hand out objects of theirs


def dependencies(extra: str = "") -> set[str]:
    """Return the names of the distributions that the package needs, or else that an extra of it brings."""
    found = set()
    for line in metadata.requires("pytest-d0parity") or ():
        requirement, _, condition = line.partition(";")
        if (f"extra == '{extra}'" in condition.replace('"', "'")) if extra else "extra" not in condition:
            found.add(requirement)
    return {re.split(r"[\[<>=~! ]", each)[0] for each in found}


def test_nothing_is_installed_that_is_not_imported() -> None:
    roots = {(origin or name).partition(".")[0] for module in MODULES for origin, name in imports(module)}
    assert dependencies() - ANSWERED - roots == set()
    extras = {extra: dependencies(extra) for extra in ("dask", "bundle", "attest")}
    assert all(extras.values())
    assert set().union(*extras.values()) - roots == set()
    assert dependencies("all") == set().union(*extras.values())


def test_whatever_is_imported_is_installed() -> None:
    roots = {
        (origin or name).partition(".")[0]
        for module in MODULES
        for origin, name in imports(module)
        if not origin.startswith(".")
    }
    known = dependencies() | dependencies("dask") | dependencies("bundle") | dependencies("attest")
    assert roots - set(sys.stdlib_module_names) - known - BROUGHT - {"_pytest"} == set()


# --- start ---------------------------------------------------------------------------------------


def imported(*arguments: str | Path, folder: Path) -> set[str]:
    """Run the command line; give the names of the packages that it has imported."""
    code = (
        "import runpy, sys\n"
        "try:\n    runpy.run_module('pytest_d0parity', run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("arguments", [["--help"], ["log", "--help"], ["schema"], ["--version"]])
def test_what_is_only_asked_imports_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    heavy = HEAVY - {"numpy"} if arguments == ["schema"] else HEAVY
    assert not imported(*arguments, folder=tmp_path) & heavy


def test_files_that_are_the_same_are_verified_without_anything_heavy(pair: Path, tmp_path: Path) -> None:
    assert d0parity("log", "--dataset-root", pair, "--output", tmp_path / "out").returncode == 0
    assert not imported("verify", tmp_path / "out" / LOG, "--dataset-root", pair, folder=tmp_path) & HEAVY


def test_an_idle_session_of_pytest_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(): pass\n")
    (tmp_path / "conftest.py").write_text(
        "import sys\ndef pytest_unconfigure():\n    open('imported', 'w').write(' '.join(sys.modules))\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "pytest_d0parity.plugin"]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=120)
    modules = set((tmp_path / "imported").read_text().split())
    assert "pytest_d0parity.plugin" in modules
    assert not modules & (HEAVY | {"msgspec"})
