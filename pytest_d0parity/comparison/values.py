"""The values of an evidence log that are compared, by their dotted names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from ..evidence.dataset import Dataset, Problem, Scalar
from ..evidence.model import Attachment, Check, EvidenceLog, ParamValue
from ..scenario.thresholds import Threshold, threshold_of
from ..statistics.records import STAGES
from ..util.records import ABSENT, as_dict
from ..util.text import NUMBERS, valid_utf8

BUILT_IN = "d0parity::"  # how the ids of our own checks begin

# Of an array that plays no stage's role; a log holds them where the array was measured.
ARRAY_STATISTICS = (
    *("min", "max", "mean", "std", "mean_real", "mean_imag"),
    *("nonzero_fraction", "count", "nan_count", "inf_count", "text"),
)
ALL_PARAMS = 4  # the schema version since which logs hold all params
_PHOTONS = ("quantum", "per_pattern", "quantized", "domain", "min", "max", "std", "empty", "expected", "ratio")

Named = Mapping[str, Scalar]

# What logs of schema version 0, and of versions before 4, do not hold.
_NEW_IN_1 = re.compile(r"photons\..*|arrays\..*\.(crc32|size_bytes)|.*\.(nan_count|inf_count)", re.DOTALL)
_NEW_IN_4 = re.compile(
    r"(attachments|frames|metadata|pattern|probe\.power_per_mode)\..*|"
    r"photons\.(min|max|std|empty|domain)|metrics\.(ssim|frc1over7)\..*|"
    rf"arrays\..*\.(name|{'|'.join(ARRAY_STATISTICS)})",
    re.DOTALL,
)


@dataclass(frozen=True)
class CheckValues:
    """What a user's own check recorded: its values, the thresholds that it gives for some, and its dataset, if any."""

    dataset: str | None
    values: Named
    limits: Mapping[str, Threshold] = field(default_factory=dict)


@dataclass(frozen=True)
class BaselineValues:
    """The params, metrics and attachments of a baseline run.

    Attributes
    ----------
    params : dict
        Each parameter, by its dotted name behind ``params.``; none for logs of a version before 4.
    excerpt : dict
        Those that all logs hold, under the names of the older ones.
    metrics : dict
        ``metrics.psnr.train``.
    attachments : dict
        ``attachments.recon.dill.sha256``.
    """

    params: Named
    excerpt: Named
    metrics: Named
    attachments: Named

    def known_to(self, version: int) -> Named:
        """Return the values that are compared with a log of this schema version."""
        return {**(self.excerpt if version < ALL_PARAMS else self.params), **self.metrics, **self.attachments}


@dataclass(frozen=True)
class Values:
    """The values of a log that are compared.

    Attributes
    ----------
    version : int
        Schema version of the log.
    datasets : dict
        For each file name: its values by name.
    baseline : BaselineValues
        Params, metrics and attachments.
    checks : dict
        For each of the users' own checks that ran, by its id: what it recorded.
    errors : dict
        For each file name: the standard errors of its values, by name.
    unsound : frozenset of str
        Datasets in which something could not be read.
    has_errors : bool
        Whether something could not be read, in a dataset or besides.
    """

    version: int
    datasets: Mapping[str, Named]
    baseline: BaselineValues
    checks: Mapping[str, CheckValues]
    errors: Mapping[str, Mapping[str, float]]
    unsound: frozenset[str]
    scenario_id: str
    has_errors: bool

    def knows(self, name: str) -> bool:
        """Whether logs of this version hold such a value at all."""
        if self.version < 4 and _NEW_IN_4.fullmatch(name):
            return False
        return self.version > 0 or not _NEW_IN_1.fullmatch(name)

    @property
    def whole(self) -> Named:
        """All params, metrics and hashes of attachments that the log holds."""
        return self.baseline.known_to(self.version)

    @property
    def knows_checks(self) -> bool:
        """Whether logs of this version hold the values of checks."""
        return self.version > 0


def values_of(log: EvidenceLog) -> Values:
    """Return the comparable values of a log, be it made just now or read."""
    return Values(
        version=log.schema_version,
        datasets={valid_utf8(dataset.filename): values_of_dataset(dataset) for dataset in log.datasets},
        baseline=baseline_values(log.params, log.baseline_params, log.metrics, log.attachments),
        checks={
            valid_utf8(check.id): values_of_check(check)
            for check in log.checks
            if not check.id.startswith(BUILT_IN) and has_run(check)
        },
        errors={valid_utf8(dataset.filename): dataset.standard_errors for dataset in log.datasets},
        unsound=frozenset(valid_utf8(dataset.filename) for dataset in log.datasets if _has_errors(dataset.problems)),
        scenario_id=str(log.metadata.scenario_id),
        has_errors=log.has_errors,
    )


