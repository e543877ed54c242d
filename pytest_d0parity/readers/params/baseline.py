"""The parameters and metrics of a baseline run that the evidence log records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

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
METRICS = ("mae", "ms_ssim", "psnr", "mse", "frc50")

_STORED_AS = {"nphotons_in_params": "nphotons", "intensity_scale_value": "intensity_scale"}
_MAX_TEXT = 4096

Scalar = bool | int | float | str | None


@dataclass(frozen=True)
class Baseline:
    """What the log keeps of a params file.

    Attributes
    ----------
    parameters : dict of str to scalar
        Every name of `PARAMETERS`; None where the file has no such key, or none that can be shown.
    metrics : dict of str to (scalar, scalar)
        Those of `METRICS` that the file holds, as pairs.
    remarks : tuple of (str, str)
        Key and sentence for each value that is there and cannot be recorded.
    """

    parameters: dict[str, Scalar]
    metrics: dict[str, tuple[Scalar, Scalar]]
    remarks: tuple[tuple[str, str], ...]


def read_baseline(params: Mapping[str, Any]) -> Baseline:
    """Pick the recorded parameters and metrics out of a params dictionary.

    Parameters
    ----------
    params : mapping
        As `load_params` returns it.

    Returns
    -------
    Baseline
    """
    remarks: list[tuple[str, str]] = []

    def record(key: str) -> Scalar:
        try:
            return _scalar(params.get(key))
        except ValueError as error:
            remarks.append((key, f"{error}; recorded as null"))
            return None

    parameters = {name: record(_STORED_AS.get(name, name)) for name in PARAMETERS}
    metrics: dict[str, tuple[Scalar, Scalar]] = {}
    for name in METRICS:
        if name in params:
            try:
                metrics[name] = _pair(params[name])
            except ValueError as error:
                remarks.append((name, f"{error}; not recorded"))
    return Baseline(parameters, metrics, tuple(remarks))


def _scalar(value: Any) -> Scalar:
    """One number, text or flag, also out of a 0-d or 1-element array, list or tensor."""
    if value is None or type(value) in (bool, int, float):
        return value  # type: ignore[no-any-return]
    if isinstance(value, str):
        if len(value) > _MAX_TEXT:
            raise ValueError(f"holds a text of {len(value):,} characters")
        return value
    if type(value) in (list, tuple):
        if len(value) != 1:
            raise ValueError(f"holds {len(value)} values where one is expected")
        return _scalar(value[0])
    if not isinstance(value, np.ndarray | np.generic) and hasattr(value, "__array__"):
        value = np.asarray(value)  # a tensor, which only a trusted file can hold
    if isinstance(value, np.ndarray | np.generic):
        if value.size != 1:
            raise ValueError(f"holds an array of shape {value.shape} where one number is expected")
        if value.dtype.kind not in "biufU":
            raise ValueError(f"holds a value of dtype {value.dtype} where a number is expected")
        item: Scalar = np.asarray(value, np.float64 if value.dtype.kind == "f" else None).reshape(-1)[0].item()
        return item
    raise ValueError(f"holds {_kind(value)} where a number, text or flag is expected")


def _pair(value: Any) -> tuple[Scalar, Scalar]:
    if isinstance(value, np.ndarray) and value.ndim == 1:
        value = list(value)
    if type(value) not in (list, tuple) or len(value) != 2:
        raise ValueError(f"holds {_kind(value)} where a pair of numbers is expected")
    pair = _scalar(value[0]), _scalar(value[1])
    if isinstance(pair[0], str) or isinstance(pair[1], str):
        raise ValueError("holds text where a pair of numbers is expected")
    return pair


def _kind(value: Any) -> str:
    if type(value) in (list, tuple):
        return f"a {type(value).__name__} of {len(value)}"
    name = getattr(value, "qualname", None)
    return f"an object ({name})" if name else f"a {type(value).__name__}"
