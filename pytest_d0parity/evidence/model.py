"""The evidence log: its records, its JSON, its schema."""

from __future__ import annotations

import datetime
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from ..readers.params.placeholders import Placeholder
from ..statistics.distribution import GroupedStats, ProbeStats, StageStats
from ..statistics.histograms import Histogram
from ..statistics.photons import Photons
from ..util.records import PRESENT_WHEN_NOT_ZERO, SCHEMA_VERSION, as_dict
from ..util.text import non_finite, valid_utf8

Scalar = bool | int | float | str | None
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Crc32 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{8}$")]

_SAYABLE = ["NaN", "Infinity", "-Infinity"]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What could not be read or measured (error), or was measured and looks wrong (warning).

    Attributes
    ----------
    severity : str
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
    """An array of an NPZ file; `crc32` and `size_bytes` are those of the uncompressed member, header included."""

    shape: tuple[int, ...]
    dtype: str
    crc32: Crc32
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class Stats:
    """The stages of a dataset; null where one could not be measured."""

    raw: StageStats | None = None
    normalized: StageStats | None = None
    grouped: GroupedStats | None = None


@dataclass(frozen=True, kw_only=True)
class Histograms:
    """Of each stage, for the eye; null where it could not be measured, or holds no value."""

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
class Dataset:
    """One NPZ file of the sweep; null where something could not be read.

    Attributes
    ----------
    histograms, scans
        To look at; they are not compared. `scans` is empty where there are more than 256 of them.
    """

    filename: str
    path: str
    photon_dose: str | None
    sha256: Sha256 | None = None
    size_bytes: int | None = None
    arrays: dict[str, ArrayInfo] = field(default_factory=dict)
    stats: Stats = Stats()
    histograms: Histograms = Histograms()
    scans: tuple[Scan, ...] = ()
    photons: Photons | None = None
    probe: ProbeStats | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What, when and with what. Never compared.

    Attributes
    ----------
    params_read : str or None
        ``safe`` when nothing of the params file was executed, ``trusted`` when dill loaded it, null
        without a params file.
    params_sha256 : str or None
        Of the params file, to know it again; what is compared is its values.
    params_recovered : dict of str to str
        For each parameter whose value was found inside an object that was not built, its class.
    from_cache : tuple of str
        Datasets that were not measured anew.
    """

    scenario_id: str
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
    params_sha256: Sha256 | None = None
    params_recovered: dict[str, str] = field(default_factory=dict)
    from_cache: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Check:
    """One test of a pytest session, the values that it recorded, and the thresholds that it names for some."""

    id: str
    dataset: str | None
    outcome: Literal["passed", "failed", "error", "skipped", "not_run"]
    values: dict[str, Scalar] = field(default_factory=dict)
    limits: dict[str, dict[Literal["rel", "abs"], float]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The log that this one was compared with.

    Attributes
    ----------
    path : str
        As given.
    sha256 : str
        Of its bytes.
    left_out : tuple of str
        What it holds and this run did not look at: datasets that `limit_datasets` leaves out, and checks of the
        users' own that did not run.
    """

    path: str
    sha256: Sha256
    left_out: tuple[str, ...] = ()


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
class EvidenceLog:
    """The record of all values about a sweep of datasets and its baseline run.

    Everything outside `metadata` is a function of the input bytes and the scenario.
    """

    schema_version: Literal[3] = SCHEMA_VERSION
    metadata: Metadata
    baseline_params: dict[str, Scalar]
    metrics: dict[str, tuple[Scalar, Scalar]]
    datasets: tuple[Dataset, ...]
    total_datasets: int
    checks: tuple[Check, ...] = ()
    reference: Reference | None = None
    drift: tuple[Difference, ...] = ()
    verdict: Literal["recorded", "match", "within_thresholds", "drift", "incomplete"] = "recorded"
    problems: tuple[Problem, ...] = ()

    @property
    def all_problems(self) -> tuple[Problem, ...]:
        """Those of the whole first, then those of each dataset."""
        return self.problems + tuple(problem for dataset in self.datasets for problem in dataset.problems)

    @property
    def has_errors(self) -> bool:
        """Whether something could not be read or measured."""
        return any(problem.severity == "error" for problem in self.all_problems)


def convert_for_json(value: Any) -> Any:
    r"""Turn a value into what strict JSON (RFC 8259) can say.

    Parameters
    ----------
    value : object
        Scalars, NumPy scalars and arrays, containers, records of the log, paths, dates.

    Returns
    -------
    None, bool, int, float, str, list or dict
        NaN and infinities become the strings ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``; complex
        numbers become ``[real, imaginary]``; text that is not valid UTF-8 is escaped.

    Raises
    ------
    TypeError
        For a value of any other type, which it names.

    Examples
    --------
    >>> convert_for_json((128, np.float32("nan"), np.arange(2)))
    [128, 'NaN', [0, 1]]
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return convert_for_json(value.tolist())
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else non_finite(value)
    if isinstance(value, complex):
        return [convert_for_json(value.real), convert_for_json(value.imag)]
    if isinstance(value, str):
        return valid_utf8(value)
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, os.PathLike):
        return convert_for_json(os.fspath(value))
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, Placeholder):
        return repr(value)
    if isinstance(value, Mapping):
        return {_key(key): convert_for_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [convert_for_json(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return convert_for_json(as_dict(value))
    raise TypeError(f"a value of type {type(value).__qualname__} cannot be recorded in JSON")


def _key(key: Any) -> str:
    return valid_utf8(key) if isinstance(key, str) else str(convert_for_json(key))


def to_json(log: EvidenceLog) -> str:
    """Write a log as strict JSON.

    Parameters
    ----------
    log : EvidenceLog

    Returns
    -------
    str
        In the order of the schema: see `json_text`.
    """
    return json_text(log)


# A list of numbers, indented. No text of a JSON file can look like it: it would hold a raw end of line.
_NUMBERS = re.compile(r"\[\n *((?:-?[0-9][^\s,\]]*(?:,\n *)?)+)\n *\]")


def json_text(value: Any) -> str:
    """Write a value as strict JSON, with two spaces of indent, lists of numbers on one line, and a final newline."""
    text = json.dumps(convert_for_json(value), indent=2, ensure_ascii=False, allow_nan=False)
    return _NUMBERS.sub(lambda match: "[" + " ".join(match[1].split()) + "]", text) + "\n"


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema (2020-12) of a log.

    Returns
    -------
    dict
        Made from the records above. Objects are closed: a new key is a new `schema_version`.
    """
    (reference,), definitions = msgspec.json.schema_components([EvidenceLog], ref_template="#/$defs/{name}")
    _strict(definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Dose parity evidence log, version {SCHEMA_VERSION}",
        **reference,
        "$defs": definitions,
    }


def _strict(schema: Any) -> None:
    """Close every object, require all its keys, and let a number be one of the strings for what JSON cannot say."""
    if isinstance(schema, list):
        for item in schema:
            _strict(item)
    elif isinstance(schema, dict):
        for item in schema.values():
            _strict(item)
        schema.pop("default", None)
        if "properties" in schema:
            schema["additionalProperties"] = False
            schema["required"] = [name for name in schema["properties"] if name not in PRESENT_WHEN_NOT_ZERO]
        if schema.get("type") == "number":
            del schema["type"]
            schema["anyOf"] = [{"type": "number"}, {"enum": _SAYABLE}]
