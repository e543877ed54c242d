"""The files of a photon-dose sweep, and the dose in each file name."""

from __future__ import annotations

import fnmatch
import math
import os
import re
from collections.abc import Iterable

from ..util.errors import ParityError
from ..util.files import describe_os_error
from ..util.text import name_as_text, printable, valid_utf8

PATTERN = "data_p[0-9]*.npz"

_NAME = re.compile(r"data_p([0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\.npz")


class SweepError(ParityError, ValueError):
    """A dataset root cannot be listed. The message names it and the reason."""


def dose_text(filename: str) -> str | None:
    """Return the dose as it is spelled in a file name, or None where there is none.

    Examples
    --------
    >>> dose_text("data_p1e5.npz"), dose_text("data_p1e5_v2.npz")
    ('1e5', None)
    """
    match = _NAME.fullmatch(filename)
    return match[1] if match and 0 < float(match[1]) < math.inf else None


def is_dataset(filename: str) -> bool:
    """Whether a file name matches `PATTERN`."""
    return fnmatch.fnmatchcase(filename, PATTERN)


def dose_of(filename: str) -> float | None:
    """Return the dose in a file name, in photons per pattern, or None."""
    text = dose_text(filename)
    return None if text is None else float(text)


def sort_by_dose(filenames: Iterable[str]) -> list[str]:
    """Sort file names by dose, then by name; names without a dose come last."""

    def order(filename: str) -> tuple[float, bytes]:
        dose = dose_of(filename)
        return math.inf if dose is None else dose, valid_utf8(filename).encode()

    return sorted(filenames, key=order)


def list_sweep(root: str, shown_as: str | None = None) -> list[str]:
    """List the datasets in a folder.

    Parameters
    ----------
    root : str
        The folder.
    shown_as : str, optional
        The name of the folder in messages.

    Returns
    -------
    list of str
        Names that match `PATTERN`, as text, sorted by dose; also of entries that are not regular files.

    Raises
    ------
    SweepError
        If the folder cannot be listed.
    """
    named = f"dataset root {printable(root if shown_as is None else shown_as)}"
    try:
        names = [name_as_text(name) for name in os.listdir(root)]
    except NotADirectoryError:
        raise SweepError(f"{named} is a file; give the folder that holds {PATTERN}") from None
    except FileNotFoundError:
        raise SweepError(f"{named} does not exist; check the path") from None
    except OSError as error:
        raise SweepError(f"{named} cannot be listed: {describe_os_error(error)}") from None
    return sort_by_dose(name for name in names if is_dataset(name))


def same_doses(filenames: Iterable[str]) -> list[list[str]]:
    """Return each group of two or more names that have the same dose."""
    by_dose: dict[float, list[str]] = {}
    for filename in filenames:
        dose = dose_of(filename)
        if dose is not None:
            by_dose.setdefault(dose, []).append(filename)
    return [names for names in by_dose.values() if len(names) > 1]
