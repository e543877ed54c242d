"""Histograms, against numpy.histogram."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pytest_d0parity.statistics.blocks import ArraySource
from pytest_d0parity.statistics.distribution import describe
from pytest_d0parity.statistics.histograms import ValueCounts, count_values
from pytest_d0parity.statistics.records import Histogram
from tests.support.command import d0parity

FLOATS = st.sampled_from([np.float16, np.float32, np.float64, ">f4", np.int16, np.uint64])


def histogram_of(array: np.ndarray) -> Histogram | None:
    counts = ValueCounts(array.size)
    describe(ArraySource(array), observers=[counts.add])
    return counts.histogram()


@given(st.data(), FLOATS)
def test_counts_are_those_of_numpy(data: st.DataObject, dtype: object) -> None:
    dtype = np.dtype(dtype)  # type: ignore[call-overload]
    options = {"allow_nan": False, "allow_infinity": False} if dtype.kind == "f" else {}
    special = st.sampled_from(
        [0, 1, 2, 3] if dtype.kind == "u" else [0.0, -0.0, 1, -1, 1.25, -1.25, 2, 1e-7, -1e-7, 1e4]
    )
    elements = arrays.from_dtype(dtype, **options) | special.map(lambda value: dtype.type(value).item())
    array = data.draw(arrays.arrays(dtype, st.integers(1, 50), elements=elements))
    found = histogram_of(array)
    assert found is not None
    assert np.histogram(array.astype(np.float64), found.edges)[0].tolist() == list(found.counts)
    assert sum(found.counts) == array.size
    assert len(found.counts) <= 129
    assert all(low < high for low, high in zip(found.edges, found.edges[1:], strict=False))


def test_nothing_and_only_zeros() -> None:
    assert histogram_of(np.array([np.nan, np.inf])) is None
    assert count_values(np.array([])) is None
    assert histogram_of(np.zeros(5)) == Histogram(edges=(0.0, 1.0), counts=(5,))


def test_non_finite_values_are_left_out() -> None:
    found = histogram_of(np.array([1.0, np.nan, 1.5, -np.inf]))
    assert found == Histogram(edges=(1.0, 1.25, 1.5, 1.75), counts=(1, 0, 1))


def test_large_arrays_are_counted_in_part_and_evenly() -> None:
    frames = np.random.default_rng(0).permutation(np.repeat(np.arange(1, 65, dtype=np.float32), 32))
    array = np.broadcast_to(frames[:, None, None], (2048, 64, 64))
    found = histogram_of(array)
    assert found is not None
    assert 1 << 21 <= sum(found.counts) <= 1 << 22
    share = np.array(found.counts) / sum(found.counts)
    truth = np.histogram(array, found.edges)[0] / array.size
    assert np.abs(share - truth).max() < 0.05


def test_the_log_holds_those_of_every_stage(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    diff3d = np.sqrt(rng.poisson(3.0, (40, 8, 8))).astype(np.float32)
    index = np.repeat([7, -2, 7, 30], 10)
    np.savez(tmp_path / "data_p1e2.npz", diff3d=diff3d, scan_index=index, probeGuess=np.ones((8, 8), complex))
    assert d0parity("log", "--dataset-root", tmp_path, "--output", tmp_path / "out").returncode == 0
    text = (tmp_path / "out" / "dose_parity_log.json").read_text()
    dataset = json.loads(text)["datasets"][0]
    values = {"raw": diff3d, "normalized": diff3d.astype(float) / (float(diff3d.max()) + 1e-12)}
    values["grouped"] = np.array([diff3d[index == scan].astype(float).mean() for scan in (-2, 7, 30)])
    for stage, array in values.items():
        found = dataset["histograms"][stage]
        assert np.histogram(array, found["edges"])[0].tolist() == found["counts"], stage
    assert [(scan["scan_index"], scan["n_patterns"]) for scan in dataset["scans"]] == [(-2, 10), (7, 20), (30, 10)]
    assert [scan["mean"] for scan in dataset["scans"]] == pytest.approx(values["grouped"].tolist())
    assert '"shape": [40, 8, 8],' in text  # lists of numbers take one line


def test_many_scans_are_not_listed(tmp_path: Path) -> None:
    np.savez(tmp_path / "data_p1e2.npz", diff3d=np.ones((300, 2, 2)), scan_index=np.arange(300))
    d0parity("log", "--dataset-root", tmp_path, "--output", tmp_path / "out")
    dataset = json.loads((tmp_path / "out" / "dose_parity_log.json").read_text())["datasets"][0]
    assert dataset["scans"] == []
    assert dataset["stats"]["grouped"]["n_unique_scans"] == sum(dataset["histograms"]["grouped"]["counts"]) == 300
