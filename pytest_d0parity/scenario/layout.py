"""The layout of a sweep: which files belong to it, how they tell their dose, and which array plays which role."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any, Literal

from ..util.errors import UsageError
from ..util.text import printable
from .options import AXES, DOMAINS

Domain = Literal["amplitude", "intensity"]
Axes = Literal["frames-first", "frames-last"]

# By which names an array is found to play a role where none is told, the first one first.
ROLES: Mapping[str, tuple[str, ...]] = {
    "diff3d": ("diff3d", "diffraction", "patterns"),
    "probeGuess": ("probeGuess", "probe"),
    "scan_index": ("scan_index",),
    "xcoords": ("xcoords",),
    "ycoords": ("ycoords",),
    "objectGuess": ("objectGuess",),
}

# The names of warnings, by which they are accepted.
WARNINGS = (
    *("mislabelled", "dose_disagrees", "non_finite", "negative", "top_of_type", "saturated", "empty", "empty_frames"),
    *("bright_frames", "wrong_length", "not_integral", "probe_power", "constant_object", "maximum_not_positive"),
    *("axes_unclear", "two_candidates", "two_spellings", "missing", "gain", "metadata_unreadable", "params_unknown"),
)
TOLERANCE = 0.05  # share by which two doses may differ

_NUMBER = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)


class LayoutError(UsageError, ValueError):
    """A layout cannot be followed. The message names the setting and says what is expected."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a sweep is kept, as far as it was told; what was not is found by convention.

    Attributes
    ----------
    datasets : tuple of str
        Globs of the files below the root.
    dose : str or None
        Where the dose stands: a regular expression with a group ``photons`` or ``mean_count``, ``metadata:KEY``, or
        ``none``.
    doses : dict of str to float
        Photons per pattern, by names or globs of datasets; the last one that matches counts.
    dose_tolerance : float
        Share by which counted and expected photons, and two sources of a dose, may differ.
    accept : tuple of str
        ``DATASET:NAME`` of the warnings that are known: globs of datasets and names of warnings.
    arrays : dict of str to str
        The name of the array that plays a role.
    domain : str or None
        What the patterns hold: ``amplitude`` or ``intensity``.
    axes : str or None
        Which axis counts the frames: the first one, before rows and columns, or the last one.
    measure_all : bool
        Measure every array, however large, and not only those of the stages and the small ones.
    """

    datasets: tuple[str, ...] = ()
    dose: str | None = None
    doses: dict[str, float] = field(default_factory=dict)
    dose_tolerance: float = TOLERANCE
    accept: tuple[str, ...] = ()
    arrays: dict[str, str] = field(default_factory=dict)
    domain: Domain | None = None
    axes: Axes | None = None
    measure_all: bool = False

    @property
    def variant(self) -> str:
        """What changes the measurement of a file, as a text that differs where it does; empty by default."""
        chosen = (sorted(self.arrays.items()), self.domain, self.axes, self.measure_all)
        return "" if chosen == ([], None, None, False) else repr(chosen)

    @property
    def metadata_key(self) -> str | None:
        """The name of the value in a dataset's metadata that is its dose."""
        kind, _, key = (self.dose or "").partition(":")
        return key if kind == "metadata" else None

    @property
    def has_no_doses(self) -> bool:
        """Whether no dose is to be looked for."""
        return self.dose == "none"

    @property
    def expression(self) -> str | None:
        """The regular expression that finds the dose in a name."""
        return None if self.dose is None or self.has_no_doses or self.metadata_key is not None else self.dose

    def accepts(self, dataset: str, warning: str) -> bool:
        """Whether a warning of a dataset is known."""
        return any(covers(entry, dataset, warning) for entry in self.accept)


DEFAULT_LAYOUT = Layout()
LAYOUT_KEYS = tuple(item.name for item in fields(Layout))


def covers(entry: str, dataset: str, warning: str) -> bool:
    """Whether an entry ``DATASET:NAME`` is about a warning of a dataset."""
    pattern, _, name = entry.rpartition(":")
    return name == warning and (dataset == pattern or fnmatchcase(dataset, pattern))


