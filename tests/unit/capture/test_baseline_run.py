"""Params and metrics of a baseline run, and what is wrong with them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import dill
import pytest

from pytest_d0parity import Scenario
from pytest_d0parity.capture.baseline_run import BaselineRun, read_baseline_run


def run(folder: Path, params: Any, metrics: Any = None) -> BaselineRun:
    (folder / "p.dill").write_bytes(dill.dumps(params))
    if metrics is not None:
        (folder / "m.json").write_text(json.dumps(metrics))
    scenario = Scenario(baseline_params=str(folder / "p.dill"), baseline_metrics=metrics and str(folder / "m.json"))
    return read_baseline_run(scenario)


def test_without_files_there_is_nothing() -> None:
    assert read_baseline_run(Scenario()) == BaselineRun()


def test_a_metric_does_not_stand_in_the_params_as_well(tmp_path: Path) -> None:
    found = run(tmp_path, {"N": 64, "metrics": {"mae": [1.0, 2.0]}, "other": {"metrics": {"mae": [3.0, 4.0]}}})
    assert found.metrics == {"mae": (1.0, 2.0)}
    assert found.params == {"N": 64, "other.metrics.mae.0": 3.0, "other.metrics.mae.1": 4.0}


def test_a_metric_that_is_no_pair_stays_among_the_params(tmp_path: Path) -> None:
    found = run(tmp_path, {"N": 64, "mae": 0.5})
    assert (found.params, found.metrics) == ({"N": 64, "mae": 0.5}, {})
    assert [problem.where for problem in found.problems] == ["baseline_params:mae"]


@pytest.mark.parametrize(
    ("params", "values"),
    [
        ({"model": {"N": 64}}, {"N": 64}),
        ({"model": {"nested": {"N": 1}}, "other": {"N": 2}}, {"N": 2}),
        ({"model": {"N": 2}, "N": 3}, {"N": 3}),
        ({"probe_trainable": True, "grid_lines_config": {"nphotons": 1e9}}, {"probe.trainable": True}),
        ({"probe": {"trainable": False}}, {"probe.trainable": False}),
    ],
)
def test_known_keys_are_found_by_their_last_part(tmp_path: Path, params: Any, values: Any) -> None:
    assert values.items() <= run(tmp_path, params).parameters.items()


def test_metrics_of_both_files_are_joined(tmp_path: Path) -> None:
    found = run(tmp_path, {"N": 64, "mae": (0.1, math.nan)}, {"run": {"mae": [0.1, None], "ssim": [0.9, 0.8]}})
    assert found.problems == ()
    assert found.metrics["ssim"] == (0.9, 0.8)
    assert math.isnan(found.metrics["mae"][1])  # type: ignore[arg-type]


def test_where_both_files_differ_the_metric_is_named(tmp_path: Path) -> None:
    found = run(tmp_path, {"N": 64, "mae": (0.1, 0.2)}, {"mae": [0.1, 0.3]})
    (problem,) = found.problems
    assert (problem.severity, problem.where) == ("error", "baseline_metrics:mae")


def test_params_that_are_left_out_are_counted(tmp_path: Path) -> None:
    found = run(tmp_path, {"N": 64, "many": [*range(12_000)], "long" * 600: {"long" * 600: 1}})
    assert (found.is_complete, len(found.params)) == (False, 10_000)
    (problem,) = found.problems
    assert (problem.severity, problem.where) == ("error", "baseline_params")
    assert "2002 values left out" in problem.message
