"""The values of an evidence log that are compared, by their dotted names."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ..evidence.encoding import convert_for_json
from ..evidence.file import LogError, LogFile
from ..evidence.model import EvidenceLog, Scalar
from ..scenario.thresholds import Threshold, ThresholdError, threshold_of
from ..statistics.records import GroupedStats, PartStats, Photons, StageStats
from ..util.records import PRESENT_WHEN_NOT_ZERO
from ..util.text import printable

BUILT_IN = "d0parity::"  # how the ids of our own checks begin

Named = Mapping[str, Scalar]

_STAGES = {"raw": StageStats, "normalized": StageStats, "grouped": GroupedStats}
NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
# What logs from before there was a schema version do not hold.
_NEW_IN_1 = re.compile(r"photons\..*|arrays\..*\.(crc32|size_bytes)|.*\.(nan_count|inf_count)")


@dataclass(frozen=True)
class CheckValues:
    """What a user's own check recorded, about which dataset, and the thresholds that it names, by value."""

    dataset: str | None
    values: Named
    limits: Mapping[str, Threshold] = field(default_factory=dict)


@dataclass(frozen=True)
class Values:
    """All values of a log that can be compared.

    Attributes
    ----------
    version : int
        Schema version of the log.
    datasets : dict
        For each file name: its values by name.
    whole : dict
        Parameters and metrics: ``params.N``, ``metrics.psnr.train``.
    checks : dict
        For each of the users' own checks that ran, by its id: what it recorded.
    unsound : frozenset of str
        Datasets of which something could not be read.
    scenario_id : str
    has_errors : bool
        Whether anything at all could not be read.
    """

    version: int
    datasets: Mapping[str, Named]
    whole: Named
    checks: Mapping[str, CheckValues]
    unsound: frozenset[str]
    scenario_id: str
    has_errors: bool

    def knows(self, name: str) -> bool:
        """Whether logs of this version hold such a value at all."""
        return self.version > 0 or not _NEW_IN_1.fullmatch(name)

    @property
    def knows_checks(self) -> bool:
        """Whether logs of this version hold the values of checks."""
        return self.version > 0


def values_of(log: EvidenceLog) -> Values:
    """Take the comparable values out of a log in memory."""
    return _values(convert_for_json(log), log.schema_version)


def values_of_file(file: LogFile) -> Values:
    """Take the comparable values out of a log from disk.

    Raises
    ------
    LogError
        If something in it is of another kind than in an evidence log; it says what and where.
    """
    try:
        return _values(file.content, file.version)
    except _StructureError as error:
        raise LogError(f"log {printable(file.path)} is no evidence log: {error}") from None


def values_of_dataset(dataset: Any) -> Named:
    """Take the comparable values out of the record of one dataset."""
    return _dataset(convert_for_json(dataset), "dataset")


def whole_values(parameters: Named, metrics: Mapping[str, tuple[Scalar, Scalar]]) -> Named:
    """Take the comparable values out of the parameters and metrics of a baseline run."""
    return dict(_whole(convert_for_json({"baseline_params": parameters, "metrics": metrics})))


def limits_of_check(limits: Mapping[str, Any]) -> dict[str, Threshold]:
    """Make thresholds of those that a check names for its values, as ``{"rel": 0.01}`` by name."""
    for name, limit in limits.items():
        if not isinstance(limit, dict):
            raise ThresholdError(f"{name!r} is a {_kind(limit)}; an object with rel or abs is expected")
    return {
        name: threshold_of(name, {key: NUMBERS.get(share, share) for key, share in limit.items()})
        for name, limit in limits.items()
    }


def has_run(check: Mapping[str, Any]) -> bool:
    """Whether an entry of a log's checks is of one that ran, be it only until it recorded something."""
    return check.get("outcome") not in ("not_run", "skipped") or bool(check.get("values"))


class _StructureError(ValueError):
    pass


def _values(content: Mapping[str, Any], version: int) -> Values:
    datasets: dict[str, Named] = {}
    unsound = set()
    if "datasets" not in content:
        raise _StructureError("it has no 'datasets'")
    for number, entry in enumerate(_list(content["datasets"], "datasets")):
        where = f"datasets[{number}]"
        name = _object(entry, where).get("filename")
        if not isinstance(name, str):
            raise _StructureError(f"{where} has no filename")
        if name in datasets:
            raise _StructureError(f"it holds {printable(name)!r} twice")
        datasets[name] = _dataset(entry, where)
        if _has_errors(entry, where):
            unsound.add(name)
    return Values(
        version=version,
        datasets=datasets,
        whole=dict(_whole(content)),
        checks=dict(_checks(content)),
        unsound=frozenset(unsound),
        scenario_id=str(_object(content.get("metadata"), "metadata").get("scenario_id")),
        has_errors=bool(unsound) or _has_errors(content, ""),
    )


