"""The evidence log as records; their fields are the keys of its JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..scenario.thresholds import Level
from ..statistics.records import GroupedStats, Histogram, Photons, ProbeStats, StageStats
from ..util.records import optional

SCHEMA_VERSION: Literal[4] = 4

Verdict = Literal["recorded", "match", "within_thresholds", "drift", "incomplete"]
Scalar = bool | int | float | str | None


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What could not be read or measured (error), or was measured and looks wrong (warning).

    Attributes
    ----------
    where : str
        A dataset, ``dataset:array``, or the name of the option that is concerned.
    message : str
        A sentence for the maintainer.
    """

    severity: Literal["error", "warning"]
    where: str
    message: str


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
    """Statistics of the stages; null where one could not be measured."""

    raw: StageStats | None = None
    normalized: StageStats | None = None
    grouped: GroupedStats | None = None


@dataclass(frozen=True, kw_only=True)
class Histograms:
    """Histograms of the stages, to look at; null where a stage could not be measured, or holds no value."""

    raw: Histogram | None = None
    normalized: Histogram | None = None
    grouped: Histogram | None = None


@dataclass(frozen=True, kw_only=True)
class Scan:
    """One scan of the grouped stage: its ``scan_index``, its frames, and its mean intensity, null where it has none."""

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
class Dataset:
    """One NPZ file of the sweep; null where something could not be read.

    Attributes
    ----------
    histograms, scans
        To look at; they are not compared. `scans` is empty if there are more than 256.
    """

    filename: str
    path: str
    photon_dose: str | None
    sha256: str | None = None
    size_bytes: int | None = None
    arrays: dict[str, ArrayInfo] = field(default_factory=dict)
    frames: Frames | None = None
    metadata: dict[str, Scalar] = field(default_factory=dict)
    stats: Stats = Stats()
    histograms: Histograms = Histograms()
    scans: tuple[Scan, ...] = ()
    photons: Photons | None = None
    probe: ProbeStats | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What was recorded, when, and by which tools. It is not compared.

    Attributes
    ----------
    compare : str
        The level at which the log was compared with its reference: ``bytes``, or ``statistics``.
    params_read : str or None
        ``safe`` when nothing of the params file was executed, ``trusted`` when dill loaded it, null
        without a params file.
    params_sha256 : str or None
        Of the params file, to know it again; what is compared is its values.
    params_recovered : dict of str to str
        The class of each parameter whose value was found inside an object, which was not built.
    from_cache : tuple of str
        Datasets whose values come from the cache of measurements.
    """

    scenario_id: str
    compare: Level = "bytes"
    dataset_root: str
    baseline_params: str | None
    timestamp: str
    git_sha: str
    git_dirty: bool | None
    tool: str
    python: str
    numpy: str
    platform: str
    params_read: Literal["safe", "trusted"] | None = None
    params_sha256: str | None = None
    params_recovered: dict[str, str] = field(default_factory=dict)
    from_cache: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ParamValue:
    """A parameter that is no single number, text, flag or null: an array, or an object that was not built.

    Attributes
    ----------
    shape : tuple of int
        Lengths of the axes of an array.
    dtype : str
        Data type of an array.
    sha256 : str
        Of the values of an array: little-endian, in C order.
    min, max, mean : float
        Over the finite values of an array of numbers, in its unit; complex ones by their magnitude.
    class : str
        ``module.qualname`` of an object that was kept as a placeholder.
    """

    shape: tuple[int, ...] | None = optional(None)
    dtype: str | None = optional(None)
    sha256: str | None = optional(None)
    min: float | None = optional(None)
    max: float | None = optional(None)
    mean: float | None = optional(None)
    class_: str | None = optional(None)


@dataclass(frozen=True, kw_only=True)
class Check:
    """A test of a pytest session, the values that it recorded, and the thresholds that it gives for some of them."""

    id: str
    dataset: str | None
    outcome: Literal["passed", "failed", "error", "skipped", "not_run"]
    values: dict[str, Scalar] = field(default_factory=dict)
    limits: dict[str, dict[Literal["rel", "abs"], float]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class NotCompared:
    """Values that a comparison left out.

    Attributes
    ----------
    name : str
        Dotted name of the values, or a pattern for it.
    why : str
        The level or the limit that leaves them out, or that only one side has measured them.
    values : int
        How many they are.
    differ : int
        How many of them are not the same on both sides.
    where : tuple of str
        The first five of those.
    """

    name: str
    why: str
    values: int
    differ: int
    where: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The log that this one was compared with.

    Attributes
    ----------
    path : str
        As given.
    sha256 : str
        Of the file.
    left_out : tuple of str
        What it holds and this run did not compare: datasets that `limit_datasets` leaves out, and own checks of the
        users that did not run.
    not_compared : tuple of NotCompared
        What both hold and was not compared.
    """

    path: str
    sha256: str
    left_out: tuple[str, ...] = ()
    not_compared: tuple[NotCompared, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A value that differs from the reference.

    Attributes
    ----------
    where : str
        ``dataset:name``, ``check:name``, a dataset that only one side has, or the name of a value.
    expected, observed : bool, int, float, str or None
        The reference's value and this log's; ``"(missing)"`` where there is none.
    threshold : str
        What is allowed.
    distance : float or None
        The difference in units of what is allowed: above 1 is drift, infinite where nothing is allowed,
        null where the values are not numbers.
    verdict : str
        ``repacked`` for a file whose bytes differ while every array in it is the same.
    """

    where: str
    expected: Scalar
    observed: Scalar
    threshold: str
    distance: float | None
    verdict: Literal["within_thresholds", "drift", "repacked"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What the values of two logs prove about why they differ.

    Attributes
    ----------
    root : str
        What differs, independently of the other findings.
    proof : str
        Which rule speaks: a short name.
    datasets : tuple of str
        In which datasets; none where it is about none of them.
    sentence : str
        What is proven, without the datasets.
    advice : str
        What to do next, in a sentence; empty where nothing follows.
    """

    root: Literal[
        "files", "patterns", "scan_index", "probe", "arrays", "metadata", "params", "metrics", "datasets", "checks"
    ]
    proof: str
    datasets: tuple[str, ...]
    sentence: str
    advice: str = ""


@dataclass(frozen=True, kw_only=True)
class EvidenceLog:
    """The record of all values about a sweep of datasets and its baseline run.

    Everything outside `metadata` is a function of the input bytes and the scenario.
    """

    schema_version: Literal[4] = SCHEMA_VERSION
    metadata: Metadata
    params: dict[str, Scalar | ParamValue] = field(default_factory=dict)
    baseline_params: dict[str, Scalar]
    metrics: dict[str, tuple[Scalar, Scalar]]
    datasets: tuple[Dataset, ...]
    total_datasets: int
    checks: tuple[Check, ...] = ()
    reference: Reference | None = None
    drift: tuple[Difference, ...] = ()
    findings: tuple[Finding, ...] = ()
    verdict: Verdict = "recorded"
    problems: tuple[Problem, ...] = ()

    @property
    def all_problems(self) -> tuple[Problem, ...]:
        """The problems of the whole first, then those of each dataset."""
        return self.problems + tuple(problem for dataset in self.datasets for problem in dataset.problems)

    @property
    def has_errors(self) -> bool:
        """Whether something could not be read or measured."""
        return any(problem.severity == "error" for problem in self.all_problems)
