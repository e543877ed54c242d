"""All params of a baseline run in the log and in the comparison, from dill, JSON and zip; and its metrics."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import dill
import numpy as np
import pytest

from conftest import SHARED
from tests.support.command import LOG, d0parity, read_log

PROBE = np.exp(1j * np.linspace(0, 3, 16)).reshape(4, 4).astype(np.complex64)
PARAMS = {
    "N": 64,
    "gridsize": 1,
    "nphotons": 1e5,
    "probe.mask": False,
    "label": "a",
    "timestamp": "t",
    "model_type": "pinn",
    "probe_scale": 4.0,
    "nested": {"a": [1, 2], "none": None},
    "train_data_file_path": "a.npz",
    "probe": PROBE,
    "mae": (0.1, 0.2),
    "ssim": (0.9, float("nan")),
    "frc1over7": (30.0, 31.0),
}


@pytest.fixture(scope="module")
def data(pair: Path) -> Path:
    return pair


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(json.dumps(content).encode() if path.suffix == ".json" else dill.dumps(content))
    return path


def log(data: Path, params: Path, output: Path, *options: Any) -> Any:
    done = d0parity("log", "--dataset-root", data, "--baseline-params", params, "--output", output, *options)
    return done, read_log(output)


def compare(data: Path, folder: Path, before: Any, after: Any, *options: Any) -> tuple[int, Any]:
    for side, content in (("1", before), ("2", after)):
        assert log(data, write(folder / side / "params.dill", content), folder / side)[0].returncode == 0
    done = d0parity("compare", folder / "1" / LOG, folder / "2" / LOG, "--format", "json", *options)
    return done.returncode, json.loads(done.stdout)


def drifted(outcome: Any) -> set[str]:
    return {row["where"] for row in outcome["differences"] if row["verdict"] == "drift"}


def test_every_key_is_recorded(data: Path, tmp_path: Path) -> None:
    done, record = log(data, write(tmp_path / "params.dill", PARAMS), tmp_path / "out")
    assert (done.returncode, record["problems"]) == (0, [])
    params = record["params"]
    assert params["N"] == 64
    assert (params["nested.a.0"], params["nested.a.1"], params["nested.none"]) == (1, 2, None)
    assert set(params["probe"]) == {"shape", "dtype", "sha256", "min", "max", "mean"}
    assert (params["probe"]["shape"], params["probe"]["dtype"]) == ([4, 4], "complex64")
    assert params["probe"]["mean"] == pytest.approx(1.0)
    assert not {"mae", "ssim", "frc1over7"} & {name.partition(".")[0] for name in params}
    assert record["metrics"] == {"mae": [0.1, 0.2], "ssim": [0.9, "NaN"], "frc1over7": [30.0, 31.0]}
    assert record["baseline_params"]["nphotons_in_params"] == 1e5


def test_a_placeholder_is_recorded_by_its_class(data: Path, tmp_path: Path) -> None:
    # {"N": 64, "thing": m.Unknown()}
    content = b"\x80\x04}(\x8c\x01NK@\x8c\x05thing\x8c\x01m\x8c\x07Unknown\x93)\x81u."
    (tmp_path / "params.dill").write_bytes(content)
    _, record = log(data, tmp_path / "params.dill", tmp_path / "out")
    assert record["params"] == {"N": 64, "thing": {"class": "m.Unknown"}}


def test_all_params_are_compared(data: Path, tmp_path: Path) -> None:
    other = PARAMS | {"model_type": "supervised", "probe_scale": 1.0, "probe": PROBE * 3, "ssim": (0.1, float("nan"))}
    other |= {"nested": {"a": [1, 3], "none": 0}, "new": 1, "label": "b", "train_data_file_path": "b.npz"}
    code, outcome = compare(data, tmp_path, PARAMS, other)
    assert code == 3
    assert drifted(outcome) == {
        *("params.model_type", "params.probe_scale", "params.probe.sha256", "params.probe.min", "params.probe.max"),
        *("params.probe.mean", "params.nested.a.1", "params.nested.none", "params.new", "params.label"),
        *("params.train_data_file_path", "metrics.ssim.train"),
    }
    sentences = {finding["root"]: finding["sentence"] for finding in outcome["findings"]}
    assert sentences["params"].startswith("11 parameters differ: ")
    assert "model_type (pinn -> supervised)" in sentences["params"]
    code, outcome = compare(data, tmp_path, PARAMS, other, "--compare", "statistics")
    assert not drifted(outcome) & {"params.probe.sha256", "params.label", "params.train_data_file_path"}
    assert "params.model_type" in drifted(outcome)


def test_an_older_log_is_compared_by_its_excerpt(data: Path, tmp_path: Path) -> None:
    other = PARAMS | {"model_type": "supervised", "nphotons": 1e9, "ssim": (0.1, 0.1)}
    compare(data, tmp_path, PARAMS, other)
    record = json.loads((tmp_path / "1" / LOG).read_text())
    record["schema_version"] = 3
    del record["params"], record["metrics"]["ssim"], record["metrics"]["frc1over7"]
    (tmp_path / "old.json").write_text(json.dumps(record))
    done = d0parity("compare", tmp_path / "old.json", tmp_path / "2" / LOG, "--format", "json")
    assert drifted(json.loads(done.stdout)) == {"params.nphotons_in_params"}


def test_params_from_json_and_from_a_zip(data: Path, tmp_path: Path) -> None:
    content = {"model": {"N": 64, "gridsize": 2, "probe_mask": False}, "nphotons": 1e5, "probe_trainable": True}
    write(tmp_path / "config.json", content)
    with zipfile.ZipFile(tmp_path / "wts.h5.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.pth", b"weights")
        archive.writestr("one/config.json", json.dumps(content))
        archive.writestr("two/config.json", json.dumps(content, indent=1))
    for name in ("config.json", "wts.h5.zip"):
        done, record = log(data, tmp_path / name, tmp_path / "out")
        assert (done.returncode, record["problems"], record["metadata"]["params_read"]) == (0, [], "safe")
        assert record["params"]["model.gridsize"] == 2
        excerpt = record["baseline_params"]
        assert (excerpt["N"], excerpt["nphotons_in_params"], excerpt["probe.mask"]) == (64, 1e5, False)
        assert (excerpt["probe.trainable"], excerpt["label"]) == (True, None)


def test_files_in_a_zip_must_say_the_same(data: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.zip", "w") as archive:
        archive.writestr("a/params.dill", dill.dumps({"N": 64, "gridsize": 1}))
        archive.writestr("b/params.dill", dill.dumps({"N": 64, "gridsize": 2}))
        archive.writestr("config.json", "no JSON, and not opened")
    done, record = log(data, tmp_path / "w.zip", tmp_path / "out")
    assert (done.returncode, record["params"]) == (1, {})
    assert "a/params.dill and b/params.dill in it do not say the same of gridsize" in done.stderr


def npz(path: Path) -> None:
    np.savez(path, diff3d=np.zeros(3))


def zip_of(**members: bytes) -> Any:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)

    return make


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (b"\x89HDF\r\n\x1a\n", "it is an HDF5 file, such as the weights of a model"),
        (b"N: 64\ngridsize: 1\n", "it looks like text: a params.dill, a JSON object, or a zip of either is expected"),
        (b"[1, 2]", "looks like text"),
        (b'{"N": 64, "N": 65}', "it says 'N' twice, and nobody can say which one is meant"),
        (b'{"N": ' + b"[" * 5000, "is nested too deeply"),
        (b'{"N": 64', "is no JSON (line 1, column 9"),
        (b'{"N": "\xff"}', "no UTF-8 text"),
        (b"", "it is empty; copy it again"),
        (b"version https://git-lfs.github.com/spec/v1\n", "run 'git lfs pull'"),
        (npz, "it is an NPZ file, the data; a params.dill is expected"),
        (zip_of(model=b"x"), "it is a zip without a params.dill or a config.json"),
        (zip_of(**{"params.dill": b"0" * (65 << 20)}), "params.dill in it announces 68,157,440 bytes"),
        (dill.dumps({f"k{number}": number for number in range(100_000)}), "keys"),
    ],
)
def test_what_is_no_params_file_is_refused_in_words(data: Path, tmp_path: Path, make: Any, says: str) -> None:
    path = tmp_path / "params"
    if callable(make):
        make(path.with_suffix(".npz"))
        path.with_suffix(".npz").rename(path)
    else:
        path.write_bytes(make)
    done, record = log(data, path, tmp_path / "out")
    assert (done.returncode, len(record["datasets"]), record["params"]) == (1, 2, {})
    assert f"error: baseline_params: params file {path} cannot be read: " in done.stderr
    assert says in done.stderr


def test_a_file_without_any_known_key_may_be_the_wrong_one(data: Path, tmp_path: Path) -> None:
    done, record = log(data, write(tmp_path / "history.dill", {"history": {"loss": [1.0, 0.5]}}), tmp_path / "out")
    assert (done.returncode, record["params"]) == (0, {"history.loss.0": 1.0, "history.loss.1": 0.5})
    assert "warning: baseline_params: " in done.stderr
    assert (
        "holds none of the keys of a baseline run (N, gridsize, nphotons, …): it may be the wrong file" in done.stderr
    )


def test_more_params_than_a_log_holds_are_never_parity(data: Path, tmp_path: Path) -> None:
    many = {"N": 64} | {f"group{at}": {f"key{number}": number for number in range(5000)} for at in range(20)}
    done, record = log(data, write(tmp_path / "params.dill", many), tmp_path / "out")
    assert (done.returncode, record["verdict"], len(record["params"])) == (1, "incomplete", 10_000)
    assert "90001 values left out, so that not everything is compared" in done.stderr


def test_odd_keys_are_kept_apart(data: Path, tmp_path: Path) -> None:
    odd = {"N": 64, "a.b": 1, "a": {"b": 2, 1: 3}, "x/y": 4, "line\nend": 5, "esc\x1b[31m": 6}
    done, record = log(data, write(tmp_path / "params.dill", odd), tmp_path / "out")
    assert done.returncode == 0
    assert record["params"] == {
        "N": 64,
        "a.b": 1,
        "a.b (2)": 2,
        "a.1": 3,
        "x/y": 4,
        "line\nend": 5,
        "esc\x1b[31m": 6,
    }
    assert "says these more than once, and all are recorded, with numbers: a.b" in done.stderr
    other = d0parity("compare", tmp_path / "out" / LOG, tmp_path / "out" / LOG)
    assert other.returncode == 0
    changed = odd | {"line\nend": 7, "esc\x1b[31m": 8}
    log(data, write(tmp_path / "other.dill", changed), tmp_path / "other")
    done = d0parity("compare", tmp_path / "out" / LOG, tmp_path / "other" / LOG)
    assert done.returncode == 3
    assert "params.line\\nend" in done.stdout
    assert "\x1b" not in done.stdout


def test_what_is_in_no_excerpt_is_drift(tmp_path: Path) -> None:
    script = SHARED / "cases" / "params_unlisted.py"
    if not script.exists():
        pytest.skip(f"the cases are not here (looked for {script})")
    subprocess.run([sys.executable, "-B", script, tmp_path], check=True, timeout=120)
    for side in ("ref", "run"):
        assert log(tmp_path / side, tmp_path / side / "params.dill", tmp_path / side)[0].returncode == 0
    sides = [tmp_path / side / LOG for side in ("ref", "run")]
    expected = {
        *(f"params.{flag}.big" for flag in ("object", "probe")),
        *(f"params.{key}" for key in ("probe_scale", "model_type", "amp_activation", "gaussian_smoothing_sigma")),
        *(f"params.{key}" for key in ("n_groups", "neighbor_count", "torch_loss_mode", "architecture")),
        *(f"params.probe.{statistic}" for statistic in ("min", "max", "mean")),
        *(f"metrics.{metric}.{half}" for metric in ("ssim", "frc1over7") for half in ("train", "test")),
    }
    for level, more in (("bytes", {"params.train_data_file_path", "params.probe.sha256"}), ("statistics", set())):
        done = d0parity("compare", *sides, "--compare", level, "--format", "json")
        assert (done.returncode, drifted(json.loads(done.stdout))) == (3, expected | more)


# --- metrics in a file of their own ---------------------------------------------------------------


def test_metrics_have_a_file_of_their_own(data: Path, tmp_path: Path) -> None:
    params = write(tmp_path / "config.json", {"N": 64})
    metrics = write(tmp_path / "metrics.json", {"mae": [0.1, 0.2], "frc50": [25.0, None], "other": 3})
    done, record = log(data, params, tmp_path / "out", "--baseline-metrics", metrics)
    assert (done.returncode, record["metrics"]) == (0, {"mae": [0.1, 0.2], "frc50": [25.0, "NaN"]})


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        ({"mae": [0.1, 0.2]}, 0, ""),
        ({"mae": [0.1, 0.3]}, 1, "error: baseline_metrics:mae: mae is another one in "),
        ({"mae": 0.1}, 0, "warning: baseline_metrics:mae: mae in "),
        ({"loss": 1}, 0, "holds none of mae, mse, psnr, ssim, ms_ssim, frc50, frc1over7: it may be the wrong file"),
        (None, 1, "error: baseline_metrics: metrics file "),
    ],
)
def test_metrics_that_disagree_or_cannot_be_read(
    data: Path, tmp_path: Path, content: Any, code: int, says: str
) -> None:
    params, metrics = write(tmp_path / "params.dill", PARAMS), tmp_path / "metrics.json"
    if content is not None:
        write(metrics, content)
    done, record = log(data, params, tmp_path / "out", "--baseline-metrics", metrics)
    assert (done.returncode, record["metrics"]["mae"]) == (code, [0.1, 0.2])
    assert says in done.stderr


def test_tables_say_both_of_what_metrics_are(data: Path, tmp_path: Path) -> None:
    log(data, write(tmp_path / "params.dill", PARAMS), tmp_path / "out")
    digest = (tmp_path / "out" / "dose_parity_log.md").read_text()
    assert "| metric | train (amplitude) | test (phase) |" in digest
    assert "| ssim | 0.9 | NaN |" in digest


# --- real files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bundle_params.dill", "config.json", "wts.h5.zip", "metrics_params.dill"])
def test_what_programs_leave_today(data: Path, tmp_path: Path, name: str) -> None:
    path = SHARED / "data" / "params_today" / name
    if not path.exists():
        pytest.skip(f"the real params are not here (looked for {path})")
    done, record = log(data, path, tmp_path / "out")
    assert (done.returncode, record["problems"], record["baseline_params"]["N"]) == (0, [], 64)
    assert len(record["params"]) >= 60
    assert len(record["metrics"]) == (7 if name == "metrics_params.dill" else 0)


def test_the_real_params_in_whole(photon_grid: Path, data: Path, tmp_path: Path) -> None:
    done, record = log(data, photon_grid / "params.dill", tmp_path / "out")
    assert (done.returncode, record["problems"]) == (0, [])
    assert {"probe", "amp_activation", "frc.0", "frc.1", "intensity_scale"} <= set(record["params"])
    assert len(record["metrics"]) == 6
