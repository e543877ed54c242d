"""Leaves of params as values of the log."""

from __future__ import annotations

import datetime
import hashlib
import math
from typing import Any

import numpy as np
import pytest

from pytest_d0parity import Placeholder
from pytest_d0parity.capture.records.params_record import params_record
from pytest_d0parity.evidence.model import ParamValue
from pytest_d0parity.util.records import as_dict


def record(value: Any) -> Any:
    (found,) = params_record({"a": value}, ()).values()
    return found


@pytest.mark.parametrize("value", [None, True, 3, 0.5, "text", math.inf])
def test_scalars_stay_as_they_are(value: Any) -> None:
    assert record(value) is value


@pytest.mark.parametrize("array", [np.arange(6.0).reshape(2, 3), np.asfortranarray(np.arange(6.0).reshape(2, 3))])
@pytest.mark.parametrize("order", ["<", ">"])
def test_the_hash_of_an_array_is_that_of_its_values(array: Any, order: str) -> None:
    digest = hashlib.sha256(np.arange(6, dtype="<f8").tobytes()).hexdigest()
    found = record(array.astype(array.dtype.newbyteorder(order)))
    assert (found.shape, found.sha256, found.min, found.max, found.mean) == ((2, 3), digest, 0.0, 5.0, 2.5)


def test_complex_arrays_are_measured_by_their_magnitude() -> None:
    found = record(np.array([3 + 4j, 0], np.complex64))
    assert (found.dtype, found.min, found.max, found.mean) == ("complex64", 0.0, 5.0, 2.5)


def test_arrays_that_have_no_statistics() -> None:
    assert set(as_dict(record(np.array(["a", "bc"])))) == {"shape", "dtype", "sha256"}
    empty = record(np.empty((0, 4), np.float32))
    assert (empty.shape, empty.dtype) == ((0, 4), "float32")


def test_objects_are_recorded_by_their_class() -> None:
    assert record(Placeholder("m.Class")) == ParamValue(class_="m.Class")
    assert as_dict(record(datetime.timezone)) == {"class": "builtins.type"}
    assert record(np.array([None, {}], object)).class_ == "numpy.ndarray"


def test_what_is_recorded_elsewhere_is_left_out() -> None:
    leaves = {"mae.0": 1, "mae.1": 2, "maes": 3, "x.mae.0": 4, "psnr": 5}
    assert params_record(leaves, frozenset({"mae", "psnr"})) == {"maes": 3, "x.mae.0": 4}
