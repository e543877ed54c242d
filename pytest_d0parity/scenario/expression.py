"""Regular expressions of users, searched in names for doses in bounded time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache

from ..util.text import printable
from .dose import DoseClaim, make_claim
from .layout import LayoutError

# Python's expressions may take for ever and cannot be stopped, so they are searched in a process of their own.
_SEARCH = """
import json, re, sys
expression, names = json.load(sys.stdin)
pattern = re.compile(expression)
json.dump([(match := pattern.search(name)) and match.groupdict() for name in names], sys.stdout)
"""


def find_doses(expression: str, names: Sequence[str], seconds: float = 10) -> dict[str, DoseClaim]:
    """Return what a regular expression finds in names, by name; nothing for those in which it finds no number.

    Parameters
    ----------
    expression : str
        With one group named ``photons`` or ``mean_count``.
    names : sequence of str
        Relative to the dataset root.
    seconds : float
        How long the search in all names may take.

    Raises
    ------
    LayoutError
        If the search takes too long.
    """
    return dict(_find_doses(expression, tuple(names), seconds))


@lru_cache(maxsize=4)  # a run asks for the names of its sweep more than once
def _find_doses(expression: str, names: tuple[str, ...], seconds: float) -> dict[str, DoseClaim]:
    try:
        done = subprocess.run(  # noqa: S603 - this very Python, and a program of ours
            [sys.executable, "-I", "-S", "-Wignore", "-c", _SEARCH],
            input=json.dumps([expression, names]),
            stdout=subprocess.PIPE,
            encoding="ascii",
            timeout=seconds,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise LayoutError(
            f"dose {printable(expression)!r} is not found in the names within {seconds:g} seconds: repeats within "
            "repeats, like (a+)+, take for ever; write it without them"
        ) from None
    except (subprocess.CalledProcessError, OSError) as error:
        raise LayoutError(f"dose {printable(expression)!r} cannot be searched for: {error}") from None
    claims = {}
    for name, groups in zip(names, json.loads(done.stdout), strict=True):
        for unit in ("photons", "mean_count"):
            if groups and (claim := make_claim(groups.get(unit), unit, "dose")):
                claims[name] = claim
    return claims