def _has_errors(entry: Mapping[str, Any], where: str) -> bool:
    return any(problem.get("severity") == "error" for problem in _objects(entry, "problems", where))


def _dataset(entry: Mapping[str, Any], where: str) -> Named:
    values = dict(_leaves("", entry, ("sha256", "size_bytes"), where))
    for name, array in _object(entry.get("arrays"), f"{where}.arrays").items():
        inside = f"{where}.arrays.{name}"
        array = _object(array, inside)
        if "shape" in array:
            values[f"arrays.{name}.shape"] = _shape(array["shape"], inside)
        values.update(_leaves(f"arrays.{name}.", array, ("dtype", "size_bytes", "crc32"), inside))
    stats = _object(entry.get("stats"), f"{where}.stats")
    for stage, record in _STAGES.items():
        values.update(_record(f"{stage}.", stats.get(stage), record, f"{where}.stats.{stage}"))
    values.update(_record("photons.", entry.get("photons"), Photons, f"{where}.photons"))
    probe = _object(entry.get("probe"), f"{where}.probe")
    for part in ("amplitude", "phase"):
        values.update(_record(f"probe.{part}.", probe.get(part), PartStats, f"{where}.probe.{part}"))
    if "shape" in probe:
        values["probe.shape"] = _shape(probe["shape"], f"{where}.probe")
    values.update(_leaves("probe.", probe, ("l2_norm", "dtype"), f"{where}.probe"))
    return values


def _whole(content: Mapping[str, Any]) -> Iterator[tuple[str, Scalar]]:
    params = _object(content.get("baseline_params"), "baseline_params")
    yield from _leaves("params.", params, params, "baseline_params")
    for name, pair in _object(content.get("metrics"), "metrics").items():
        if len(_list(pair, f"metrics.{name}")) != 2:
            raise _StructureError(f"metrics.{name} is no pair [train, test]")
        yield from _leaves(f"metrics.{name}.", dict(zip(("train", "test"), pair, strict=True)), ("train", "test"), name)


def _checks(content: Mapping[str, Any]) -> Iterator[tuple[str, CheckValues]]:
    seen: set[str] = set()
    for number, check in enumerate(_objects(content, "checks", "")):
        where = f"checks[{number}]"
        name, dataset = check.get("id"), check.get("dataset")
        if not isinstance(name, str) or not isinstance(dataset, str | None):
            raise _StructureError(f"{where} has no id, or a dataset that is no name")
        if name in seen:
            raise _StructureError(f"it holds the check {printable(name)!r} twice")
        seen.add(name)
        if not name.startswith(BUILT_IN) and has_run(check):
            values = _object(check.get("values"), f"{where}.values")
            limits = _object(check.get("limits"), f"{where}.limits")
            try:
                thresholds = limits_of_check(limits)
            except ThresholdError as error:
                raise _StructureError(f"{where}.limits: {error}") from None
            yield name, CheckValues(dataset, dict(_leaves("", values, values, where)), thresholds)


def _record(prefix: str, entry: Any, record: type, where: str) -> Iterator[tuple[str, Scalar]]:
    if entry is None:
        return
    entry = dict.fromkeys(PRESENT_WHEN_NOT_ZERO, 0) | dict(_object(entry, where))
    yield from _leaves(prefix, entry, (item.name for item in fields(record)), where)


def _leaves(prefix: str, entry: Mapping[str, Any], names: Iterable[str], where: str) -> Iterator[tuple[str, Scalar]]:
    for name in names:
        if name in entry:
            value = entry[name]
            if isinstance(value, dict | list):
                raise _StructureError(f"{where}.{name} holds a {_kind(value)} where one value is expected")
            yield prefix + name, NUMBERS.get(value, value) if isinstance(value, str) else value


def _shape(value: Any, where: str) -> str:
    lengths = _list(value, f"{where}.shape")
    if not all(type(length) is int for length in lengths):
        raise _StructureError(f"{where}.shape holds something else than whole numbers")
    return "x".join(map(str, lengths)) or "scalar"


def _objects(entry: Mapping[str, Any], name: str, where: str) -> list[Mapping[str, Any]]:
    where = f"{where}.{name}".lstrip(".")
    return [_object(item, f"{where}[{number}]") for number, item in enumerate(_list(entry.get(name) or [], where))]


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _StructureError(f"{printable(where)} is a {_kind(value)}; an object is expected")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise _StructureError(f"{printable(where)} is a {_kind(value)}; a list is expected")
    return value


def _kind(value: Any) -> str:
    kinds = {bool: "truth value", int: "number", float: "number", str: "text", list: "list", dict: "object"}
    return kinds.get(type(value), "null")
