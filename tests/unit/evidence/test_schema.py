"""The schema of the log."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_d0parity import json_schema
from tests.support.command import strict_json


@pytest.fixture(scope="module")
def record(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    from pytest_d0parity.cli import main

    output = tmp_path_factory.mktemp("log")
    main(
        ["log", "--dataset-root", str(sweep), "--baseline-params", str(sweep / "params.dill"), "--output", str(output)]
    )
    return strict_json((output / "dose_parity_log.json").read_text(encoding="utf-8"))


def valid(record: Any) -> bool:
    return jsonschema.Draft202012Validator(json_schema()).is_valid(record)


def test_a_log_is_valid(record: Any) -> None:
    assert valid(record)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (["schema_version"], 5),
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
        *("schema_version", "metadata", "params", "baseline_params", "metrics", "datasets", "attachments"),
        *("sweep", "total_datasets", "checks", "reference", "drift", "findings", "verdict", "problems"),
    ]
    assert list(record["datasets"][0]) == [
        *("filename", "path", "photon_dose", "dose", "sha256", "size_bytes", "roles", "arrays", "frames", "metadata"),
        *("stats", "histograms", "scans", "pattern", "photons", "probe", "standard_errors", "problems"),
    ]
    assert list(record["baseline_params"]) == [
        *("N", "gridsize", "nimgs_train", "nimgs_test", "batch_size", "nepochs", "mae_weight", "nll_weight"),
        *("default_probe_scale", "intensity_scale.trainable", "probe.trainable", "probe.mask", "label"),
        *("output_prefix", "nphotons_in_params", "timestamp", "intensity_scale_value"),
    ]
    assert set(record["datasets"][0]["photons"]) == {
        *("quantum", "per_pattern", "residual", "quantized", "domain", "min", "max", "std", "empty"),
        *("expected", "ratio"),
    }


def test_every_field_has_a_description() -> None:
    for name, definition in json_schema()["$defs"].items():
        assert len(definition["description"]) > 10, name
        for key, schema in definition["properties"].items():
            assert len(schema["description"]) > 5, (name, key)


def test_the_page_about_the_log_is_made_of_the_schema() -> None:
    page = Path(__file__).parents[3] / "docs" / "log-format.md"
    script = Path(__file__).parents[3] / "scripts" / "log_format.py"
    made = subprocess.run([sys.executable, script], capture_output=True, check=True, timeout=60)
    assert made.stdout.decode() == page.read_text(encoding="utf-8")
