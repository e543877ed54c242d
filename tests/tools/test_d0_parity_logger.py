"""The script that maintainers run and other scripts import."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import dill
import numpy as np
import pytest

from scripts.tools import d0_parity_logger as logger

SCRIPT = Path(logger.__file__)


def write_dataset(path: Path, seed: int = 0, **replaced: Any) -> Path:
    rng = np.random.default_rng(seed)
    arrays = {
        "diff3d": rng.random((6, 4, 5)).astype(np.float32),
        "probeGuess": (rng.random((4, 5)) + 1j * rng.random((4, 5))).astype(np.complex64),
        "scan_index": np.array([3, 3, -1, 3, -1, 3]),
        "xcoords": rng.random(6),
    }
    np.savez(path, **{name: array for name, array in (arrays | replaced).items() if array is not None})
    return path


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """Two datasets of six tiny patterns, and params."""
    root = tmp_path / "sweep"
    root.mkdir()
    write_dataset(root / "data_p1e5.npz", 1)
    write_dataset(root / "data_p1e6.npz", 2)
    params = {
        "N": 64,
        "gridsize": 1,
        "nphotons": 1e9,
        "intensity_scale": np.float32(988.25),
        "probe.trainable": False,
        "label": "tiny",
        "psnr": (71.0, np.float64(70.5)),
        "frc50": (128, float("nan")),
        "model": lambda x: x,
    }
    (root / "params.dill").write_bytes(dill.dumps(params))
    return root


def run(root: Path, output: Path, *more: str) -> int:
    params = root / "params.dill"
    common = ["--dataset-root", str(root), "--output", str(output), "--scenario-id", "TINY"]
    return logger.main([*common, "--baseline-params", str(params), *more])


def read_log(output: Path) -> Any:
    def never(token: str) -> None:
        raise AssertionError(f"{token} is no JSON")

    return json.loads((output / "dose_parity_log.json").read_text(encoding="utf-8"), parse_constant=never)


def test_cli_emits_outputs(tiny: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"

    assert run(tiny, output) == 0

    log = read_log(output)
    assert log["schema_version"] == 4
    assert log["metadata"]["scenario_id"] == "TINY"
    assert log["metadata"]["params_read"] == "safe"
    assert log["metadata"]["params_sha256"] == hashlib.sha256((tiny / "params.dill").read_bytes()).hexdigest()
    assert log["verdict"] == "recorded"
    assert log["total_datasets"] == 2
    assert [dataset["filename"] for dataset in log["datasets"]] == ["data_p1e5.npz", "data_p1e6.npz"]
    assert log["baseline_params"]["N"] == 64
    assert log["baseline_params"]["nphotons_in_params"] == 1e9
    assert log["baseline_params"]["intensity_scale_value"] == 988.25
    assert log["baseline_params"]["gridsize"] == 1
    assert log["metrics"] == {"psnr": [71.0, 70.5], "frc50": [128, "NaN"]}
    for dataset in log["datasets"]:
        with np.load(tiny / dataset["filename"]) as arrays:
            stack = arrays["diff3d"].astype(float)
            index = arrays["scan_index"]
        assert dataset["sha256"] == hashlib.sha256((tiny / dataset["filename"]).read_bytes()).hexdigest()
        raw, grouped = dataset["stats"]["raw"], dataset["stats"]["grouped"]
        assert [raw["p01"], raw["p10"], raw["p90"], raw["p99"]] == list(np.percentile(stack, [1, 10, 90, 99]))
        assert raw["nonzero_fraction"] == np.count_nonzero(stack) / stack.size
        assert dataset["stats"]["normalized"]["p90"] == np.percentile(stack / (stack.max() + 1e-12), 90)
        scans = [stack[index == scan].mean() for scan in (-1, 3)]
        assert [grouped["min"], grouped["max"]] == pytest.approx(sorted(scans), rel=1e-12)
        assert (grouped["n_unique_scans"], grouped["n_patterns"], grouped["count"]) == (2, 6, 2)
        assert dataset["photons"]["quantized"] is False

    digest = (output / "dose_parity_log.md").read_text(encoding="utf-8")
    assert digest.startswith("# D0 Parity Log\n")
    assert "## Stage-Level Stats by Dataset" in digest
    for name, dose in (("data_p1e5.npz", "1e5"), ("data_p1e6.npz", "1e6")):
        assert f"### {name} (photon dose: {dose})" in digest
    for title in ("Raw Diffraction", "Normalized Diffraction", "Grouped Intensity"):
        assert digest.count(f"#### {title}") == 2

    with (output / "probe_stats.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["filename"] for row in rows] == ["data_p1e5.npz", "data_p1e6.npz"]
    with np.load(tiny / "data_p1e6.npz") as arrays:
        assert float(rows[1]["l2_norm"]) == pytest.approx(np.linalg.norm(arrays["probeGuess"].astype(complex)))
    with (output / "stage_stats.csv").open(encoding="utf-8") as file:
        stages = list(csv.DictReader(file))
    assert [row["stage"] for row in stages] == ["raw", "normalized", "grouped"] * 2
    assert float(stages[0]["p90"]) == log["datasets"][0]["stats"]["raw"]["p90"]


def test_sha256sum_checks_the_list(tiny: Path, tmp_path: Path) -> None:
    run(tiny, tmp_path / "out")
    subprocess.run(["sha256sum", "--strict", "-c", tmp_path / "out" / "SHA256SUMS"], cwd=tiny, check=True, timeout=120)


def test_repeated_scan_indices_are_one_scan() -> None:
    stack = np.arange(8.0).reshape(4, 2, 1)
    stats = logger.summarize_grouped(stack, [5, 9, 5, 5])
    assert stats["n_unique_scans"] == 2
    assert stats["max"] == pytest.approx((0.5 + 4.5 + 6.5) / 3)


def test_the_helpers_are_those_of_the_package(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"hello world")
    assert logger.sha256_file(str(tmp_path / "x")) == hashlib.sha256(b"hello world").hexdigest()
    assert logger.summarize_array([0.0, 1.0, 2.0, 0.0, 3.0])["nonzero_fraction"] == 0.6
    assert logger.summarize_probe(np.array([[3 + 4j]]))["amplitude"]["max"] == 5.0
    assert logger.convert_for_json({"a": (np.int64(1), np.float32(2.5))}) == {"a": [1, 2.5]}
    (tmp_path / "params.dill").write_bytes(dill.dumps({"N": 64}))
    assert logger.load_params(tmp_path / "params.dill") == {"N": 64}


def test_without_params_the_sweep_is_logged_all_the_same(tiny: Path, tmp_path: Path) -> None:
    assert logger.main(["--dataset-root", str(tiny), "--output", str(tmp_path / "out")]) == 0
    log = read_log(tmp_path / "out")
    assert (log["baseline_params"], log["metrics"]) == ({}, {})
    assert log["metadata"]["scenario_id"] == "UNKNOWN"
    assert log["total_datasets"] == 2


def test_limit_datasets(tiny: Path, tmp_path: Path) -> None:
    assert run(tiny, tmp_path / "out", "--limit-datasets", "data_p1e6.npz") == 0
    assert [dataset["filename"] for dataset in read_log(tmp_path / "out")["datasets"]] == ["data_p1e6.npz"]
    assert "data_p1e5.npz" not in (tmp_path / "out" / "dose_parity_log.md").read_text()


def test_the_script_runs_by_itself(tiny: Path, tmp_path: Path) -> None:
    command = [sys.executable, SCRIPT, "--dataset-root", tiny, "--output", tmp_path / "out", "--no-progress"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert "dose_parity_log.md" in done.stdout
    assert read_log(tmp_path / "out")["total_datasets"] == 2
