"""Arrays beside those of the stages: measured, texts recorded, metadata read, and all of them compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.command import LOG, d0parity, read_log

RNG = np.random.default_rng(3)
STACK = np.sqrt(RNG.poisson(2.0, (20, 8, 8))).astype(np.float32)


def write(folder: Path, **arrays: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    usual = {"diff3d": STACK, "probeGuess": np.ones((8, 8), complex), "scan_index": np.zeros(20, int)}
    np.savez_compressed(folder / "data_p125.npz", **usual | arrays)
    return folder


def log(folder: Path, *options: Any) -> tuple[int, Any]:
    done = d0parity("log", "--dataset-root", folder, "--output", folder / "out", "--no-cache", *options)
    return done.returncode, read_log(folder / "out")


def compare(one: Path, other: Path, *options: Any) -> tuple[int, Any]:
    for folder in (one, other):
        assert log(folder)[0] == 0
    done = d0parity("compare", one / "out" / LOG, other / "out" / LOG, "--format", "json", *options)
    return done.returncode, json.loads(done.stdout)


def drifted(outcome: Any) -> set[str]:
    return {row["where"].partition(":")[2] for row in outcome["differences"] if row["verdict"] == "drift"}


POSITIONS = RNG.uniform(-5, 200, 20)
OBJECT = (RNG.random((30, 30)) + 1j * RNG.random((30, 30))).astype(np.complex64)


def test_small_arrays_are_measured_as_numpy_does(tmp_path: Path) -> None:
    empty, counts = np.zeros(0), RNG.integers(0, 3, (5, 5), np.uint8)
    _, record = log(write(tmp_path, xcoords=POSITIONS, objectGuess=OBJECT, empty=empty, counts=counts))
    arrays = record["datasets"][0]["arrays"]
    for name, values in (("xcoords", POSITIONS), ("counts", counts), ("objectGuess", np.abs(OBJECT.astype(complex)))):
        found = arrays[name]
        assert (found["min"], found["max"], found["count"]) == (values.min(), values.max(), values.size)
        assert found["mean"] == pytest.approx(values.mean(dtype=float), rel=1e-14)
        assert found["std"] == pytest.approx(values.std(dtype=float), rel=1e-13)
        assert found["nonzero_fraction"] == np.count_nonzero(values) / values.size
        assert ("mean_real" in found) == (name == "objectGuess")
    assert arrays["objectGuess"]["mean_real"] == pytest.approx(OBJECT.real.mean(dtype=float), rel=1e-14)
    assert arrays["objectGuess"]["mean_imag"] == pytest.approx(OBJECT.imag.mean(dtype=float), rel=1e-14)
    assert (arrays["empty"]["count"], arrays["empty"]["mean"]) == (0, 0)
    assert "mean" not in arrays["diff3d"]


def test_large_arrays_are_measured_when_all_are_asked_for(tmp_path: Path) -> None:
    large = np.arange((16 << 20) // 4 + 1, dtype=np.float32)
    folder = write(tmp_path, large=large)
    assert "mean" not in log(folder)[1]["datasets"][0]["arrays"]["large"]
    known = [d0parity("log", "--dataset-root", folder, "--output", folder / str(run)) for run in range(2)]
    assert [each.returncode for each in known] == [0, 0]
    options = ("--dataset-root", folder, "--output", folder / "all", "--measure-all")
    for _ in range(2):  # the second time from the cache
        assert d0parity("log", *options).returncode == 0
        found = read_log(folder / "all")["datasets"][0]["arrays"]["large"]
        assert (found["count"], found["max"]) == (large.size, large.max())
        assert found["mean"] == pytest.approx(large.mean(dtype=float), rel=1e-14)
    assert "mean" not in read_log(folder / "1")["datasets"][0]["arrays"]["large"]
    done = d0parity("compare", folder / "1" / LOG, folder / "all" / LOG)
    assert (done.returncode, done.stdout.partition(":")[0]) == (0, "match")
    assert "Not compared (measured on one side alone): arrays.large.*." in done.stdout


def test_texts_are_recorded(tmp_path: Path) -> None:
    note, names, raw = np.array("two\nlines, a <b>tag</b> | ü"), np.array(["x", "y\n"]), np.array(b"by\xff")
    arrays = {"note": note, "names": names, "raw": raw}
    _, record = log(write(tmp_path, **arrays, long=np.array("x" * 5000)))
    found = record["datasets"][0]["arrays"]
    assert found["note"]["text"] == "two\nlines, a <b>tag</b> | ü"
    assert (found["names"]["text"], found["raw"]["text"]) == ('["x", "y\\n"]', "by\\xff")
    assert found["long"]["text"] == "x" * 4096 + "… (5,000 characters)"


def test_an_array_of_nothing_but_none_is_not_there(tmp_path: Path) -> None:
    nothing = np.array(None, dtype=object)
    code, record = log(write(tmp_path, none=nothing, nones=np.array([None, None]), scan_index=nothing))
    assert record["datasets"][0]["problems"] == []  # no scan index means one scan
    assert (code, list(record["datasets"][0]["arrays"])) == (0, ["diff3d", "probeGuess"])
    assert record["datasets"][0]["stats"]["grouped"]["n_unique_scans"] == 1


def metadata(**content: Any) -> Any:
    return np.array(json.dumps(content), dtype=object)


CREATION = {"timestamp": "2026-07-01", "script": "a.py"}


def test_metadata_are_values_and_no_problem(tmp_path: Path) -> None:
    content = {"physics": {"nphotons": 125.0}, "steps": [{"tool": "pad"}], "creation": CREATION, "none": None}
    code, record = log(write(tmp_path, _metadata=metadata(**content)))
    (dataset,) = record["datasets"]
    assert (code, dataset["problems"]) == (0, [])
    assert dataset["metadata"] == {
        "physics.nphotons": 125.0,
        "steps.0.tool": "pad",
        "creation.timestamp": "2026-07-01",
        "creation.script": "a.py",
        "none": None,
    }
    code, record = log(write(tmp_path, metadata_json=np.array('{"a": 1}')))
    assert (code, record["datasets"][0]["metadata"]) == (0, {"a": 1})


def test_metadata_that_cannot_be_read_are_a_warning(tmp_path: Path) -> None:
    code, record = log(write(tmp_path, _metadata=np.array("nphotons=1e5", dtype=object)))
    (problem,) = record["datasets"][0]["problems"]
    assert (code, problem["severity"], problem["where"]) == (0, "warning", "data_p125.npz:_metadata")
    assert problem["message"].startswith("it is no JSON ")
    assert record["datasets"][0]["arrays"]["_metadata"]["text"] == "nphotons=1e5"


def test_leaves_of_metadata_are_compared_and_have_thresholds(tmp_path: Path) -> None:
    one = write(tmp_path / "1", _metadata=metadata(physics={"nphotons": 1e5}, creation=CREATION))
    other = write(tmp_path / "2", _metadata=metadata(physics={"nphotons": 1.01e5}, creation=CREATION | {"script": "b"}))
    code, outcome = compare(one, other)
    assert code == 3
    assert drifted(outcome) >= {"metadata.physics.nphotons", "metadata.creation.script", "arrays._metadata.crc32"}
    code, outcome = compare(one, other, "--compare", "statistics")
    assert (code, drifted(outcome)) == (3, {"metadata.physics.nphotons"})
    code, outcome = compare(one, other, "--compare", "statistics", "--threshold", "metadata:2%")
    assert (code, outcome["verdict"]) == (0, "within_thresholds")


def test_a_tiny_drift_of_positions_can_be_allowed(tmp_path: Path) -> None:
    one = write(tmp_path / "1", xcoords=POSITIONS)
    other = write(tmp_path / "2", xcoords=POSITIONS + 1e-12)
    code, outcome = compare(one, other)
    assert (code, drifted(outcome) - {"sha256", "size_bytes"}) == (3, {"arrays.xcoords.crc32"})
    code, outcome = compare(one, other, "--compare", "statistics")
    assert (code, outcome["verdict"]) == (0, "within_thresholds")
    code, outcome = compare(one, other, "--compare", "statistics", "--threshold", "arrays.xcoords:exact")
    assert drifted(outcome) >= {"arrays.xcoords.crc32"}


def test_frames_are_compared(tmp_path: Path) -> None:
    one, other = write(tmp_path / "1"), write(tmp_path / "2", diff3d=STACK[::-1])
    code, outcome = compare(one, other)
    assert code == 3
    assert "frames.order" in drifted(outcome)
    assert "frames.set" not in drifted(outcome)
    code, outcome = compare(one, other, "--compare", "statistics")
    assert (code, outcome["verdict"]) == (0, "within_thresholds")


def test_an_older_log_knows_nothing_of_them(tmp_path: Path) -> None:
    folder = write(tmp_path, xcoords=POSITIONS, _metadata=metadata(a=1))
    record = log(folder)[1]
    record["schema_version"] = 3
    for dataset in record["datasets"]:
        del dataset["frames"], dataset["metadata"]
        for array in dataset["arrays"].values():
            for key in set(array) - {"shape", "dtype", "crc32", "size_bytes"}:
                del array[key]
    del record["metadata"]["compare"]
    (tmp_path / "old.json").write_text(json.dumps(record))
    done = d0parity("compare", tmp_path / "old.json", folder / "out" / LOG)
    assert (done.returncode, done.stdout.partition(":")[0]) == (0, "match"), done.stdout


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.array("x" * (5 << 20)), "is no text of up to 16 MiB"),
        (np.array(json.dumps({"a": "x" * (10 << 20)}), dtype=object), "is a text of 10,485,769 characters"),
        (np.array(json.dumps({"a": "x" * (20 << 20)}), dtype=object), "only its header was looked at"),
        (np.array('{"a":' * 1000 + "1" + "}" * 1000, dtype=object), "is nested too deeply"),
        (np.arange(3), "is no text"),
        (np.array(["{}", "{}"], dtype=object), "only its header was looked at"),
    ],
)
def test_odd_metadata_are_told(tmp_path: Path, array: Any, says: str) -> None:
    code, record = log(write(tmp_path, _metadata=array))
    (problem,) = record["datasets"][0]["problems"]
    assert (code, problem["severity"], problem["where"]) == (0, "warning", "data_p125.npz:_metadata")
    assert says in problem["message"]
    assert record["datasets"][0]["metadata"] == {}
