"""The parameters and metrics of a baseline run that the evidence log records."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from .leaves import MAX_DEPTH, MAX_TEXT, MAX_VISITED, below

PARAMETERS = (
    "N",
    "gridsize",
    "nimgs_train",
    "nimgs_test",
    "batch_size",
    "nepochs",
    "mae_weight",
    "nll_weight",
    "default_probe_scale",
    "intensity_scale.trainable",
    "probe.trainable",
    "probe.mask",
    "label",
    "output_prefix",
    "nphotons_in_params",
    "timestamp",
    "intensity_scale_value",
)
FLAGS = ("probe.trainable", "probe.mask", "intensity_scale.trainable")  # the parameters that are on or off
METRICS = ("mae", "mse", "psnr", "ssim", "ms_ssim", "frc50", "frc1over7")

_STORED_AS = {"nphotons_in_params": "nphotons", "intensity_scale_value": "intensity_scale"}
# How the keys are spelled: in nested settings of today, an underscore stands for a dot.
_FORMS = {
    form: key
    for key in (*(_STORED_AS.get(name, name) for name in PARAMETERS), *METRICS)
    for form in (key, key.replace(".", "_"))
}

Scalar = bool | int | float | str | None


@dataclass(frozen=True)
class Baseline:
    """The parameters and metrics that the log records.

    Attributes
    ----------
    parameters : dict of str to scalar
        Every name of `PARAMETERS`; None where the file has no such key, or a value that cannot be recorded.
    metrics : dict of str to (scalar, scalar)
        Those of `METRICS` that the file holds, each as a pair.
    remarks : tuple of (str, str)
        For each value that cannot be recorded: its key, and the reason.
    taken : frozenset of str
        The dotted names of the metrics in the file.
    is_known : bool
        Whether the file holds any key of these.
    """

    parameters: dict[str, Scalar]
    metrics: dict[str, tuple[Scalar, Scalar]]
    remarks: tuple[tuple[str, str], ...]
    taken: frozenset[str]
    is_known: bool


def read_baseline(params: Mapping[str, Any]) -> Baseline:
    """Extract the recorded parameters and metrics from a params dictionary.

    Parameters
    ----------
    params : mapping
        As `load_params` returns it.
    """
    known = _known_entries(params)
    remarks: list[tuple[str, str]] = []

    def record(key: str) -> Scalar:
        try:
            return _scalar(known[key][1] if key in known else None)
        except ValueError as error:
            remarks.append((key, f"{error}; recorded as null"))
            return None

    parameters = {name: record(_STORED_AS.get(name, name)) for name in PARAMETERS}
    metrics: dict[str, tuple[Scalar, Scalar]] = {}
    for name in METRICS:
        if name in known:
            try:
                metrics[name] = pair_of(known[name][1])
            except ValueError as error:
                remarks.append((name, f"{error}; not recorded"))
    taken = frozenset(known[name][0] for name in metrics)
    return Baseline(parameters, metrics, tuple(remarks), taken, bool(known))


def read_metrics(content: Mapping[str, Any]) -> tuple[dict[str, tuple[Scalar, Scalar]], tuple[tuple[str, str], ...]]:
    """Extract the metrics from a file of their own; also return remarks, as of `Baseline`."""
    baseline = read_baseline(content)
    return baseline.metrics, tuple((key, remark) for key, remark in baseline.remarks if key in METRICS)


def _known_entries(params: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    """Return dotted name and value of each known key; where several entries are called like one, the shortest name."""
    found: dict[str, tuple[str, Any]] = {}
    for name, value in islice(_entries("", params, 1), MAX_VISITED):
        parts = name.split(".")
        for form in dict.fromkeys((name, parts[-1], ".".join(parts[-2:]))):
            key = _FORMS.get(form)
            if key is not None and (key not in found or len(name) < len(found[key][0])):
                found[key] = name, value
    return found


def _entries(prefix: str, settings: Mapping[Any, Any], depth: int) -> Iterator[tuple[str, Any]]:
    """Yield dotted name and value of the entries of nested mappings."""
    for key, value in settings.items():
        name = below(prefix, key)
        yield name, value
        if isinstance(value, Mapping) and len(name) <= MAX_TEXT and depth < MAX_DEPTH:
            yield from _entries(name, value, depth + 1)


def _scalar(value: Any) -> Scalar:
    """Return a number, text or flag, also from a 0-d or 1-element array, list or tensor."""
    if value is None or type(value) in (bool, int, float):
        return value  # type: ignore[no-any-return]
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise ValueError(f"holds a text of {len(value):,} characters")
        return value
    if type(value) in (list, tuple):
        if len(value) != 1:
            raise ValueError(f"holds {len(value)} values where one is expected")
        return _scalar(value[0])
    if not isinstance(value, np.ndarray | np.generic) and hasattr(value, "__array__"):
        value = np.asarray(value)  # a tensor, which occurs only where dill itself loaded the file
    if isinstance(value, np.ndarray | np.generic):
        if value.size != 1:
            raise ValueError(f"holds an array of shape {value.shape} where one number is expected")
        if value.dtype.kind not in "biufU":
            raise ValueError(f"holds a value of dtype {value.dtype} where a number is expected")
        item: Scalar = np.asarray(value, np.float64 if value.dtype.kind == "f" else None).reshape(-1)[0].item()
        return item
    raise ValueError(f"holds {_kind(value)} where a number, text or flag is expected")


def pair_of(value: Any) -> tuple[Scalar, Scalar]:
    """Return the pair of numbers that a metric consists of.

    Raises
    ------
    ValueError
        If it is none; the message continues a sentence that begins with its name.
    """
    if isinstance(value, np.ndarray) and value.ndim == 1:
        value = list(value)
    if type(value) not in (list, tuple) or len(value) != 2:
        raise ValueError(f"holds {_kind(value)} where a pair of numbers is expected")
    pair = tuple(math.nan if each is None else _scalar(each) for each in value)
    if isinstance(pair[0], str) or isinstance(pair[1], str):
        raise ValueError("holds text where a pair of numbers is expected")
    return pair[0], pair[1]


def _kind(value: Any) -> str:
    """Describe the type of a value for a message."""
    if type(value) in (list, tuple):
        return f"a {type(value).__name__} of {len(value)}"
    name = getattr(value, "qualname", None)
    return f"an object ({name})" if name else f"a {type(value).__name__}"
