"""The params of a baseline run as the log records them: every key by its dotted name."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...evidence.dataset import Scalar
from ...evidence.model import ParamValue
from ...readers.params.placeholders import Placeholder
from ...statistics.blocks import ArraySource, is_measurable
from ...statistics.distribution import describe


def params_record(leaves: Mapping[str, Any], without: Container[str]) -> dict[str, Scalar | ParamValue]:
    """Return the leaves of params as values of the log.

    Parameters
    ----------
    leaves : mapping of str to object
        As `leaves_of` returns them.
    without : container of str
        Dotted names of what is recorded elsewhere, and not here.
    """
    arrays: dict[int, ParamValue] = {}  # by identity: a file can hold one large array under thousands of names

    def value(leaf: Any) -> Scalar | ParamValue:
        if not isinstance(leaf, np.ndarray) or leaf.dtype.hasobject:
            return _value(leaf)
        if id(leaf) not in arrays:
            arrays[id(leaf)] = _array(leaf)
        return arrays[id(leaf)]

    return {name: value(leaf) for name, leaf in leaves.items() if not _is_in(name, without)}


def _is_in(name: str, groups: Container[str]) -> bool:
    return name in groups or name.rpartition(".")[0] in groups


def _value(leaf: Any) -> Scalar | ParamValue:
    if leaf is None or isinstance(leaf, bool | int | float | str):
        return leaf
    if isinstance(leaf, Placeholder):
        return ParamValue(class_=leaf.qualname)
    # Of an object that dill itself has built, its values where it tells them, as a tensor does.
    array = np.asarray(leaf) if hasattr(leaf, "__array__") else None
    if array is None or array.dtype.hasobject:
        return ParamValue(class_=f"{type(leaf).__module__}.{type(leaf).__qualname__}")
    return _array(array)


def _array(array: NDArray[Any]) -> ParamValue:
    stored = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    digest = hashlib.sha256(stored.reshape(-1).view(np.uint8).data if stored.nbytes else b"").hexdigest()
    shown = ParamValue(shape=array.shape, dtype=str(array.dtype), sha256=digest)
    if not is_measurable(array.dtype):
        return shown
    values = describe(ArraySource(array), percents=None)
    return ParamValue(
        shape=shown.shape, dtype=shown.dtype, sha256=digest, min=values.min, max=values.max, mean=values.mean
    )
