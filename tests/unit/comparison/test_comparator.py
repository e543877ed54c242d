"""Two logs compared, through ``d0parity compare`` and ``d0parity log --reference``."""

from __future__ import annotations

import copy
import json
import math
import re
import shutil
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pytest_d0parity import convert_for_json, json_schema
from pytest_d0parity.cli import main
from pytest_d0parity.comparison.comparator import Comparator
from pytest_d0parity.comparison.values import values_of
from pytest_d0parity.evidence.file import parse_log, read_log
from pytest_d0parity.scenario.thresholds import DEFAULT, Threshold, parse_threshold

MATCH, UNREADABLE, USAGE, DRIFT = 0, 1, 2, 3

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="session")
def recorded(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    output = tmp_path_factory.mktemp("recorded")
    options = ["--dataset-root", str(sweep), "--baseline-params", str(sweep / "params.dill"), "--output", str(output)]
    assert main(["log", "-q", *options]) == 0
    return json.loads((output / "dose_parity_log.json").read_text())


@pytest.fixture
def record(recorded: Any) -> Any:
    return copy.deepcopy(recorded)


def write(path: Path, content: Any) -> str:
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def compare(tmp_path: Path, reference: Any, log: Any, *options: str) -> int:
    return main(["compare", write(tmp_path / "ref.json", reference), write(tmp_path / "log.json", log), *options])


def told(tmp_path: Path, capsys: Capture, reference: Any, log: Any, *options: str) -> tuple[int, Any]:
    code = compare(tmp_path, reference, log, "--format", "json", *options)
    return code, json.loads(capsys.readouterr().out)


def raw(record: Any, number: int = 0) -> dict[str, Any]:
    stats: dict[str, Any] = record["datasets"][number]["stats"]["raw"]
    return stats


# --- each rule ---------------------------------------------------------------------------------


def test_a_log_matches_itself(tmp_path: Path, record: Any, capsys: Capture) -> None:
    assert told(tmp_path, capsys, record, record) == (
        MATCH,
        {
            "verdict": "match",
            "reference": str(tmp_path / "ref.json"),
            "drifted": 0,
            "within_thresholds": 0,
            "notes": [],
            "findings": [],
            "left_out": [],
            "not_compared": [],
            "differences": [],
        },
    )


def set_to(*keys: Any) -> Callable[[Any], None]:
    *path, last, value = keys

    def edit(record: Any) -> None:
        for key in path:
            record = record[key]
        record[last] = value

    return edit


def without(*keys: Any) -> Callable[[Any], None]:
    *path, last = keys

    def edit(record: Any) -> None:
        for key in path:
            record = record[key]
        del record[last]

    return edit


FIRST = ("datasets", 0)


@pytest.mark.parametrize("side", ["reference", "log"])
@pytest.mark.parametrize(
    ("edit", "where"),
    [
        (set_to(*FIRST, "sha256", "0" * 64), "data_p1e3.npz:arrays.diff3d.crc32"),
        (set_to(*FIRST, "arrays", "diff3d", "dtype", "float64"), "data_p1e3.npz:arrays.diff3d.dtype"),
        (set_to(*FIRST, "arrays", "diff3d", "shape", [1, 2]), "data_p1e3.npz:arrays.diff3d.shape"),
        (without(*FIRST, "arrays", "scan_index"), "data_p1e3.npz:arrays.scan_index.crc32"),
        (set_to(*FIRST, "stats", "raw", "mean", "NaN"), "data_p1e3.npz:raw.mean"),
        (set_to(*FIRST, "stats", "raw", "mean", "Infinity"), "data_p1e3.npz:raw.mean"),
        (set_to(*FIRST, "stats", "raw", "mean", None), "data_p1e3.npz:raw.mean"),
        (set_to(*FIRST, "stats", "raw", "count", 7), "data_p1e3.npz:raw.count"),
        (set_to(*FIRST, "stats", "raw", "nan_count", 1), "data_p1e3.npz:raw.nan_count"),
        (without(*FIRST, "stats", "raw", "p90"), "data_p1e3.npz:raw.p90"),
        (without(*FIRST, "stats", "grouped", "n_patterns"), "data_p1e3.npz:grouped.n_patterns"),
        (set_to(*FIRST, "stats", "grouped", None), "data_p1e3.npz:grouped.mean"),
        (set_to(*FIRST, "probe", None), "data_p1e3.npz:probe.phase.p50"),
        (set_to(*FIRST, "probe", "l2_norm", 2.0), "data_p1e3.npz:probe.l2_norm"),
        (set_to(*FIRST, "probe", "shape", [1, 4096]), "data_p1e3.npz:probe.shape"),
        (set_to(*FIRST, "photons", "quantized", False), "data_p1e3.npz:photons.quantized"),
        (set_to(*FIRST, "photons", "quantized", 1), "data_p1e3.npz:photons.quantized"),
        (without(*FIRST, "photons"), "data_p1e3.npz:photons.per_pattern"),
        (without(*FIRST), "data_p1e3.npz"),
        (set_to(*FIRST, "filename", "data_p1e4.npz"), "data_p1e4.npz"),
        (set_to("params", "N", 65), "params.N"),
        (set_to("params", "label", "other"), "params.label"),
        (set_to("params", "probe.trainable", 0), "params.probe.trainable"),
        (without("params", "N"), "params.N"),
        (set_to("params", {}), "params.N"),
        (without("metrics", "psnr"), "metrics.psnr.train"),
        (set_to("metrics", "frc50", [6, 7.0]), "metrics.frc50.test"),
        (set_to("metrics", {}), "metrics.mae.test"),
    ],
)
def test_whatever_differs_on_either_side_is_drift(
    tmp_path: Path, record: Any, capsys: Capture, side: str, edit: Callable[[Any], None], where: str
) -> None:
    other = copy.deepcopy(record)
    edit(other)
    if "crc32" in where and "scan_index" not in where:
        other["datasets"][0]["arrays"]["diff3d"]["crc32"] = "00000000"
    pair = (other, record) if side == "reference" else (record, other)
    code, outcome = told(tmp_path, capsys, *pair)
    assert (code, outcome["verdict"]) == (DRIFT, "drift")
    assert where in [difference["where"] for difference in outcome["differences"]]


@pytest.mark.parametrize(
    "edit",
    [
        lambda record: record["metadata"].update(timestamp="another", dataset_root="elsewhere", git_sha="unknown"),
        lambda record: record["datasets"][0].update(path="elsewhere"),
        lambda record: record["problems"].append({"severity": "warning", "where": "x", "message": "y"}),
        lambda record: record["datasets"].reverse(),
        lambda record: raw(record).update(kurtosis=3.0),
        lambda record: raw(record).update(min=0, nan_count=0),
        lambda record: record.update(verdict="match", drift=[]),
    ],
)
def test_what_is_not_compared(tmp_path: Path, record: Any, capsys: Capture, edit: Callable[[Any], None]) -> None:
    other = copy.deepcopy(record)
    edit(other)
    assert told(tmp_path, capsys, other, record)[1]["verdict"] == "match"
    assert told(tmp_path, capsys, record, other)[1]["verdict"] == "match"


def test_nan_equals_nan_and_an_infinity_itself(tmp_path: Path, record: Any, capsys: Capture) -> None:
    raw(record).update(mean="NaN", max="Infinity", min="-Infinity")
    assert told(tmp_path, capsys, record, record)[1]["verdict"] == "match"
    other = copy.deepcopy(record)
    raw(other).update(max="-Infinity")
    assert told(tmp_path, capsys, record, other, "--threshold", "*:inf")[0] == DRIFT


def test_nothing_compared_is_no_pass(tmp_path: Path, capsys: Capture) -> None:
    empty = {"schema_version": 1, "datasets": [], "baseline_params": {}, "metrics": {}}
    code, outcome = told(tmp_path, capsys, empty, empty)
    assert (code, outcome["verdict"]) == (UNREADABLE, "incomplete")


def test_a_log_with_errors_shows_no_parity(tmp_path: Path, record: Any, capsys: Capture) -> None:
    record["datasets"][0]["problems"] = [{"severity": "error", "where": "data_p1e3.npz", "message": "damaged"}]
    assert compare(tmp_path, record, record) == UNREADABLE
    assert "itself says that something could not be read" in capsys.readouterr().err


# --- numbers and thresholds --------------------------------------------------------------------

NUMBERS = st.floats(-1e300, 1e300) | st.integers(-(10**18), 10**18)
LIMITS = st.sampled_from(["5%", "0.001", "1e-6%", "exact", "0", "100%", "1e300", "0.5"])


def compared(expected: float, observed: float, limit: str | None) -> Any:
    """One value compared by itself."""
    content = {"datasets": [], "metrics": {"mae": [expected, 0]}}
    thresholds = () if limit is None else (parse_threshold(f"metrics.mae.train:{limit}"),)
    comparator = comparator_of(content, thresholds)
    other = {"datasets": [], "metrics": {"mae": [observed, 0]}}
    return comparator.compare(values_of(parse_log(json.dumps(other).encode(), "x").log))


def comparator_of(content: Any, thresholds: tuple[Threshold, ...]) -> Any:
    return Comparator.of(parse_log(json.dumps(content).encode(), "x"), thresholds)


@example(2**53 + 1, 0.0, "0.001", True)  # as floats they would be equal
@given(NUMBERS, NUMBERS | st.floats(-1e-3, 1e-3), LIMITS | st.none(), st.booleans())
def test_the_verdict_on_any_two_numbers(expected: float, other: float, limit: str | None, near: bool) -> None:
    observed = expected + other if near else other
    assume(math.isfinite(observed))
    gap = abs(Fraction(observed) - Fraction(expected))
    if limit is None:
        both_int = isinstance(expected, int) and isinstance(observed, int)
        allowed = Fraction(0) if both_int else abs(Fraction(expected)) * Fraction(DEFAULT.relative)
    elif limit.endswith("%"):
        allowed = abs(Fraction(expected)) * Fraction(limit[:-1]) / 100
    else:
        allowed = Fraction(0) if limit == "exact" else Fraction(limit)
    assume(gap == 0 or allowed == 0 or abs(gap / allowed - 1) > Fraction(1, 10**9))  # the last bit decides nothing here
    assume(gap == 0 or gap > Fraction(1, 10**300))
    verdict = compared(expected, observed, limit).verdict
    assert verdict == ("match" if gap == 0 else "within_thresholds" if gap <= allowed else "drift")


def test_the_distance_is_in_units_of_the_threshold(tmp_path: Path, record: Any, capsys: Capture) -> None:
    other = copy.deepcopy(record)
    raw(other)["mean"] *= 1.10
    code, outcome = told(tmp_path, capsys, record, other, "--threshold", "raw.mean:5%")
    (difference,) = outcome["differences"]
    assert code == DRIFT
    assert difference["distance"] == pytest.approx(2)
    assert (difference["expected"], difference["observed"]) == (raw(record)["mean"], raw(other)["mean"])
    assert difference["threshold"] == "5%"


@pytest.mark.parametrize(
    ("thresholds", "verdict"),
    [
        (["raw.mean:5%"], "within_thresholds"),
        (["raw.mean:1%"], "drift"),
        (["raw:5%"], "within_thresholds"),  # covers what lies below
        (["*.mean:5%"], "within_thresholds"),
        (["data_p1e3.npz:raw.*:5%"], "within_thresholds"),
        (["data_p1e5.npz:raw.*:5%"], "drift"),
        (["*:5%", "raw.mean:exact"], "drift"),  # the last one wins
        (["raw.mean:exact", "*:5%"], "within_thresholds"),
        (["ra:5%"], "drift"),  # part of a name is no match
        (["raw.mean:1000"], "within_thresholds"),
    ],
)
def test_which_threshold_counts(
    tmp_path: Path, record: Any, capsys: Capture, thresholds: list[str], verdict: str
) -> None:
    other = copy.deepcopy(record)
    raw(other)["mean"] *= 1.02
    options = [word for threshold in thresholds for word in ("--threshold", threshold)]
    assert told(tmp_path, capsys, record, other, *options)[1]["verdict"] == verdict


def test_no_threshold_allows_another_text_or_flag(tmp_path: Path, record: Any, capsys: Capture) -> None:
    other = copy.deepcopy(record)
    other["params"]["label"] = "other"
    assert told(tmp_path, capsys, record, other, "--threshold", "*:inf")[0] == DRIFT


def test_a_value_near_zero_drifts_by_the_magnitude_of_its_group(tmp_path: Path, record: Any, capsys: Capture) -> None:
    phase = record["datasets"][0]["probe"]["phase"]
    phase["p50"] = 1e-15
    other = copy.deepcopy(record)
    other["datasets"][0]["probe"]["phase"]["p50"] = -2e-15
    assert told(tmp_path, capsys, record, other)[1]["verdict"] == "within_thresholds"
    other["datasets"][0]["probe"]["phase"]["p50"] = 1e-11
    assert told(tmp_path, capsys, record, other)[1]["verdict"] == "drift"


def test_a_count_is_no_magnitude(tmp_path: Path, record: Any, capsys: Capture) -> None:
    raw(record)["median"] = 1e-9
    raw(record)["count"] = 10**9
    other = copy.deepcopy(record)
    raw(other)["median"] = 2e-9
    assert told(tmp_path, capsys, record, other)[0] == DRIFT


@pytest.mark.parametrize(
    "text", ["raw", "raw:", ":5%", "raw:-1", "raw:nan", "raw:5%%", "raw:1_0", "raw:five", "raw:-inf", "a::5", "raw: 5"]
)
def test_a_bad_threshold_is_wrong_usage_that_says_what_is_allowed(text: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as end:
        main(["compare", "a", "b", "--threshold", text])
    assert end.value.code == USAGE
    said = capsys.readouterr().err
    assert "argument --threshold" in said
    assert "raw.mean" in said or "5%" in said  # an example of a good one


def test_a_threshold_that_covers_nothing_is_told(tmp_path: Path, record: Any, capsys: Capture) -> None:
    assert compare(tmp_path, record, record, "--threshold", "raw.maen:5%") == MATCH
    assert "no value is called 'raw.maen'" in capsys.readouterr().err


# --- files that were packed again --------------------------------------------------------------


def log(root: Path, output: Path, *options: str) -> tuple[int, Any]:
    code = main(["log", "--dataset-root", str(root), "--output", str(output), *options])
    content = json.loads((output / "dose_parity_log.json").read_text())
    jsonschema.validate(content, json_schema(), jsonschema.Draft202012Validator)
    return code, content


@pytest.fixture
def copied(sweep: Path, tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    for path in sweep.glob("*.npz"):
        shutil.copy(path, root)
    return root


def repack(path: Path, change: Callable[[str, bytes], bytes] = lambda _, data: data) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(name, change(name, data))


def test_a_repacked_file_is_said_to_be_one_and_matches(copied: Path, tmp_path: Path, capsys: Capture) -> None:
    log(copied, tmp_path / "before")
    repack(copied / "data_p1e5.npz")
    reference = str(tmp_path / "before" / "dose_parity_log.json")
    capsys.readouterr()
    code, record = log(copied, tmp_path / "after", "--reference", reference)
    assert (code, record["verdict"]) == (MATCH, "match")
    assert "Repacked, which is no drift: data_p1e5.npz" in capsys.readouterr().out
    assert {(row["where"], row["verdict"]) for row in record["drift"]} == {
        ("data_p1e5.npz:sha256", "repacked"),
        ("data_p1e5.npz:size_bytes", "repacked"),
    }
    assert main(["compare", reference, str(tmp_path / "after" / "dose_parity_log.json")]) == MATCH
    code, record = log(copied, tmp_path / "exact", "--reference", reference, "--threshold", "sha256:exact")
    assert (code, record["verdict"]) == (DRIFT, "drift")


def test_a_forged_checksum_of_an_array_that_is_not_measured_is_found(copied: Path, tmp_path: Path) -> None:
    path = copied / "data_p1e5.npz"
    log(copied, tmp_path / "before")
    with zipfile.ZipFile(path) as archive:
        info = next(
            i for i in archive.infolist() if i.filename not in ("diff3d.npy", "probeGuess.npy", "scan_index.npy")
        )
    name, crc = info.filename, info.CRC
    repack(path, lambda member, data: data[:-1] + bytes([data[-1] ^ 1]) if member == name else data)
    with zipfile.ZipFile(path) as archive:
        changed = next(i for i in archive.infolist() if i.filename == name).CRC
    # The directory and the local header claim the old CRC-32 for the changed data.
    path.write_bytes(path.read_bytes().replace(changed.to_bytes(4, "little"), crc.to_bytes(4, "little")))
    reference = str(tmp_path / "before" / "dose_parity_log.json")
    code, record = log(copied, tmp_path / "after", "--reference", reference)
    assert (code, record["verdict"]) == (UNREADABLE, "drift")
    (problem,) = [problem for dataset in record["datasets"] for problem in dataset["problems"]]
    assert problem["where"] == f"data_p1e5.npz:{name.removesuffix('.npy')}"
    assert "CRC-32" in problem["message"]


def test_changed_data_is_no_repacking(copied: Path, tmp_path: Path) -> None:
    log(copied, tmp_path / "before")
    repack(copied / "data_p1e5.npz", lambda name, data: data[:-1] + bytes([data[-1] ^ 1]) if "obj" in name else data)
    code, record = log(copied, tmp_path / "after", "--reference", str(tmp_path / "before" / "dose_parity_log.json"))
    assert (code, record["verdict"]) == (DRIFT, "drift")
    assert "data_p1e5.npz:arrays.objectGuess.crc32" in [row["where"] for row in record["drift"]]


# --- log --reference ---------------------------------------------------------------------------


def test_log_compares(sweep: Path, tmp_path: Path, record: Any, capsys: Capture) -> None:
    raw(record, 1)["p99"] *= 1.001
    reference = write(tmp_path / "ref.json", record)
    params = ["--baseline-params", str(sweep / "params.dill")]
    code, content = log(sweep, tmp_path / "out", *params, "--reference", reference)
    assert (code, content["verdict"]) == (DRIFT, "drift")
    assert [row["where"] for row in content["drift"]] == ["data_p1e5.npz:raw.p99"]
    assert content["reference"]["path"] == reference
    out = capsys.readouterr().out
    assert "drift: 3 datasets" in out
    assert "1 of 3 datasets (data_p1e5.npz): the bytes are the reference's, and the values are not" in out
    digest = (tmp_path / "out" / "dose_parity_log.md").read_text()
    assert "| data_p1e5.npz:raw.p99 |" in digest
    code, content = log(sweep, tmp_path / "out", *params, "--reference", reference, "--threshold", "raw.p99:1%")
    assert (code, content["verdict"]) == (MATCH, "within_thresholds")


def test_drift_is_told_also_when_quiet(sweep: Path, tmp_path: Path, record: Any, capsys: Capture) -> None:
    raw(record, 1)["p99"] *= 1.001
    reference = write(tmp_path / "ref.json", record)
    params = ["--baseline-params", str(sweep / "params.dill")]
    assert log(sweep, tmp_path / "out", "-q", *params, "--reference", reference)[0] == DRIFT
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "\ndata_p1e5.npz:\n  raw.p99 " in printed.err


def test_what_the_limit_leaves_out_of_the_reference_is_said(
    sweep: Path, tmp_path: Path, record: Any, capsys: Capture
) -> None:
    reference = write(tmp_path / "ref.json", record)
    options = ["--baseline-params", str(sweep / "params.dill"), "--limit-datasets", "data_p1e5.npz"]
    code, content = log(sweep, tmp_path / "out", *options, "--reference", reference)
    assert (code, content["verdict"]) == (MATCH, "match")
    assert content["reference"]["left_out"] == ["data_p1e3.npz", "data_p1e9.npz"]
    assert "not looked at by this run: data_p1e3.npz, data_p1e9.npz" in capsys.readouterr().out


def test_an_older_log_is_a_reference(sweep: Path, tmp_path: Path, record: Any) -> None:
    old = copy.deepcopy(record)
    del old["schema_version"], old["checks"], old["reference"], old["drift"], old["verdict"], old["problems"]
    for dataset in old["datasets"]:
        del dataset["photons"], dataset["problems"]
        for array in dataset["arrays"].values():
            del array["crc32"], array["size_bytes"]
    old["metrics"]["frc50"][1] = math.nan  # the bare token
    reference = write(tmp_path / "old.json", old)
    assert "NaN" in Path(reference).read_text()
    params = ["--baseline-params", str(sweep / "params.dill")]
    code, content = log(sweep, tmp_path / "out", *params, "--reference", reference)
    assert (code, content["verdict"]) == (MATCH, "match")
    del old["datasets"][0]["stats"]["raw"]["p01"]
    code, content = log(sweep, tmp_path / "out", *params, "--reference", write(tmp_path / "old.json", old))
    assert [row["where"] for row in content["drift"]] == ["data_p1e3.npz:raw.p01"]
    assert code == DRIFT


def test_the_real_older_log_is_a_reference(photon_grid: Path, tmp_path: Path) -> None:
    reference = photon_grid.parent.parent / "reference" / "pgrid-20250826" / "dose_parity_log.json"
    if not reference.is_file():
        pytest.skip(f"the older log is not here (looked for {reference})")
    assert main(["compare", str(reference), str(reference)]) == MATCH
    code, content = log(photon_grid, tmp_path / "out", "--reference", str(reference))
    assert code == DRIFT
    where = [row["where"] for row in content["drift"]]
    assert {"data_p1e5.npz", "data_p1e9.npz"} < set(where)
    # Both simulations measured 5,000 frames of 64x64: counts and shapes agree.
    assert not [name for name in where if name.endswith((".count", ".n_patterns", "diff3d.shape", ".crc32"))]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "it is empty"),
        (b"   ", "it is empty"),
        (b'{"datasets": [', "no JSON, or only a part of it"),
        (b"[]", "it holds a list"),
        (b"{}", "it has no 'datasets'"),
        (b"3", "it holds a int"),
        (b"\xff\xfe\xfa", "cannot be read"),
        (b'{"schema_version": 5, "datasets": []}', "upgrade it"),
        (b'{"schema_version": "1", "datasets": []}', "schema_version is '1'"),
        (b'{"schema_version": true, "datasets": []}', "schema_version is True"),
        (b'{"datasets": {}}', "datasets is a object; a list is expected"),
        (b'{"datasets": [3]}', "datasets[0] is a number"),
        (b'{"datasets": [{}]}', "datasets[0] has no filename"),
        (b'{"datasets": [{"filename": "a"}, {"filename": "a"}]}', "'a' twice"),
        (b'{"datasets": [{"filename": "a", "stats": []}]}', "datasets[0].stats is a list"),
        (b'{"datasets": [{"filename": "a", "stats": {"raw": {"min": []}}}]}', "raw.min holds a list"),
        (b'{"datasets": [{"filename": "a", "arrays": {"x": {"shape": 3}}}]}', "shape is a number"),
        (
            b'{"datasets": [{"filename": "a", "arrays": {"x": {"shape": ["3"]}}}]}',
            "shape[0] is a text; a whole number",
        ),
        (b'{"datasets": [], "metrics": {"mae": [1]}}', "metrics.mae is no pair"),
        (b'{"datasets": [], "metrics": {"mae": 1}}', "metrics.mae is a number"),
        (b'{"datasets": [], "checks": [{}]}', "checks[0] has no id"),
        (b'{"datasets": [], "datasets": []}', "'datasets' twice"),
        (b"[" * 100_000, "cannot be read"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    ],
)
def test_a_reference_that_is_none_is_an_error(tmp_path: Path, content: bytes, says: str, capsys: Capture) -> None:
    (tmp_path / "ref.json").write_bytes(content)
    reference = str(tmp_path / "ref.json")
    assert (
        main(["log", "--dataset-root", str(tmp_path), "--output", str(tmp_path / "o"), "--reference", reference]) == 1
    )
    assert says in capsys.readouterr().err
    assert not (tmp_path / "o" / "dose_parity_log.json").exists()
    assert main(["compare", reference, reference]) == UNREADABLE
    assert reference in capsys.readouterr().err


def test_a_missing_reference_is_an_error(tmp_path: Path, capsys: Capture) -> None:
    assert main(["log", "--output", str(tmp_path / "o"), "--reference", str(tmp_path / "none.json")]) == UNREADABLE
    assert "no such file" in capsys.readouterr().err


# --- how it is told ----------------------------------------------------------------------------


def test_raw_comes_first_then_the_worst_and_the_rows_are_capped_but_not_the_count(
    tmp_path: Path, record: Any, capsys: Capture
) -> None:
    other = copy.deepcopy(record)
    for number in range(3):
        for stage in ("raw", "normalized"):
            stats = other["datasets"][number]["stats"][stage]
            for key, value in stats.items():
                if isinstance(value, float) and value:
                    stats[key] = value * (1 + 1e-3 * len(key))
    raw(other, 2)["max"] *= 2
    _, outcome = told(tmp_path, capsys, record, other)
    distances = [difference["distance"] for difference in outcome["differences"]]
    stages = [difference["where"].partition(":")[2].partition(".")[0] for difference in outcome["differences"]]
    assert stages == sorted(stages, key=["raw", "normalized"].index)
    for stage in ("raw", "normalized"):
        of_stage = [distance for distance, name in zip(distances, stages, strict=True) if name == stage]
        assert of_stage == sorted(of_stage, reverse=True)
    assert outcome["differences"][0]["where"] == "data_p1e9.npz:raw.max"
    assert outcome["drifted"] == len(distances) > 20
    compare(tmp_path, record, other)
    lines = capsys.readouterr().out.splitlines()
    # Then comes the table of the datasets.
    assert lines[lines.index("") - 1] == f"... and {len(distances) - 20} more rows."
    assert lines[0].startswith(f"drift: {len(distances)} values differ")


def test_markdown_survives_hostile_names(tmp_path: Path, record: Any, capsys: Capture) -> None:
    from markdown_it import MarkdownIt

    other = copy.deepcopy(record)
    other["datasets"][0]["filename"] = "data_p1e3|<script>\n# x.npz"
    compare(tmp_path, record, other, "--format", "markdown")
    text = capsys.readouterr().out
    page = MarkdownIt("gfm-like").render(text)
    assert text.startswith("**drift**")
    assert "<script>" not in page
    assert "<h1>" not in page
    assert page.count("<table>") == 1
    assert len({row.count("<td>") for row in page.split("<tr>")[2:]}) == 1


def test_the_step_summary_of_a_ci_system(
    sweep: Path, tmp_path: Path, record: Any, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    raw(record, 1)["p99"] *= 1.001
    reference = write(tmp_path / "ref.json", record)
    summary = tmp_path / "summary.md"
    summary.write_text("# before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    params = ["--baseline-params", str(sweep / "params.dill")]
    log(sweep, tmp_path / "out", *params, "--scenario-id", "SIM", "--reference", reference)
    text = summary.read_text()
    assert text.startswith("# before\n### D0 parity: SIM\n\n**drift**: ")
    assert "| data_p1e5.npz:raw.p99 |" in text
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "none" / "summary.md"))
    capsys.readouterr()
    code, _ = log(sweep, tmp_path / "out", *params)
    assert code == UNREADABLE
    assert "step summary" in capsys.readouterr().err


def test_a_number_of_any_size_is_compared(tmp_path: Path, record: Any, capsys: Capture) -> None:
    other = copy.deepcopy(record)
    record["params"]["N"], other["params"]["N"] = 10**400, 10**400 + 1
    assert told(tmp_path, capsys, record, other)[0] == DRIFT
    assert told(tmp_path, capsys, record, copy.deepcopy(record))[0] == MATCH
    assert compare(tmp_path, record, other, "--threshold", "params.N:50%") in (MATCH, DRIFT)


def test_a_reference_is_read_as_python_numbers(tmp_path: Path, record: Any) -> None:
    values = values_of(read_log(write(tmp_path / "r.json", record)).log)
    assert math.isnan(values.whole["metrics.frc50.test"])  # type: ignore[arg-type]
    assert convert_for_json(values.whole["metrics.frc50.test"]) == "NaN"
    assert np.isclose(values.datasets["data_p1e3.npz"]["probe.l2_norm"], 1)  # type: ignore[arg-type]


# --- what a hostile reader found ---------------------------------------------------------------


@pytest.mark.parametrize("value", [None, True, "NaN", "text", "0" * 63])
def test_a_hash_that_is_none_makes_no_repacked_file(tmp_path: Path, record: Any, capsys: Capture, value: Any) -> None:
    other = copy.deepcopy(record)
    other["datasets"][0]["sha256"] = value
    assert told(tmp_path, capsys, other, record)[0] == DRIFT
    del other["datasets"][0]["sha256"], other["datasets"][0]["size_bytes"]
    code, outcome = told(tmp_path, capsys, other, record)
    assert code == DRIFT
    assert {"data_p1e3.npz:sha256", "data_p1e3.npz:size_bytes"} <= {row["where"] for row in outcome["differences"]}


def test_a_huge_integer_allows_nothing(tmp_path: Path, record: Any, capsys: Capture) -> None:
    other = copy.deepcopy(record)
    raw(other)["mean"] = 10**400
    assert told(tmp_path, capsys, other, record)[0] == DRIFT
    assert told(tmp_path, capsys, record, other)[0] == DRIFT


def test_a_text_that_says_missing_is_there(tmp_path: Path, record: Any, capsys: Capture) -> None:
    other = copy.deepcopy(record)
    record["params"]["label"] = "(missing)"
    del other["params"]["label"]
    assert told(tmp_path, capsys, other, record)[0] == DRIFT
    assert told(tmp_path, capsys, record, other)[0] == DRIFT


@pytest.mark.parametrize("factor", [1.1, 1.000_000_1])
def test_a_run_never_replaces_the_reference_that_it_differs_from(
    sweep: Path, tmp_path: Path, record: Any, factor: float, capsys: Capture
) -> None:
    raw(record)["mean"] *= factor
    (tmp_path / "out").mkdir()
    reference = write(tmp_path / "out" / "dose_parity_log.json", record)
    options = ["--dataset-root", str(sweep), "--baseline-params", str(sweep / "params.dill")]
    for _ in range(2):
        assert main(["log", *options, "--output", str(tmp_path / "out"), "--reference", reference]) == UNREADABLE
        assert "is the reference itself and is left as it was" in capsys.readouterr().err
    assert json.loads(Path(reference).read_text()) == record
    raw(record)["mean"] /= factor


def test_two_names_that_look_the_same_in_a_log(copied: Path, tmp_path: Path) -> None:
    import os

    data = (copied / "data_p1e5.npz").read_bytes()
    (copied / os.fsdecode(b"data_p1e7\xff.npz")).write_bytes(data)
    (copied / "data_p1e7\\xff.npz").write_bytes(data)
    code, content = log(copied, tmp_path / "out")
    assert code == UNREADABLE
    assert len(content["datasets"]) == 4
    assert "rename it" in content["problems"][0]["message"]


def test_a_dataset_that_was_asked_for_and_is_not_there_leaves_the_log_incomplete(
    sweep: Path, tmp_path: Path, record: Any
) -> None:
    reference = write(tmp_path / "ref.json", record)
    limit = ["--limit-datasets", "data_p1e3.npz,data_p1e4.npz"]
    params = ["--baseline-params", str(sweep / "params.dill")]
    code, content = log(sweep, tmp_path / "out", *params, *limit, "--reference", reference)
    assert (code, content["verdict"]) == (UNREADABLE, "incomplete")


def test_two_checks_of_one_id_are_no_log(tmp_path: Path, record: Any, capsys: Capture) -> None:
    check = {"id": "a", "dataset": None, "outcome": "passed", "values": {}}
    record["checks"] = [check, check]
    assert compare(tmp_path, record, record) == UNREADABLE
    assert "the check 'a' twice" in capsys.readouterr().err
    record["checks"] = None
    assert compare(tmp_path, record, record) == MATCH


# --- what a newcomer stumbled over -------------------------------------------------------------


def test_data_in_another_order_is_not_called_unmeasured(copied: Path, tmp_path: Path, capsys: Capture) -> None:
    log(copied, tmp_path / "before")
    path = copied / "data_p1e5.npz"
    with np.load(path) as npz:
        arrays = dict(npz)
    np.savez(path, **arrays | {"diff3d": arrays["diff3d"][::-1]})
    capsys.readouterr()
    log(copied, tmp_path / "after", "--reference", str(tmp_path / "before" / "dose_parity_log.json"))
    assert "1 of 3 datasets (data_p1e5.npz): the same frames in another order." in capsys.readouterr().out


def test_files_that_were_swapped_are_named(copied: Path, tmp_path: Path, capsys: Capture) -> None:
    log(copied, tmp_path / "before")
    (copied / "data_p1e5.npz").rename(copied / "x")
    (copied / "data_p1e3.npz").rename(copied / "data_p1e5.npz")
    (copied / "x").rename(copied / "data_p1e3.npz")
    capsys.readouterr()
    log(copied, tmp_path / "after", "--reference", str(tmp_path / "before" / "dose_parity_log.json"))
    out = capsys.readouterr().out
    assert "data_p1e3.npz and data_p1e5.npz are swapped. Next: rename these two files." in out


def test_a_file_that_cannot_be_read_does_not_start_in_raw(copied: Path, tmp_path: Path, capsys: Capture) -> None:
    log(copied, tmp_path / "before")
    (copied / "data_p1e5.npz").write_bytes(b"")
    capsys.readouterr()
    log(copied, tmp_path / "after", "--reference", str(tmp_path / "before" / "dose_parity_log.json"))
    assert "1 of 3 datasets (data_p1e5.npz): nothing in the file could be read here." in capsys.readouterr().out


def test_texts_that_look_like_numbers_are_quoted(tmp_path: Path, record: Any, capsys: Capture) -> None:
    other = copy.deepcopy(record)
    other["params"]["nepochs"] = "50"
    assert compare(tmp_path, record, other) == DRIFT
    assert re.search(r"params.nepochs +50 +\"50\" ", capsys.readouterr().out)


def test_a_threshold_for_what_is_left_out_is_no_mistake(sweep: Path, tmp_path: Path, record: Any) -> None:
    reference = write(tmp_path / "ref.json", record)
    options = ["--baseline-params", str(sweep / "params.dill"), "--limit-datasets", "data_p1e5.npz"]
    options += ["--reference", reference, "--threshold", "data_p1e3.npz:raw.p99:1"]
    assert log(sweep, tmp_path / "out", *options)[1]["problems"] == []


def test_the_scenario_of_the_reference_decides_about_thresholds(
    tmp_path: Path, record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.d0parity.scenarios.LOOSE.thresholds]\n"*" = {rel = 100.0}')
    monkeypatch.chdir(tmp_path)
    other = copy.deepcopy(record)
    raw(other)["mean"] *= 1.5
    other["metadata"]["scenario_id"] = "LOOSE"
    assert compare(tmp_path, record, other) == DRIFT
    record["metadata"]["scenario_id"] = "LOOSE"
    assert compare(tmp_path, record, other) == MATCH


def test_files_without_hashes_are_not_called_swapped(tmp_path: Path, record: Any, capsys: Capture) -> None:
    other = copy.deepcopy(record)
    record["datasets"][0]["sha256"] = None
    del record["datasets"][1]["sha256"], other["datasets"][0]["sha256"]
    found = told(tmp_path, capsys, record, other)[1]["findings"]
    assert not {"swapped_files", "renamed_file"} & {finding["proof"] for finding in found}
