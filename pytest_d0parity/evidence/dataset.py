"""A dataset of the sweep as records of the log; their fields are the keys of its JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from ..scenario.dose import Unit
from ..statistics.records import GroupedStats, Histogram, Photons, ProbeStats, StageStats
from ..util.records import optional
from ..util.text import printable, quoted, valid_utf8

Scalar = bool | int | float | str | None


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What could not be read or measured (error), or was measured and looks wrong (warning).

    Attributes
    ----------
    severity : str
        ``error`` where something could not be read or measured, ``warning`` where it was and looks wrong.
    name : str
        ``unreadable`` or ``unmeasured`` for errors; for warnings the name by which they are accepted.
    where : str
        A dataset, ``dataset:array``, or the name of the option that is concerned.
    message : str
        A sentence for the maintainer.
    accepted : bool
        Whether the warning is known, and fails no check.
    """

    severity: Literal["error", "warning"]
    name: str = ""
    where: str
    message: str
    accepted: bool = False


def severity_of(problem: Problem) -> str:
    """Return how bad a problem is, for people: one that is accepted fails nothing."""
    return f"accepted {problem.severity}" if problem.accepted else problem.severity


def problem_line(problem: Problem) -> str:
    """Return a problem in a line; a warning with the name by which `accept` lets it stand."""
    name = f" [{problem.name}]" if problem.severity == "warning" and problem.name else ""
    where = "" if problem.message.startswith(problem.where.replace("_", " ")) else f"{quoted(problem.where)}: "
    return f"{severity_of(problem)}: {where}{printable(problem.message)}{name}"


@dataclass(frozen=True, kw_only=True)
class ArrayInfo:
    """An array of an NPZ file.

    Its statistics are there where it plays no stage's role and is small, or all arrays were to be measured.

    Attributes
    ----------
    shape : tuple of int
        Lengths of its axes.
    dtype : str
        Data type as stored.
    crc32 : str
        CRC-32 of the uncompressed member, header included: eight hexadecimal digits.
    size_bytes : int
        Bytes of the uncompressed member, header included.
    min, max, mean, std : float
        Over the finite values, in the unit of the array; complex values by their magnitude. `std` is that of the
        population.
    mean_real, mean_imag : float
        Means of both parts of a complex array, in its unit.
    nonzero_fraction : float
        Share of the finite values that are not zero.
    count : int
        Number of finite values.
    nan_count, inf_count : int
        Number of values that are left out.
    text : str
        What an array of text holds: the text, or a JSON list of several; the first 4,096 characters.
    """

    shape: tuple[int, ...]
    dtype: str
    crc32: str
    size_bytes: int
    min: float | None = optional(None)
    max: float | None = optional(None)
    mean: float | None = optional(None)
    std: float | None = optional(None)
    mean_real: float | None = optional(None)
    mean_imag: float | None = optional(None)
    nonzero_fraction: float | None = optional(None)
    count: int | None = optional(None)
    nan_count: int = optional(0)
    inf_count: int = optional(0)
    text: str | None = optional(None)


@dataclass(frozen=True, kw_only=True)
class Stats:
    """Statistics of the stages; null where one could not be measured.

    Attributes
    ----------
    raw : StageStats
        Of ``diff3d`` as stored.
    normalized : StageStats
        Of ``diff3d / (diff3d.max() + 1e-12)``.
    grouped : GroupedStats
        Of the mean intensities of the scans.
    """

    raw: StageStats | None = None
    normalized: StageStats | None = None
    grouped: GroupedStats | None = None


@dataclass(frozen=True, kw_only=True)
class Histograms:
    """Histograms of the stages, to look at; null where a stage could not be measured, or holds no value.

    Attributes
    ----------
    raw, normalized, grouped : Histogram
        Of the values of the stage.
    """

    raw: Histogram | None = None
    normalized: Histogram | None = None
    grouped: Histogram | None = None


@dataclass(frozen=True, kw_only=True)
class Scan:
    """One scan of the grouped stage.

    Attributes
    ----------
    scan_index : int
        Its number in the array of this name.
    n_patterns : int
        Number of its frames whose mean is not NaN.
    mean : float
        Mean of the means of its frames, in the unit of ``diff3d``; null where it has none.
    """

    scan_index: int
    n_patterns: int
    mean: float | None


@dataclass(frozen=True, kw_only=True)
class Frames:
    """Fingerprints of the frames, from which it is seen whether two files hold the same ones.

    The fingerprint of a frame is the sum, modulo 2^64, of the bit patterns of its pixels as unsigned integers.

    Attributes
    ----------
    count : int
        Number of frames.
    order : str
        SHA-256 of the fingerprints (64 bit, little-endian) in the order of the frames.
    set : str
        SHA-256 of the fingerprints in ascending order.
    """

    count: int
    order: str
    set: str


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """The mean pattern of at most 512 frames, which are evenly spread.

    Attributes
    ----------
    row, column : float
        Of its centre of mass, in pixels from 0.
    """

    row: float
    column: float