def make_layout(settings: Mapping[str, Any]) -> Layout:
    """Make a layout of what the options and a table say.

    Parameters
    ----------
    settings : mapping
        By the names of the attributes of `Layout`; None where nothing is said. `arrays` may be a table, or a sequence
        of ``ROLE=NAME``.

    Raises
    ------
    LayoutError
        If one of them cannot be followed.
    """
    tolerance = settings.get("dose_tolerance")
    return Layout(
        datasets=tuple(map(_checked_glob, settings.get("datasets") or ())),
        dose=_checked_dose(settings.get("dose")),
        doses={name: _checked_photons(name, photons) for name, photons in (settings.get("doses") or {}).items()},
        dose_tolerance=TOLERANCE if tolerance is None else _share(tolerance),
        accept=tuple(map(_checked_accept, settings.get("accept") or ())),
        arrays=_checked_arrays(settings.get("arrays") or {}),
        domain=_one_of("domain", settings.get("domain"), DOMAINS),
        axes=_one_of("axes", settings.get("axes"), AXES),
        measure_all=bool(settings.get("measure_all")),
    )


def _checked_glob(glob: str) -> str:
    parts = glob.split("/")
    if not glob or parts[0] == "" or ".." in parts or "\\" in glob or "\0" in glob:
        raise LayoutError(
            f"datasets {printable(glob)!r} is no glob below the dataset root; *.npz or dose_*/patched_*.npz is, with "
            "/ between folders and without .."
        )
    return glob


def _checked_dose(dose: str | None) -> str | None:
    if dose is None or dose == "none":
        return dose
    if dose.startswith("metadata:"):
        if dose == "metadata:":
            raise LayoutError("dose 'metadata:' names no value; metadata:physics_parameters.nphotons would")
        return dose
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what other versions of Python may take otherwise
            groups = set(re.compile(dose).groupindex) & {"photons", "mean_count"}
    except (re.error, RecursionError, OverflowError) as error:
        raise LayoutError(f"dose {printable(dose)!r} is no regular expression: {error}") from None
    if len(groups) != 1:
        found = "has both" if groups else "has neither"
        raise LayoutError(
            f"dose {printable(dose)!r} needs one group, named photons (per pattern) or mean_count (per pixel), and "
            rf"{found}; 'tmc(?P<mean_count>\d+)' is one, and so are metadata:KEY and none"
        )
    return dose


def _checked_photons(name: str, photons: object) -> float:
    if isinstance(photons, bool) or not isinstance(photons, int | float) or not 0 < photons < math.inf:
        raise LayoutError(f"doses.{printable(name)} is {photons!r}; photons per pattern are expected, above zero")
    return float(photons)


def _share(setting: object) -> float:
    text = str(setting)
    number = text.removesuffix("%")
    if not isinstance(setting, bool) and _NUMBER.fullmatch(number) and math.isfinite(share := float(number)):
        return share / 100 if text.endswith("%") else share
    raise LayoutError(f"dose_tolerance {printable(text)!r} is no share; 5% or 0.05 is")


def _checked_accept(entry: str) -> str:
    dataset, _, name = entry.rpartition(":")
    if not dataset or name not in WARNINGS:
        raise LayoutError(
            f"accept {printable(entry)!r} is no DATASET:NAME, like 'data_p1e5.npz:saturated'; names of warnings are "
            f"{', '.join(WARNINGS)}"
        )
    return entry


def _checked_arrays(arrays: Mapping[str, str] | Sequence[str]) -> dict[str, str]:
    pairs: Iterable[tuple[str, str, str]]
    pairs = ((role, "=", name) for role, name in arrays.items()) if isinstance(arrays, Mapping) else _split(arrays)
    found: dict[str, str] = {}
    for role, _, name in pairs:
        if role not in ROLES or not name:
            raise LayoutError(
                f"array {printable(f'{role}={name}' if name else role)!r} is no ROLE=NAME, like 'diff3d=diffraction'; "
                f"roles are {', '.join(ROLES)}"
            )
        if role in found:
            raise LayoutError(f"the role {role} is given twice: to {printable(found[role])} and to {printable(name)}")
        if name in found.values():
            raise LayoutError(f"the array {printable(name)} is given two roles; one array plays one role")
        found[role] = name
    return found


def _split(arrays: Sequence[str]) -> Iterable[tuple[str, str, str]]:
    return (entry.partition("=") for entry in arrays)


def _one_of(name: str, setting: Any, known: Sequence[str]) -> Any:
    if setting is not None and setting not in known:
        raise LayoutError(f"{name} {printable(str(setting))!r} is not known; {' or '.join(known)} is")
    return setting
