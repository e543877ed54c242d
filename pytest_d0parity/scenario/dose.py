"""The dose of a dataset, in photons per pattern: who tells it, and whether they agree."""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from ..util.text import printable
from .layout import Layout

Unit = Literal["photons", "mean_count"]

_NUMBER = r"([0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![^\W_])"
# As programs name files and folders of a sweep.
_NAMED: Mapping[Unit, re.Pattern[str]] = {
    "photons": re.compile(rf"(?<![^\W_])(?:data_p|nphotons_|dose_){_NUMBER}"),
    "mean_count": re.compile(rf"(?<![^\W_])(?:tmc|mean){_NUMBER}"),
}
_PLACES: tuple[tuple[str, Unit], ...] = (("target_mean_count", "mean_count"), ("nphotons", "photons"))


@dataclass(frozen=True, kw_only=True)
class DoseClaim:
    """What one source says about the dose of a dataset.

    Attributes
    ----------
    number : float
        Positive and finite.
    spelled : str
        The number as it is written there.
    unit : str
        ``photons`` per pattern, or ``mean_count``: photons per pixel.
    source : str
        ``doses``, ``dose``, ``name``, ``folder``, or ``metadata:KEY``.
    """

    number: float
    spelled: str
    unit: Unit
    source: str

    @property
    def is_told(self) -> bool:
        """Whether the user said so, whose word is not held against other sources."""
        return self.source in ("doses", "dose")

    def photons(self, pixels: int | None) -> float | None:
        """Return the photons per pattern; None where the number of pixels is needed and not known."""
        if self.unit == "photons":
            return self.number
        return None if pixels is None else self.number * pixels


def make_claim(text: object, unit: Unit, source: str) -> DoseClaim | None:
    """Return a claim; None where the text is no positive, finite number."""
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        return None
    try:
        number = float(text)
    except (ValueError, OverflowError):
        return None
    spelled = text if isinstance(text, str) else f"{text:.15g}"
    return DoseClaim(number=number, spelled=spelled, unit=unit, source=source) if 0 < number < math.inf else None


def claims_of_name(name: str) -> list[DoseClaim]:
    """Return what a file's name says by convention, and then the nearest folder that says something.

    Parameters
    ----------
    name : str
        Relative to the dataset root, with ``/``.

    Examples
    --------
    >>> [(claim.spelled, claim.source) for claim in claims_of_name("dose_1000/patched_train.npz")]
    [('1000', 'folder')]
    """
    folder, filename = posixpath.split(name)
    found = [_named(filename.removesuffix(".npz"), "name")]
    for part in reversed(folder.split("/")):
        if claim := _named(part, "folder"):
            found.append(claim)
            break
    return [claim for claim in found if claim]


def _named(text: str, source: str) -> DoseClaim | None:
    for unit, pattern in _NAMED.items():
        if (match := pattern.search(text)) and (claim := make_claim(match[1], unit, source)):
            return claim
    return None


def claim_of_table(layout: Layout, name: str) -> DoseClaim | None:
    """Return what the table `Layout.doses` says about a dataset; the last entry that matches counts."""
    matching = [dose for glob, dose in layout.doses.items() if name == glob or fnmatchcase(name, glob)]
    return make_claim(matching[-1], "photons", "doses") if matching else None


def claims_of_metadata(values: Mapping[str, object]) -> list[DoseClaim]:
    """Return what the metadata of a dataset says: by ``target_mean_count``, or else by ``nphotons``.

    Parameters
    ----------
    values : mapping
        The leaves of the metadata, by dotted names.
    """
    for key, unit in _PLACES:
        claims = [make_claim(values[name], unit, f"metadata:{name}") for name in _names_of(values, key)]
        if found := [claim for claim in claims if claim]:
            return found
    return []


def claim_of_key(values: Mapping[str, object], key: str) -> DoseClaim | None:
    """Return what one value of the metadata says; its name may be its last part, if that occurs once."""
    names = [key] if key in values else _names_of(values, key)
    if len(names) != 1:
        return None
    unit: Unit = "mean_count" if names[0].endswith("mean_count") else "photons"
    return make_claim(values[names[0]], unit, "dose")


def _names_of(values: Mapping[str, object], last: str) -> list[str]:
    return [name for name in values if name.rpartition(".")[2] == last]


def decide(
    claims: Iterable[DoseClaim], pixels: int | None, tolerance: float
) -> tuple[DoseClaim | None, DoseClaim | None]:
    """Return which claim counts, and the first one that disagrees with it, if any.

    Parameters
    ----------
    claims : iterable of DoseClaim
        The one that speaks first first.
    pixels : int or None
        Number of pixels of a pattern.
    tolerance : float
        Share by which two may differ.
    """
    found = [*claims]
    if not found:
        return None, None
    first, *others = found
    if first.is_told:
        return first, None
    for other in others:
        if _is_rounded(first, other):
            return other, None
    photons = first.photons(pixels)
    for other in others:
        its = other.photons(pixels)
        if photons is not None and its is not None and abs(its / photons - 1) > tolerance:
            return first, other
    return first, None


def _is_rounded(named: DoseClaim, other: DoseClaim) -> bool:
    """Whether a name gives the mean count of the metadata, rounded to a whole number."""
    return (
        named.unit == other.unit == "mean_count"
        and other.source.startswith("metadata")
        and named.number == math.floor(other.number + 0.5)
    )


def describe_claim(claim: DoseClaim) -> str:
    """Return what a claim says, for a sentence."""
    unit = "photons per pattern" if claim.unit == "photons" else "photons per pixel on average"
    where = {
        "name": "its name",
        "folder": "its folder",
        "doses": "the table of doses",
        "dose": "the setting dose",
    }.get(claim.source, f"its {claim.source.replace(':', ' ')}")
    return f"{where} says {printable(claim.spelled)} {unit}"
