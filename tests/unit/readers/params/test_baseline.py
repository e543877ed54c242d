"""Parameters and metrics that the log takes from a params file."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from pytest_d0parity import Placeholder
from pytest_d0parity.readers.params.baseline import read_baseline


@pytest.mark.parametrize(
    "scale",
    [
        988.25,
        np.float32(988.25),
        np.array(988.25),
        np.array([988.25], "f4"),
        [988.25],
        [[np.float64(988.25)]],
        (988.25,),
    ],
)
def test_intensity_scale_in_every_form(scale: Any) -> None:
    baseline = read_baseline({"intensity_scale": scale})
    assert baseline.parameters["intensity_scale_value"] == 988.25
    assert type(baseline.parameters["intensity_scale_value"]) is float
    assert not baseline.remarks


def test_a_missing_intensity_scale_is_null() -> None:
    assert read_baseline({}).parameters["intensity_scale_value"] is None


@pytest.mark.parametrize(
    "scale", [np.arange(3.0), [1.0, 2.0], Placeholder("tf.Variable"), {"a": 1}, b"x", np.array(1j)]
)
def test_an_intensity_scale_that_is_no_number_is_told(scale: Any) -> None:
    baseline = read_baseline({"intensity_scale": scale, "N": 64})
    assert baseline.parameters["intensity_scale_value"] is None
    assert baseline.parameters["N"] == 64
    ((key, message),) = baseline.remarks
    assert key == "intensity_scale"
    assert "expected" in message


def test_metrics_are_pairs_of_anything_numeric() -> None:
    baseline = read_baseline(
        {
            "mae": (np.float32(0.5), 2),
            "frc50": [128, math.nan],
            "psnr": np.array([1.0, 2.0]),
            "mse": 3.0,
            "ssim": (1, 1),
        }
    )
    assert baseline.metrics["mae"] == (0.5, 2)
    assert baseline.metrics["frc50"][0] == 128
    assert math.isnan(baseline.metrics["frc50"][1])  # type: ignore[arg-type]
    assert baseline.metrics["psnr"] == (1.0, 2.0)
    assert set(baseline.metrics) == {"mae", "frc50", "psnr", "ssim"}
    assert baseline.remarks == (("mse", "holds a float where a pair of numbers is expected; not recorded"),)
