"""The log's JSON and its schema."""

from __future__ import annotations

import copy
import datetime
import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_d0parity import Placeholder, convert_for_json, json_schema


def strict(text: str) -> Any:
    def never(token: str) -> None:
        raise AssertionError(f"{token} is no JSON")

    return json.loads(text, parse_constant=never)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None))
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(VALUES)
def test_anything_becomes_strict_json_in_utf_8(value: Any) -> None:
    strict(json.dumps(convert_for_json(value), allow_nan=False, ensure_ascii=False).encode("utf-8").decode())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, "NaN"),
        (-math.inf, "-Infinity"),
        (np.float32("inf"), "Infinity"),
        (np.float64(0.1), 0.1),
        (np.int64(-3), -3),
        (np.bool_(True), True),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array(2.5), 2.5),
        (np.str_("x"), "x"),
        (np.complex64(1 + 2j), [1.0, 2.0]),
        ((1, "a", None), [1, "a", None]),
        ({1: 2, None: 3}, {"1": 2, "None": 3}),
        ("\ud800", "\\ud800"),
        ("caf\udce9", "caf\\xe9"),
        (b"\xff", "\\xff"),
        (Path("/a/b"), "/a/b"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (Placeholder("tf.Variable", (1,)), "<tf.Variable>"),
    ],
)
def test_conversions(value: Any, expected: Any) -> None:
    result = convert_for_json(value)
    assert (type(result), result) == (type(expected), expected)


def test_a_value_that_cannot_be_recorded_is_named() -> None:
    with pytest.raises(TypeError, match="type object"):
        convert_for_json({"a": object()})


# --- the schema --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def record(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    from pytest_d0parity.cli import main

    output = tmp_path_factory.mktemp("log")
    main(
        ["log", "--dataset-root", str(sweep), "--baseline-params", str(sweep / "params.dill"), "--output", str(output)]
    )
    return strict((output / "dose_parity_log.json").read_text(encoding="utf-8"))


def valid(record: Any) -> bool:
    return jsonschema.Draft202012Validator(json_schema()).is_valid(record)


def test_a_log_is_valid(record: Any) -> None:
    assert valid(record)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (["schema_version"], 4),
        (["verdict"], "fine"),
        (["extra"], 1),
        (["datasets", 0, "sha256"], "0"),
        (["datasets", 0, "stats", "raw", "mean"], "much"),
        (["datasets", 0, "stats", "raw", "p50"], 1.0),
        (["datasets", 0, "arrays", "diff3d", "crc32"], "xyz"),
        (["metrics", "mae"], [1.0]),
    ],
)
def test_the_schema_refuses_what_is_no_log(record: Any, place: list[Any], value: Any) -> None:
    broken = copy.deepcopy(record)
    target = broken
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    assert not valid(broken)


@pytest.mark.parametrize("key", ["metadata", "datasets", "baseline_params", "total_datasets"])
def test_the_schema_misses_what_is_missing(record: Any, key: str) -> None:
    assert not valid({name: value for name, value in record.items() if name != key})


def test_the_schema_lets_a_number_be_what_json_cannot_say(record: Any) -> None:
    altered = copy.deepcopy(record)
    altered["datasets"][0]["stats"]["raw"]["std"] = "Infinity"
    assert valid(altered)


def test_the_keys_are_those_of_the_contract(record: Any) -> None:
    assert list(record) == [
        *("schema_version", "metadata", "baseline_params", "metrics", "datasets", "total_datasets"),
        *("checks", "reference", "drift", "verdict", "problems"),
    ]
    assert list(record["datasets"][0]) == [
        *("filename", "path", "photon_dose", "sha256", "size_bytes", "arrays", "stats"),
        *("histograms", "scans", "photons", "probe", "problems"),
    ]
    assert list(record["baseline_params"]) == [
        *("N", "gridsize", "nimgs_train", "nimgs_test", "batch_size", "nepochs", "mae_weight", "nll_weight"),
        *("default_probe_scale", "intensity_scale.trainable", "probe.trainable", "probe.mask", "label"),
        *("output_prefix", "nphotons_in_params", "timestamp", "intensity_scale_value"),
    ]
    assert set(record["datasets"][0]["photons"]) == {
        *("quantum", "per_pattern", "residual", "quantized", "expected", "ratio")
    }