@dataclass(frozen=True, kw_only=True)
class Dose:
    """What is said about the dose of a dataset.

    Attributes
    ----------
    photons : float
        Photons per pattern; null where a mean count is told, and the number of pixels is not known.
    spelled : str
        The number as it is written where it stands.
    unit : str
        Of that number: ``photons`` per pattern, or ``mean_count``, photons per pixel.
    source : str
        Where it stands: ``doses`` (the table), ``dose`` (the setting), ``name``, ``folder``, or ``metadata:KEY``.
    """

    photons: float | None
    spelled: str
    unit: Unit
    source: str


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One NPZ file of the sweep; null where something could not be read.

    Attributes
    ----------
    filename : str
        Name of the file, relative to the dataset root.
    path : str
        Path of the file, as given.
    photon_dose : str
        Photons per pattern, as they are spelled, or computed from a mean count; null where nothing tells them.
    dose : Dose
        Where the dose is told, and how; null where nothing tells it.
    sha256 : str
        Of the file.
    size_bytes : int
        Bytes of the file.
    roles : dict
        Which array plays which role.
    arrays : dict
        Each array in the file, by its name.
    frames : Frames
        Fingerprints of the frames of ``diff3d``.
    metadata : dict
        The leaves of the metadata in the file, by dotted names; lists are counted from 0.
    stats : Stats
        Statistics of the stages of ``diff3d``.
    histograms : Histograms
        How often values occur, to look at; not compared.
    scans : tuple of Scan
        The scans, to look at; not compared. Empty if there are more than 256.
    pattern : Pattern
        Where the mean pattern has its centre; null where the frames are no patterns of rows and columns.
    photons : Photons
        The photons counted back from ``diff3d``.
    probe : ProbeStats
        Statistics of ``probeGuess``.
    standard_errors : dict
        How much values scatter because these frames and not others were taken, by their names and in their units; none
        for fewer than 32 frames.
    problems : tuple of Problem
        What could not be read or measured, or looks wrong.
    """

    filename: str
    path: str
    photon_dose: str | None
    dose: Dose | None = None
    sha256: str | None = None
    size_bytes: int | None = None
    roles: dict[str, str] = field(default_factory=dict)
    arrays: dict[str, ArrayInfo] = field(default_factory=dict)
    frames: Frames | None = None
    metadata: dict[str, Scalar] = field(default_factory=dict)
    stats: Stats = Stats()
    histograms: Histograms = Histograms()
    scans: tuple[Scan, ...] = ()
    pattern: Pattern | None = None
    photons: Photons | None = None
    probe: ProbeStats | None = None
    standard_errors: dict[str, float] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def __repr__(self) -> str:
        """Tell which dataset it is: what it holds fills pages."""
        return f"<Dataset {self.filename!r}, dose {self.photon_dose}>"

    @property
    def claimed_photons(self) -> float | None:
        """Photons per pattern that are told; None where they are not."""
        if self.dose is not None:
            return self.dose.photons
        try:  # older logs have the text alone
            photons = float(self.photon_dose or "nan")
        except ValueError:
            return None
        return photons if 0 < photons < math.inf else None


@dataclass(frozen=True, kw_only=True)
class SharedArray:
    """Whether an array is the same in all datasets of a split, by its CRC-32.

    Attributes
    ----------
    same : bool
        Whether it is.
    differ : tuple of str
        The datasets in which it is another than in most.
    up_to_a_factor : bool
        True where probes differ, and are the same up to one factor each, as far as their statistics tell.
    """

    same: bool
    differ: tuple[str, ...] = ()
    up_to_a_factor: bool | None = optional(None)


@dataclass(frozen=True, kw_only=True)
class Split:
    """The datasets of one split: all of them, or those whose name says ``train`` or ``test``.

    Attributes
    ----------
    name : str
        ``train``, ``test``, or empty where names say nothing.
    datasets : int
        How many there are.
    arrays : dict
        Positions, scan index, probe and object, by their roles.
    """

    name: str
    datasets: int
    arrays: dict[str, SharedArray] = field(default_factory=dict)


def by_dose(datasets: Iterable[Dataset]) -> tuple[Dataset, ...]:
    """Sort datasets by their dose as a number, then by name; those without a dose come last."""

    def order(dataset: Dataset) -> tuple[float, bytes]:
        photons = dataset.claimed_photons
        return math.inf if photons is None else photons, valid_utf8(dataset.filename).encode()

    return tuple(sorted(datasets, key=order))