def values_of_dataset(dataset: Dataset) -> Named:
    """Return the comparable values of one dataset, in the order of the log."""
    values: dict[str, Scalar] = dict(_fields("", dataset, ("sha256", "size_bytes")))
    roles = {name: role for role, name in dataset.roles.items()}
    for name, array in dataset.arrays.items():
        # Under the name of its role, whatever it is called in the file.
        prefix = f"arrays.{valid_utf8(roles.get(name, name))}."
        if roles.get(name, name) != name:
            values[f"{prefix}name"] = valid_utf8(name)
        values |= _shape(prefix, array.shape)
        values.update(_fields(prefix, array, ("dtype", "size_bytes", "crc32")))
        if array.count is not None or array.text is not None:
            values.update(_fields(prefix, array, [key for key in ARRAY_STATISTICS if getattr(array, key) is not None]))
    values.update(_fields("frames.", dataset.frames))
    values.update((f"metadata.{valid_utf8(key)}", _scalar(value)) for key, value in dataset.metadata.items())
    for stage in STAGES:
        values.update(_fields(f"{stage}.", getattr(dataset.stats, stage)))
    values.update(_fields("pattern.", dataset.pattern))
    # Not `residual`: it is rounding, of which any change would be told.
    values.update(_fields("photons.", dataset.photons, _PHOTONS))
    if dataset.probe is not None:
        for part in ("amplitude", "phase"):
            values.update(_fields(f"probe.{part}.", getattr(dataset.probe, part)))
        values |= _shape("probe.", dataset.probe.shape)
        values.update(_fields("probe.", dataset.probe, ("l2_norm", "dtype")))
        for mode, power in enumerate(dataset.probe.power_per_mode or ()):
            values[f"probe.power_per_mode.{mode}"] = power
    return values


def baseline_values(
    params: Mapping[str, Scalar | ParamValue],
    excerpt: Named,
    metrics: Mapping[str, tuple[Scalar, Scalar]],
    attachments: Iterable[Attachment],
) -> BaselineValues:
    """Return the comparable values of the params, metrics and attachments of a baseline run."""
    values: dict[str, Scalar] = {}
    for name, value in params.items():
        key = f"params.{valid_utf8(name)}"
        if not isinstance(value, ParamValue):
            values[key] = _scalar(value)
            continue
        for part, item in as_dict(value).items():
            values |= _shape(f"{key}.", item) if part == "shape" else {f"{key}.{part}": item}
    return BaselineValues(
        params=values,
        excerpt={f"params.{valid_utf8(name)}": _scalar(value) for name, value in excerpt.items()},
        metrics={
            f"metrics.{valid_utf8(name)}.{half}": _scalar(value)
            for name, pair in metrics.items()
            for half, value in zip(("train", "test"), pair, strict=True)
        },
        attachments={f"attachments.{valid_utf8(each.name)}.sha256": each.sha256 for each in attachments},
    )


def values_of_check(check: Check) -> CheckValues:
    """Return what one of the users' own checks recorded."""
    values = {name: _scalar(value) for name, value in check.values.items()}
    return CheckValues(check.dataset and valid_utf8(check.dataset), values, limits_of_check(check.limits))


def limits_of_check(limits: Mapping[str, Mapping[Any, float]]) -> dict[str, Threshold]:
    """Return the thresholds that a check names for its values, which it gives as ``{"rel": 0.01}`` by name."""
    return {name: threshold_of(name, dict(limit)) for name, limit in limits.items()}


def has_run(check: Check) -> bool:
    """Whether a check ran, be it only until it recorded something."""
    return check.outcome not in ("not_run", "skipped") or bool(check.values)


def _has_errors(problems: tuple[Problem, ...]) -> bool:
    return any(problem.severity == "error" for problem in problems)


def _fields(prefix: str, record: Any, names: Sequence[str] | None = None) -> Iterator[tuple[str, Scalar]]:
    """Yield the fields of a record by name; nothing where there is no record, and not what it lacks."""
    if record is None or record is ABSENT:
        return
    for name in names or [item.name for item in fields(record)]:
        value = getattr(record, name)
        if value is not ABSENT:
            yield prefix + name, value


def _shape(prefix: str, shape: tuple[int, ...]) -> dict[str, Scalar]:
    return {} if shape is ABSENT else {f"{prefix}shape": "x".join(map(str, shape)) or "scalar"}


def _scalar(value: Scalar) -> Scalar:
    """Return a value as a log's JSON says it: a text that spells a number that JSON cannot say is that number."""
    return NUMBERS.get(value, valid_utf8(value)) if isinstance(value, str) else value
