"""The files of a sweep: which there are below its root, and what their names say about the dose."""

from __future__ import annotations

import contextlib
import fnmatch
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..util.errors import ParityError
from ..util.files import describe_os_error
from ..util.text import name_as_text, printable, text_as_name, valid_utf8
from .dose import DoseClaim, claim_of_table, claims_of_name
from .expression import find_doses
from .layout import Layout

if TYPE_CHECKING:
    from .scenario import Scenario

PATTERN = "data_p[0-9]*.npz"

Claims = tuple[DoseClaim, ...]


class SweepError(ParityError, ValueError):
    """A dataset root cannot be listed. The message names it and the reason."""


@dataclass(frozen=True)
class Sweep:
    """The datasets below a root.

    Attributes
    ----------
    claims : dict
        The names of the datasets, relative to the root with ``/`` and sorted by dose; and for each what the user and
        the name say about its dose.
    left_aside : tuple of str
        NPZ files that were seen and do not belong to the sweep.
    """

    claims: Mapping[str, Claims] = field(default_factory=dict)
    left_aside: tuple[str, ...] = ()


def find_sweep(root: str, layout: Layout, shown_as: str | None = None) -> Sweep:
    """Find the datasets below a root.

    Without globs these are the files ``data_p[0-9]*.npz`` in the root; where none is, the NPZ files in the root whose
    name says a dose; where none does, those below it whose relative name does.

    Parameters
    ----------
    root : str
        The folder.
    layout : Layout
        Says which files belong to the sweep, and where their dose stands.
    shown_as : str, optional
        The name of the folder in messages.

    Returns
    -------
    Sweep
        Names as text; also of entries that are not regular files. Folders that are hidden, or links, are not looked
        into.

    Raises
    ------
    SweepError
        If the folder cannot be listed.
    LayoutError
        If the search for doses in the names takes too long.
    """
    named = f"dataset root {printable(root if shown_as is None else shown_as)}"
    try:
        above = sorted(_files_in(root))
        if layout.datasets:
            is_deep = any("/" in glob for glob in layout.datasets)
            names = [*above, *(_files_below(root) if is_deep else ())]
            chosen = [name for name in names if any(_is_matched(name, glob) for glob in layout.datasets)]
        else:
            names = [name for name in above if name.endswith(".npz")]
            chosen = [name for name in names if fnmatch.fnmatchcase(name, PATTERN)]
            if not chosen:
                chosen = _with_dose(names, layout)
            if not chosen:
                names += [name for name in _files_below(root) if name.endswith(".npz")]
                chosen = _with_dose(names, layout)
    except NotADirectoryError:
        raise SweepError(f"{named} is a file; give the folder that holds {PATTERN}") from None
    except FileNotFoundError:
        raise SweepError(f"{named} does not exist; check the path") from None
    except OSError as error:
        raise SweepError(f"{named} cannot be listed: {describe_os_error(error)}") from None
    taken = set(chosen)
    return Sweep(
        claims=claims_of(chosen, layout),
        left_aside=tuple(sorted(name for name in names if name.endswith(".npz") and name not in taken)),
    )


def claims_of(names: Iterable[str], layout: Layout) -> dict[str, Claims]:
    """Return names sorted by dose, and for each what the user and the name say about it; first what counts.

    Raises
    ------
    LayoutError
        If the search takes too long.
    """
    names = list(names)
    found = find_doses(layout.expression, names) if layout.expression else {}
    claims: dict[str, Claims] = {}
    for name in names:
        told = (claim_of_table(layout, name), found.get(name))
        by_name = [] if layout.dose is not None else claims_of_name(name)
        claims[name] = tuple(claim for claim in (*told, *by_name) if claim)
    return {name: claims[name] for name in sorted(names, key=lambda name: _order(name, claims[name]))}


def _order(name: str, claims: Claims) -> tuple[float, bytes]:
    return claims[0].number if claims else math.inf, valid_utf8(name).encode()


def _with_dose(names: list[str], layout: Layout) -> list[str]:
    return [name for name, claims in claims_of(names, layout).items() if claims]


def _files_in(root: str, folder: str = "") -> Iterator[str]:
    """Yield the names of what is in a folder, relative to the root with ``/``; of folders only those named ``.npz``."""
    with os.scandir(os.path.join(root, text_as_name(folder))) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and (entry.name.endswith(".npz") or not entry.is_dir()):
                yield f"{folder}{name_as_text(entry.name)}"


def _files_below(root: str) -> Iterator[str]:
    """Yield the names of what is in the folders below a root, but for those that are hidden, or links."""
    folders = [""]
    while folders:
        folder = folders.pop()
        if folder:
            yield from sorted(_files_in(root, folder))
        with os.scandir(os.path.join(root, text_as_name(folder))) as entries:
            below = [name_as_text(entry.name) for entry in entries if _is_own_folder(entry)]
        folders += [f"{folder}{name}/" for name in sorted(below, reverse=True)]


def _is_own_folder(entry: os.DirEntry[str]) -> bool:
    is_hidden = entry.name.startswith(".")
    return not is_hidden and not entry.name.endswith(".npz") and entry.is_dir(follow_symlinks=False)


def _is_matched(name: str, glob: str) -> bool:
    """Whether a relative name matches a glob, in which ``**`` stands for any folders."""
    return _match(name.split("/"), glob.split("/"))


def _match(parts: Sequence[str], globs: Sequence[str]) -> bool:
    if not globs:
        return not parts
    if globs[0] == "**":
        return _match(parts, globs[1:] or ("*",)) or (len(parts) > 1 and _match(parts[1:], globs))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], globs[0]) and _match(parts[1:], globs[1:])


def sweep_sizes(scenario: Scenario) -> dict[str, int]:
    """Return the bytes of the datasets of a scenario, by file name, without those that cannot be looked at."""
    sizes = {}
    with contextlib.suppress(SweepError):
        for name in scenario.limit_datasets or find_sweep(scenario.root_path, scenario.layout).claims:
            with contextlib.suppress(OSError):
                sizes[name] = os.stat(scenario.dataset_path(name)).st_size
    return sizes
