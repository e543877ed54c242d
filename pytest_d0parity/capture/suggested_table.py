"""The table of a project that would log a folder which nobody described."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence, Set

from ..scenario.layout import ROLES, Layout
from ..scenario.sweep import find_sweep
from ..util.text import valid_utf8
from .dataset.roles import PATTERNS
from .folder_scan import ScannedFile

_NUMBER = r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_ANY_NUMBER = "[0-9.eE+-]+"  # shorter, of those that do not matter
_NUMBERS = re.compile(_NUMBER, re.ASCII)
_MOST_DOSES = 20  # that are listed, to be filled in


def suggest_table(root: str, files: Sequence[ScannedFile]) -> list[str]:
    """Return the lines of a table for ``pyproject.toml`` that would log the files; none where nothing could be logged.

    Parameters
    ----------
    root : str
        The folder, as it is to stand in the table.
    files : sequence of ScannedFile
        All of its files.
    """
    datasets = _datasets_among(files)
    if not datasets:
        return []
    last = os.path.basename(os.path.abspath(root))
    title = f"tool.d0parity.scenarios.{re.sub('[^A-Za-z0-9_-]+', '_', last).strip('_') or 'sweep'}"
    lines = [f"[{title}]", f"dataset_root = {_quoted(root)}"]
    names = [file.name for file in datasets]
    if [*find_sweep(root, Layout()).claims] != names:
        globs = _globs(root, names, {file.name for file in files if file.defect})
        lines.append(f"datasets = [{', '.join(map(_quoted, globs))}]")
    if arrays := [*_arrays_to_tell(datasets)]:
        lines.append(f"arrays = {{ {', '.join(f'{role} = {_quoted(name)}' for role, name in arrays)} }}")
    if not all(file.claims for file in datasets):
        lines += _dose_lines(title, datasets)
    return lines


def _datasets_among(files: Sequence[ScannedFile]) -> list[ScannedFile]:
    """Return the files whose patterns have a name of the convention, or else the name that most of the files share."""
    stacks = [file for file in files if file.frames]
    named = [file for file in stacks if _is_conventional(PATTERNS, file.roles[PATTERNS])]
    if named or not stacks:
        return named
    ((most, _),) = Counter(file.roles[PATTERNS] for file in stacks).most_common(1)
    return [file for file in stacks if file.roles[PATTERNS] == most]


def _is_conventional(role: str, name: str) -> bool:
    return name.lstrip("/") in ROLES[role]


def _globs(root: str, names: Sequence[str], damaged: Set[str]) -> list[str]:
    """Return few globs that match the datasets and none of the others, but for damaged ones: they may belong to it."""
    whole = "**/*.npz" if any("/" in name for name in names) else "*.npz"
    by_number = [re.sub(r"\*+", "*", "*".join(map(_escaped, _NUMBERS.split(name)))) for name in names]
    wanted = set(names)
    for globs in ([whole], [*dict.fromkeys(by_number)]):
        if len(globs) == 1 or len(globs) < len(names):
            found = find_sweep(root, Layout(datasets=tuple(globs))).claims
            if wanted <= found.keys() <= wanted | damaged:
                return globs
    return [_escaped(name) for name in names]


def _escaped(text: str) -> str:
    """Return a glob for a text; what no table or glob can say, any character stands for."""
    return "".join(c if valid_utf8(c) == c and c != "\\" else "?" for c in glob.escape(text))


def _arrays_to_tell(datasets: Sequence[ScannedFile]) -> Iterator[tuple[str, str]]:
    """Yield roles that no convention tells, of arrays that all datasets have."""
    for role in ROLES:
        names = {file.roles.get(role) for file in datasets}
        if len(names) == 1 and (name := names.pop()) and not _is_conventional(role, name):
            yield role, name


def _dose_lines(title: str, datasets: Sequence[ScannedFile]) -> Iterator[str]:
    """Yield what to say about the dose: the one number in which the names differ, or a table to be filled in."""
    names = [file.name for file in datasets]
    if expression := _expression_for(names):
        yield f"dose = {_literal(expression)}  # or mean_count, photons per pixel"
        return
    yield "# Nothing tells the doses. These lines would, in photons per pattern:"
    yield f"# [{title}.doses]"
    yield from [f"# {_quoted(file.name)} = 1e5" for file in datasets if not file.claims][:_MOST_DOSES]


def _expression_for(names: Sequence[str]) -> str:
    """Return an expression that finds the one number in which the names differ; nothing where that is no dose."""
    numbers = [_NUMBERS.findall(name) for name in names]
    places = [place for place, column in enumerate(zip(*numbers, strict=False)) if len(set(column)) > 1]
    if len({_NUMBERS.sub("\0", name) for name in names}) != 1 or len(places) != 1:
        return ""
    found = [of_name[places[0]] for of_name in numbers]
    if _count_files(found):
        return ""
    before = _NUMBERS.split(names[0])[: places[0] + 1]
    group = f"(?P<photons>{_NUMBER})"
    candidates = (
        re.escape(before[-1].rpartition("/")[2]) + group,
        f"^{_ANY_NUMBER.join(map(re.escape, before))}{group}",
    )
    for expression in map(valid_utf8, candidates):
        matches = [re.search(expression, name) for name in names]
        if [match and match["photons"] for match in matches] == found:
            return expression
    return ""


def _count_files(numbers: Sequence[str]) -> bool:
    """Whether numbers go up one by one, as those of runs do, and not those of doses."""
    values = sorted({int(number) for number in numbers if number.isdecimal()})
    return len(values) == len(set(numbers)) and values[-1] - values[0] == len(values) - 1


def _literal(text: str) -> str:
    """Return a text in a table without escapes, which are hard to read in expressions, where that can be."""
    return f"'{text}'" if "'" not in text and text.isprintable() else _quoted(text)


def _quoted(text: str) -> str:
    escaped = valid_utf8(text).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'
