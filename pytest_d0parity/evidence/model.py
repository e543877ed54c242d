"""The evidence log as records; their fields are the keys of its JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ..scenario.layout import Layout
from ..scenario.thresholds import Level
from ..util.records import optional
from ..util.text import counted
from .dataset import Dataset, Problem, Scalar, Split
from .drift import Difference, Finding, Reference

SCHEMA_VERSION: Literal[4] = 4

Verdict = Literal["recorded", "match", "within_thresholds", "drift", "incomplete"]
SHOWN = ("match", "within_thresholds")  # verdicts that show parity
UNSHOWN = ("drift", "incomplete")  # verdicts of a log that shows no parity, though its files be the very ones


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What was recorded, when, and by which tools. It is not compared.

    Attributes
    ----------
    scenario_id : str
        Name of the scenario.
    dataset_root : str
        Folder of the sweep, as given.
    baseline_params : str
        Path of the params file, as given; null without one.
    timestamp : str
        When the log was made: UTC, ISO 8601.
    git_sha : str
        Commit of the repository that the run was started in; ``unknown`` outside of one.
    git_dirty : bool
        Whether tracked files had changes; null where that is unknown.
    tool, python, numpy : str
        Versions of pytest-d0parity, Python and NumPy.
    platform : str
        Operating system and processor.
    compare : str
        The level at which the log was compared with its reference: ``bytes``, or ``statistics``.
    layout : Layout
        How the sweep was told to be kept; null in older logs.
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
    layout: Layout | None = None
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
class Attachment:
    """A file that belongs to the baseline run and is not measured: a model, a reconstruction, a notebook.

    Attributes
    ----------
    name : str
        The last part of its path, and as many before it as tell it from the others.
    role : str
        What it is for, in the user's word; null without one.
    path : str
        As given.
    size_bytes : int
        Its size in bytes.
    sha256 : str
        Of its bytes.
    """

    name: str
    role: str | None = None
    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Check:
    """A test of a pytest session.

    Attributes
    ----------
    id : str
        The node id of the test.
    dataset : str
        The dataset that it is about; null if it is about none.
    outcome : str
        What became of it.
    values : dict
        The values that it recorded, by name.
    limits : dict
        Its thresholds for some of them: ``rel`` as a share of the reference, ``abs`` in the unit of the value.
    """

    id: str
    dataset: str | None
    outcome: Literal["passed", "failed", "error", "skipped", "not_run"]
    values: dict[str, Scalar] = field(default_factory=dict)
    limits: dict[str, dict[Literal["rel", "abs"], float]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class EvidenceLog:
    """The record of all values about a sweep of datasets and its baseline run.

    Everything outside `metadata` is a function of the input bytes and the scenario.

    Attributes
    ----------
    schema_version : int
        Version of this schema.
    metadata : Metadata
        What was recorded, when, and by which tools.
    params : dict
        Every key of the params file by its dotted name; lists are counted from 0.
    baseline_params : dict
        The excerpt of them that people read first.
    metrics : dict
        Pairs [train, test] of the baseline run, which PtychoPINN fills with those of amplitude and phase; psnr in dB.
    datasets : tuple of Dataset
        The files of the sweep, by dose.
    attachments : tuple of Attachment
        Files that belong to the baseline run and are not measured.
    sweep : tuple of Split
        What the datasets of each split share, to look at; not compared.
    total_datasets : int
        Number of datasets.
    checks : tuple of Check
        The checks of a pytest session.
    reference : Reference
        The log that this one was compared with; null without one.
    drift : tuple of Difference
        The values that differ from the reference.
    findings : tuple of Finding
        What the values prove about why they differ.
    verdict : str
        What the comparison says; ``recorded`` where nothing was compared.
    problems : tuple of Problem
        What could not be read or looks wrong, beside the datasets.
    """

    schema_version: Literal[4] = SCHEMA_VERSION
    metadata: Metadata
    params: dict[str, Scalar | ParamValue] = field(default_factory=dict)
    baseline_params: dict[str, Scalar]
    metrics: dict[str, tuple[Scalar, Scalar]]
    datasets: tuple[Dataset, ...]
    attachments: tuple[Attachment, ...] = ()
    sweep: tuple[Split, ...] = ()
    total_datasets: int
    checks: tuple[Check, ...] = ()
    reference: Reference | None = None
    drift: tuple[Difference, ...] = ()
    findings: tuple[Finding, ...] = ()
    verdict: Verdict = "recorded"
    problems: tuple[Problem, ...] = ()

    def __repr__(self) -> str:
        """Tell which log it is: what it holds fills pages."""
        return f"<EvidenceLog {self.metadata.scenario_id!r}: {counted(len(self.datasets), 'dataset')}, {self.verdict}>"

    def _repr_html_(self) -> str:
        from .shown import html_of

        return html_of(self)

    def columns(self) -> dict[str, list[Any]]:
        """Return the values of the datasets as columns by their dotted names, for any library of tables."""
        from .shown import columns_of

        return columns_of(self)

    @property
    def all_problems(self) -> tuple[Problem, ...]:
        """The problems of the whole first, then those of each dataset."""
        return self.problems + tuple(problem for dataset in self.datasets for problem in dataset.problems)

    @property
    def has_errors(self) -> bool:
        """Whether something could not be read or measured."""
        return any(problem.severity == "error" for problem in self.all_problems)
