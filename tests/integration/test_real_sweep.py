"""The real sweep and its real params, logged and compared with NumPy's literal definitions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="module")
def record(photon_grid: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    output = tmp_path_factory.mktemp("real")
    command = [sys.executable, "-m", "pytest_d0parity", "log", "--dataset-root", photon_grid, "--output", output]
    done = subprocess.run(
        [*command, "--baseline-params", photon_grid / "params.dill"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    subprocess.run(["sha256sum", "--strict", "-c", output / "SHA256SUMS"], cwd=photon_grid, check=True, timeout=120)
    return json.loads((output / "dose_parity_log.json").read_text())


def literal(values: np.ndarray) -> dict[str, float]:
    percentiles = dict(zip(("p01", "p10", "p90", "p99"), np.percentile(values, [1, 10, 90, 99]).tolist(), strict=True))
    return percentiles | {
        "min": values.min(),
        "max": values.max(),
        "median": np.median(values),
        "nonzero_fraction": np.count_nonzero(values) / values.size,
        "count": values.size,
    }


@pytest.mark.parametrize("number", [0, 1])
def test_every_statistic(record: Any, photon_grid: Path, number: int) -> None:
    dataset = record["datasets"][number]
    with np.load(photon_grid / dataset["filename"]) as arrays:
        stack = arrays["diff3d"].astype(np.float64)
        probe = arrays["probeGuess"]
    stages = {"raw": stack, "normalized": stack / (stack.max() + 1e-12)}
    for stage, values in stages.items():
        stats = dataset["stats"][stage]
        assert {name: stats[name] for name in literal(values)} == literal(values)
        assert stats["mean"] == pytest.approx(values.mean(), rel=1e-12)
        assert stats["std"] == pytest.approx(values.std(), rel=1e-12)
    grouped = dataset["stats"]["grouped"]
    assert (grouped["n_unique_scans"], grouped["n_patterns"]) == (1, 5000)
    assert grouped["mean"] == pytest.approx(stack.mean(axis=(1, 2)).mean(), rel=1e-12)
    for part, values in (("amplitude", np.abs(probe)), ("phase", np.angle(probe))):
        for name, percent in {"p01": 1, "p05": 5, "p50": 50, "p95": 95, "p99": 99}.items():
            assert dataset["probe"][part][name] == pytest.approx(np.percentile(values, percent), rel=1e-14)
    assert dataset["probe"]["l2_norm"] == pytest.approx(1, rel=1e-12)


def test_the_photons(record: Any) -> None:
    for dataset in record["datasets"]:
        assert dataset["photons"]["quantized"]
        assert dataset["photons"]["ratio"] == pytest.approx(1, abs=1e-3)


def test_the_params(record: Any) -> None:
    assert record["baseline_params"]["intensity_scale_value"] == 988.211669921875
    assert record["baseline_params"]["nphotons_in_params"] == 1e9
    assert record["metrics"]["frc50"] == [128, "NaN"]
    assert set(record["metrics"]) == {"mae", "ms_ssim", "psnr", "mse", "ssim", "frc50"}
    assert len(record["params"]) == 54 - 6 + 1  # of frc, a pair, both are recorded
    assert set(record["metadata"]["params_recovered"]) == {"probe", "intensity_scale"}
