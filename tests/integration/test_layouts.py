"""Sweeps as people keep them, through the command line."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_d0parity.cli import main
from pytest_d0parity.scenario.expression import find_doses
from pytest_d0parity.scenario.layout import LayoutError
from pytest_d0parity.simulator import LAYOUTS, simulate_sweep
from tests.support.command import LOG, d0parity, read_log
from tests.support.parity import run_session
from tests.support.patterns import amplitudes, counts, write

FRAMES = 48
DOSES = ["1e4", "1e6"]
Log = Callable[..., tuple[int, Any]]


@pytest.fixture
def log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Log:
    """Log a folder; gives the exit code, the log where there is one, and puts what was said under ``said``."""

    def run(root: Path, *options: Any) -> tuple[int, Any]:
        output = tmp_path / "log of it"
        capsys.readouterr()
        code = main(["log", "--dataset-root", str(root), "--output", str(output), "--no-cache", *map(str, options)])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        found = read_log(output) if (output / LOG).exists() else {}
        return code, {**found, "said": said.out + said.err}

    return run


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A sweep in each layout: the same photons, wherever positions and modes are the same."""
    folder = tmp_path_factory.mktemp("kept")
    for name in LAYOUTS:
        simulate_sweep(str(folder / name), DOSES, FRAMES, layout=name)
    return {name: folder / name for name in LAYOUTS}


@pytest.fixture(scope="module")
def logged(kept: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The log of each, of which nothing was told but which files are meant where no name tells a dose."""
    logs = {}
    for name, root in kept.items():
        output = tmp_path_factory.mktemp("logged")
        where = [] if LAYOUTS[name].names_tell_doses else ["--datasets", "**/*.npz"]
        assert main(["log", "-q", "--no-cache", "--dataset-root", str(root), "--output", str(output), *where]) == 0
        logs[name] = read_log(output)
    return logs


def problems(log: Any, *, where: str = "") -> list[str]:
    """The names of all problems that are not accepted."""
    found = [*log["problems"], *(each for dataset in log["datasets"] for each in dataset["problems"])]
    return sorted(each["name"] for each in found if not each["accepted"] and where in each["where"])


def warning(log: Any, name: str) -> str:
    (found,) = [each for dataset in log["datasets"] for each in dataset["problems"] if each["name"] == name]
    return str(found["message"])


# --- every layout, without a word of configuration -----------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_sweep_is_logged_as_it_is_kept(layout: str, kept: dict[str, Path], logged: dict[str, Any]) -> None:
    log, how = logged[layout], LAYOUTS[layout]
    assert problems(log) == []
    files = [path.relative_to(kept[layout]).as_posix() for path in kept[layout].rglob("*.npz")]
    assert [dataset["filename"] for dataset in log["datasets"]] == sorted(
        files, key=lambda name: next(i for i, dataset in enumerate(log["datasets"]) if dataset["filename"] == name)
    )
    assert len(files) == len(DOSES) * len(how.splits)
    doses = [dataset["dose"]["photons"] for dataset in log["datasets"]]
    assert doses == sorted(doses)
    for dataset in log["datasets"]:
        assert dataset["photons"]["domain"] == how.domain
        assert dataset["photons"]["ratio"] == pytest.approx(1, abs=0.02)
        with np.load(kept[layout] / dataset["filename"]) as arrays:
            patterns = arrays[how.patterns]
        assert dataset["roles"]["diff3d"] == how.patterns
        assert dataset["frames"]["count"] == patterns.size // (64 * 64)
        assert dataset["stats"]["raw"]["max"] == patterns.max()
        if how.domain == "intensity":
            assert dataset["photons"]["quantum"] == pytest.approx(how.gain, rel=1e-6)
            per_pattern = patterns.sum(dtype=float) / how.gain / dataset["frames"]["count"]
            assert dataset["photons"]["per_pattern"] == pytest.approx(per_pattern, rel=1e-6)


def frames_of(patterns: np.ndarray, axes: str) -> np.ndarray:
    """The frames of an array, (n, h, w)."""
    match axes:
        case "hwn":
            return np.moveaxis(patterns, -1, 0)
        case "1nhw":
            return patterns[0]
        case "bhwc":
            return np.moveaxis(patterns, -1, 1).reshape(-1, *patterns.shape[1:3])
        case _:
            return patterns


@pytest.mark.parametrize("layout", ["grouped", "trailing-axis", "frames-last", "leading-axis"])
def test_the_axes_make_no_difference(layout: str, kept: dict[str, Path], tmp_path: Path, log: Log) -> None:
    """What the same frames give as (n, h, w)."""
    how = LAYOUTS[layout]
    found = sorted(kept[layout].rglob("*.npz"))[0]
    with np.load(found) as arrays:
        patterns = arrays[how.patterns]
    write(tmp_path / "a" / "data_p1e4.npz", diff3d=patterns)
    write(tmp_path / "b" / "data_p1e4.npz", diff3d=np.ascontiguousarray(frames_of(patterns, how.axes)))
    one, other = ({**log(tmp_path / name)[1]["datasets"][0]} for name in "ab")
    assert one["frames"] == other["frames"]
    if layout == "frames-last":  # summed in the order of the file, which costs the last bits
        for stage in ("raw", "normalized", "grouped"):
            assert one["stats"][stage] == pytest.approx(other["stats"][stage], rel=1e-12)
        assert one["standard_errors"] == pytest.approx(other["standard_errors"], rel=1e-9)
        return
    for key in ("stats", "photons", "pattern", "standard_errors", "histograms"):
        assert one[key] == other[key], key


@pytest.mark.parametrize(
    ("layout", "unit", "source", "first"),
    [
        ("amplitude", "photons", "name", ("1e4", "1e4")),
        ("dose-ladder", "mean_count", "name", None),
        ("named-by-nphotons", "photons", "name", ("10000.0", "10000.0")),
        ("folders", "photons", "folder", ("10000", "10000")),
        ("trailing-axis", "photons", "metadata:physics_parameters.nphotons", ("10000", "10000")),
    ],
)
def test_who_tells_the_dose(
    layout: str, unit: str, source: str, first: tuple[str, str] | None, logged: dict[str, Any]
) -> None:
    dataset = logged[layout]["datasets"][0]
    assert (dataset["dose"]["unit"], dataset["dose"]["photons"]) == (unit, pytest.approx(1e4, rel=0.3))
    if first:
        assert (dataset["photon_dose"], dataset["dose"]["spelled"]) == first
        assert dataset["dose"]["source"] == source
    else:  # the metadata's mean count is what the name rounds
        product = float(dataset["dose"]["spelled"]) * 64 * 64
        assert float(dataset["photon_dose"]) == pytest.approx(product)


def test_pairs_are_pairs_and_say_what_they_share(logged: dict[str, Any]) -> None:
    log = logged["dose-ladder"]
    assert [(split["name"], split["datasets"]) for split in log["sweep"]] == [("test", 2), ("train", 2)]
    for split in log["sweep"]:
        assert split["arrays"]["xcoords"]["same"]
        assert split["arrays"]["probeGuess"]["same"]


def test_the_power_of_each_mode(kept: dict[str, Path], logged: dict[str, Any]) -> None:
    dataset = logged["probe-modes"]["datasets"][0]
    with np.load(kept["probe-modes"] / dataset["filename"]) as arrays:
        power = (np.abs(arrays["probeGuess"]) ** 2).sum(axis=(1, 2))
    assert dataset["probe"]["power_per_mode"] == pytest.approx(power.tolist(), rel=1e-6)


# --- what was told -------------------------------------------------------------------------------


def test_roles_that_were_told(tmp_path: Path, log: Log) -> None:
    write(tmp_path / "s" / "data_p1e4.npz", images=amplitudes(), lens=np.ones((16, 16), complex), other=np.zeros(3))
    code, without = log(tmp_path / "s")
    assert (code, problems(without)) == (1, ["unmeasured"])
    assert "images, lens, other" in without["said"]
    code, found = log(tmp_path / "s", "--array", "diff3d=images", "--array", "probeGuess=lens")
    assert (code, found["datasets"][0]["roles"]) == (0, {"diff3d": "images", "probeGuess": "lens"})
    assert found["metadata"]["layout"]["arrays"] == {"diff3d": "images", "probeGuess": "lens"}
    code, gone = log(tmp_path / "s", "--array", "diff3d=nothing")
    assert (code, problems(gone)) == (1, ["unmeasured"])
    assert "nothing" in gone["said"]
    assert "other" in gone["said"]  # what is there


def test_a_leading_slash_in_a_name_does_not_count(tmp_path: Path, log: Log) -> None:
    write(tmp_path / "s" / "data_p1e4.npz", **{"/diff3d": amplitudes(), "/probe": np.ones((16, 16), complex)})
    code, found = log(tmp_path / "s")
    assert (code, found["datasets"][0]["photons"]["per_pattern"]) == (0, pytest.approx(1e4, rel=0.01))


def test_a_table_of_doses(tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.npz", "b.npz", "c.npz"):
        write(tmp_path / "s" / name, diff3d=amplitudes())
    monkeypatch.chdir(tmp_path)
    table = '[tool.d0parity.scenarios.S]\ndatasets = ["*.npz"]\ndoses = {"*" = 1e4, "b.npz" = 2e4, "c.npz" = 10100}\n'
    Path("pyproject.toml").write_text(table)
    code, found = log(tmp_path / "s", "--scenario-id", "S")
    assert [dataset["dose"]["photons"] for dataset in found["datasets"]] == [1e4, 10100, 2e4]
    assert {dataset["dose"]["source"] for dataset in found["datasets"]} == {"doses"}
    assert problems(found) == ["mislabelled"]  # b holds half of it, and c lies within 5 %
    code, found = log(tmp_path / "s", "--scenario-id", "S", "--dose-tolerance", "60%")
    assert (code, problems(found)) == (0, [])
    Path("pyproject.toml").write_text(table.replace('"c.npz"', '"d.npz"'))
    code, found = log(tmp_path / "s", "--scenario-id", "S")
    assert code == 1
    assert "d.npz is in the table of doses" in found["said"]
    assert "a.npz, b.npz, c.npz" in found["said"]
    assert len(found["datasets"]) == 3  # nothing is lost


def test_a_dose_that_an_expression_finds(tmp_path: Path, log: Log) -> None:
    for name, photons in (("run-ten-thousand-1e4", 1e4), ("run-more-2e4", 2e4)):
        write(tmp_path / "s" / f"{name}.npz", diff3d=amplitudes(photons))
    options = ("--datasets", "run*.npz", r"--dose=-(?P<photons>\de\d)$|-(?P<x>\de\d)")
    code, found = log(tmp_path / "s", "--datasets", "run*.npz", r"--dose=-(?P<photons>\de\d)\.npz")
    assert (code, [dataset["photon_dose"] for dataset in found["datasets"]]) == (0, ["1e4", "2e4"])
    code, found = log(tmp_path / "s", *options)
    assert code == 0  # it finds nothing that has a group of that name, which is no problem, but said
    assert [dataset["photon_dose"] for dataset in found["datasets"]] == [None, None]
    assert "finds nothing in the name of 2 datasets; no dose is judged" in found["said"]
    code, found = log(tmp_path / "s", "--datasets", "run*.npz", "--dose", "metadata:nphotons")
    assert (code, problems(found)) == (0, [])
    assert "dose 'nphotons' finds nothing in the metadata of 2 datasets" in found["said"]
    code, found = log(tmp_path / "s", "--datasets", "run*.npz", "--dose", "none")
    assert (code, [dataset["photons"].get("expected") for dataset in found["datasets"]]) == (0, [None, None])


def test_an_expression_that_takes_for_ever_is_ended() -> None:
    with pytest.raises(LayoutError, match=r"is not found in the names within 0\.5 seconds: repeats within repeats"):
        find_doses(r"(?P<photons>(a+)+)$", ["a" * 60 + "b"], seconds=0.5)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--dose", r"\d+"), "needs one group, named photons (per pattern) or mean_count (per pixel), and has neither"),
        (("--dose", r"(?P<photons>\d)(?P<mean_count>\d)"), "and has both"),
        (("--dose", "("), "is no regular expression"),
        (("--dose", "metadata:"), "names no value"),
        (("--dose-tolerance", "nan"), "is no share"),
        (("--dose-tolerance", "-1%"), "expected one argument"),
        (("--dose-tolerance", "1e400"), "is no share"),
        (("--datasets", "../*.npz"), "is no glob below the dataset root"),
        (("--datasets", "/etc/*.npz"), "is no glob below the dataset root"),
        (("--array", "diff3d"), "is no ROLE=NAME"),
        (("--array", "lens=probe"), "roles are diff3d, probeGuess"),
        (("--array", "diff3d=a", "--array", "diff3d=b"), "the role diff3d is given twice: to a and to b"),
        (("--array", "diff3d=a", "--array", "probeGuess=a"), "the array a is given two roles"),
        (("--accept", "data_p1e4.npz"), "is no DATASET:NAME"),
        (("--accept", "*:unreadable"), "names of warnings are mislabelled"),
        (("--domain", "counts"), "invalid choice"),
        (("--axes", "last"), "invalid choice"),
    ],
)
def test_settings_that_cannot_be_followed_are_usage_errors(
    pair: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], why: str
) -> None:
    try:
        code = main(["log", "--dataset-root", str(pair), "--output", str(tmp_path / "out"), *options])
    except SystemExit as end:
        code = int(end.code or 0)
    said = capsys.readouterr().err
    assert (code, why in said) == (2, True), said
    assert not (tmp_path / "out").exists()


def test_an_expression_of_which_python_warns_is_used_in_silence(tmp_path: Path) -> None:
    write(tmp_path / "s" / "[1e4.npz", diff3d=amplitudes())
    options = ("--datasets", "*.npz", "--dose", r"[[a](?P<photons>\de\d)", "--output", tmp_path / "out")
    environment = os.environ | {"PYTHONWARNINGS": "error::FutureWarning"}
    done = d0parity("log", "--dataset-root", tmp_path / "s", "--no-cache", *options, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert read_log(tmp_path / "out")["datasets"][0]["photon_dose"] == "1e4"


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ('datasets = ["../*.npz"]', "is no glob below the dataset root"),
        ("datasets = []", "is no list of globs"),
        ('dose = "tmc(?P<dose>1)"', "needs one group"),
        ("dose_tolerance = true", "is no share"),
        ("dose_tolerance = -0.1", "is no share"),
        ('accept = ["saturated"]', "is no DATASET:NAME"),
        ('accept = ["*:unreadable"]', "names of warnings are mislabelled"),  # errors cannot be accepted
        ('arrays = {diff3d = "a", probeGuess = "a"}', "the array a is given two roles"),
        ("arrays = {diff3d = 3}", "is no table of roles and names"),
        ('domain = "counts"', "amplitude or intensity"),
        ('axes = "last"', "frames-first or frames-last"),
    ],
)
def test_mistakes_in_a_table_are_usage_errors_that_name_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, table: str, why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").write_text(f"[tool.d0parity.scenarios.S]\n{table}\n")
    assert main(["log", "--scenario-id", "S", "--output", "out"]) == 2
    said = capsys.readouterr().err
    assert why in said
    assert "pyproject.toml: tool.d0parity.scenarios.S" in said
    assert not Path("out").exists()


@pytest.mark.parametrize("dose", ["0", "-5.0", "nan", "inf", "1e400", "true", '"1e5"'])
def test_doses_of_a_table_are_positive_numbers(tmp_path: Path, pair: Path, dose: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f'[tool.d0parity.scenarios.S]\ndoses = {{"data_p1e4.npz" = {dose}}}\n')
    done = d0parity("log", "--scenario-id", "S", "--dataset-root", pair, "--output", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "pyproject.toml" in done.stderr
    assert "doses" in done.stderr


@pytest.mark.parametrize("text", ["0", "0e3", "1e400", "1e-400"])
def test_a_name_that_tells_no_dose(tmp_path: Path, log: Log, text: str) -> None:
    write(tmp_path / "s" / f"data_p{text}.npz", diff3d=amplitudes())
    code, found = log(tmp_path / "s")
    assert (code, found["datasets"][0]["photon_dose"], problems(found)) == (0, None, [])


# --- which files ---------------------------------------------------------------------------------


def test_globs_choose_files_and_nothing_else(tmp_path: Path, log: Log) -> None:
    root = tmp_path / "s"
    for name in ("a/x_1.npz", "a/y.npz", "b/x_2.npz", "b/deep/x_3.npz", "top.npz", ".hidden/x_4.npz"):
        write(root / name, diff3d=amplitudes())
    (root / "a" / "x_folder.npz").mkdir()
    (root / "c").symlink_to(root / "a")
    write(tmp_path / "outside.npz", diff3d=amplitudes())
    (root / "b" / "x_link.npz").symlink_to(tmp_path / "outside.npz")
    names = lambda found: [dataset["filename"] for dataset in found["datasets"]]  # noqa: E731
    code, found = log(root, "--datasets", "*/x_*.npz")
    assert names(found) == ["a/x_1.npz", "a/x_folder.npz", "b/x_2.npz", "b/x_link.npz"]
    assert (code, problems(found, where="x_folder")) == (1, ["unreadable"])  # of which the others lose nothing
    assert all(dataset["stats"] for dataset in found["datasets"] if "folder" not in dataset["filename"])
    assert names(log(root, "--datasets", "**/x_[0-9].npz")[1]) == ["a/x_1.npz", "b/deep/x_3.npz", "b/x_2.npz"]
    assert names(log(root, "--datasets", "top.npz", "--datasets", "b/**")[1])[:2] == ["b/deep/x_3.npz", "b/x_2.npz"]
    code, found = log(root, "--datasets", "*.npy")
    assert (code, "nothing in" in found["said"], "matches *.npy" in found["said"]) == (1, True, True)
    assert "7 NPZ files" in found["said"]  # and what is there


def test_names_below_the_root_can_be_chosen(tmp_path: Path, kept: dict[str, Path], log: Log) -> None:
    code, found = log(kept["folders"], "--limit-datasets", "dose_10000/patched_test.npz")
    assert (code, [each["filename"] for each in found["datasets"]]) == (0, ["dose_10000/patched_test.npz"])
    for wrong in ("patched_test.npz", "../x.npz", "dose_10000/../dose_10000/patched_test.npz"):
        code, found = log(kept["folders"], "--limit-datasets", wrong)
        assert code == 1
        assert "there is: dose_10000/patched_test.npz, dose_10000/patched_train.npz" in found["said"]


def test_files_that_are_left_aside_are_named(tmp_path: Path, log: Log) -> None:
    for name in ("data_p1e4.npz", "data_p1e4_train.npz", "notes.npz", "below/data_p1e5.npz"):
        write(tmp_path / "s" / name, diff3d=amplitudes())
    code, found = log(tmp_path / "s")
    assert (code, len(found["datasets"])) == (0, 2)
    assert "1 NPZ file left aside: notes.npz; --datasets GLOB says" in found["said"]


# --- what is looked at without a reference -------------------------------------------------------


def probed(**arrays: Any) -> dict[str, Any]:
    return {"diff3d": amplitudes(), **arrays}


def at_maximum(share: float) -> np.ndarray:
    values = counts(1e6)
    return np.minimum(values, np.quantile(values, 1 - share).astype(int))


CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing": (probed(), []),
    "other photons": (probed(diff3d=amplitudes(1.2e4)), ["mislabelled"]),
    "within the tolerance": (probed(diff3d=amplitudes(1.04e4)), []),
    "two dark frames of three": (
        probed(diff3d=counts(1e4, n=3) * np.array([0, 1, 0])[:, None, None]),
        ["empty_frames"],
    ),
    "NaN": (probed(diff3d=np.where(np.arange(40)[:, None, None] == 3, np.nan, amplitudes())), ["non_finite"]),
    "negative": (probed(diff3d=amplitudes() - np.float32(0.001)), ["negative"]),
    "the top of uint8": (probed(diff3d=np.minimum(counts(), 255).astype(np.uint8)), ["top_of_type"]),
    "saturated": (probed(diff3d=at_maximum(0.05)), ["mislabelled", "saturated"]),
    "a photon is the maximum": (probed(diff3d=np.minimum(counts(10.0), 1)), ["mislabelled"]),
    "an empty frame": (probed(diff3d=counts() * (np.arange(40) != 7)[:, None, None]), ["empty_frames"]),
    "a bright frame": (
        probed(diff3d=counts() * np.where(np.arange(40) == 7, 30, 1)[:, None, None]),
        ["bright_frames"],  # the mean is off by less than three of its standard errors
    ),
    "a scan index that is short": (probed(scan_index=np.zeros(39, int)), ["wrong_length"]),
    "a scan index of floats": (probed(scan_index=np.full(40, 0.5)), ["not_integral"]),
    "positions that are short": (probed(xcoords=np.zeros(41)), ["wrong_length"]),
    "two candidates": (probed(patterns=amplitudes(seed=1)), ["two_candidates"]),
    "one array twice": (probed(patterns=amplitudes()), []),
    "a flat object beside patches": (
        probed(objectGuess=np.ones((9, 9), complex), ground_truth_patches=np.arange(9.0)),
        ["constant_object"],
    ),
    "both flat": (probed(objectGuess=np.ones((9, 9), complex), ground_truth_patches=np.ones(9)), []),
    "nothing that is above zero": (probed(diff3d=np.zeros((4, 8, 8))), ["maximum_not_positive"]),
    "no values": (probed(diff3d=np.zeros((0, 8, 8))), ["empty"]),
    "metadata that are no JSON": (probed(_metadata=np.array("{")), ["metadata_unreadable"]),
    "counts, it says": (
        probed(diff3d=counts() * 0.5, _metadata=np.array('{"a": {"measurement_domain": "counts"}}')),
        ["gain"],
    ),
    "counts, rightly": (
        probed(diff3d=counts(), _metadata=np.array('{"a": {"measurement_domain": "counts"}}')),
        [],
    ),
    "metadata, a hundredfold": (probed(_metadata=np.array('{"nphotons": 1e6}')), ["dose_disagrees"]),
    "metadata that say the same": (probed(_metadata=np.array('{"nphotons": 1.02e4}')), []),
    "axes that nothing tells": (probed(diff3d=amplitudes()[:, :8]), ["axes_unclear", "mislabelled"]),
}


@pytest.mark.parametrize("case", CASES)
def test_what_looks_wrong_is_named(case: str, tmp_path: Path, log: Log) -> None:
    arrays, names = CASES[case]
    write(tmp_path / "s" / "data_p1e4.npz", **arrays)
    code, found = log(tmp_path / "s")
    assert (code, problems(found)) == (0, names), found["said"]
    accepted = [option for name in names for option in ("--accept", f"data_*.npz:{name}")]
    code, found = log(tmp_path / "s", *accepted)
    assert (code, problems(found)) == (0, [])
    assert found["said"].count("accepted warning") == len(names)


def test_a_probe_that_is_missing(tmp_path: Path, log: Log) -> None:
    write(tmp_path / "s" / "data_p1e4.npz", diff3d=amplitudes(), probe=np.ones((16, 16), complex))
    write(tmp_path / "s" / "data_p2e4.npz", diff3d=amplitudes(2e4))
    code, found = log(tmp_path / "s")
    assert (code, problems(found, where="data_p2e4.npz:probeGuess")) == (0, ["missing"])


def test_a_calibrated_probe_has_the_power_of_the_photons(tmp_path: Path, log: Log) -> None:
    metadata = np.array(json.dumps({"probe_gauge": "physical_calibrated"}))
    thing = 0.7 + 0.3 * np.random.default_rng(0).random((20, 20)) + 0j
    for name, power, names in (("right", 1.4e4, []), ("wrong", 1e3, ["probe_power"])):
        lens = np.full((16, 16), np.sqrt(power) / 16, complex)
        root = tmp_path / name
        write(root / "data_p1e4.npz", diff3d=counts(), probeGuess=lens, objectGuess=thing, _metadata=metadata)
        assert problems(log(root)[1]) == names


def test_two_spellings_of_one_dose(tmp_path: Path, log: Log) -> None:
    for name in ("data_p1e4.npz", "data_p1e04.npz"):
        write(tmp_path / "s" / name, diff3d=amplitudes())
    assert problems(log(tmp_path / "s")[1]) == ["two_spellings"]
    assert problems(log(tmp_path / "s", "--accept", "datasets:two_spellings")[1]) == []


def test_an_acceptance_that_fits_nothing_is_said(pair: Path, log: Log) -> None:
    code, found = log(pair, "--accept", "data_p1e4.npz:saturated")
    assert (code, problems(found)) == (0, ["accept_unused"])
    code, found = log(pair, "--accept", "data_p1e4.npz:saturated", "--limit-datasets", "data_p1e6.npz")
    assert (code, problems(found)) == (0, [])  # what it is about may be in the others


def test_domains_may_differ_within_a_sweep_and_can_be_told(tmp_path: Path, log: Log) -> None:
    write(tmp_path / "s" / "data_p1e4.npz", diff3d=amplitudes())
    write(tmp_path / "s" / "data_p1e6.npz", diff3d=counts(1e6))
    _, found = log(tmp_path / "s")
    assert [dataset["photons"]["domain"] for dataset in found["datasets"]] == ["amplitude", "intensity"]
    assert problems(found) == []
    _, found = log(tmp_path / "s", "--domain", "intensity")
    first, second = (dataset["photons"] for dataset in found["datasets"])
    assert (first["quantized"], second["quantized"]) == (False, True)


@pytest.mark.parametrize(
    ("make", "quantized"),
    [
        (lambda: counts().astype(">u2"), True),
        (lambda: counts(1e3).astype(np.int8), True),
        (lambda: counts(1e3).astype(np.float16), True),
        (lambda: amplitudes().astype(">f8"), True),
        (lambda: amplitudes() * np.exp(1j), True),
        (lambda: np.asfortranarray(counts()), True),
    ],
)
def test_any_type_is_counted(make: Callable[[], np.ndarray], quantized: bool, tmp_path: Path, log: Log) -> None:
    values = make()
    write(tmp_path / "s" / "data_p1e4.npz", diff3d=values)
    code, found = log(tmp_path / "s", "--dose", "none")
    photons = found["datasets"][0]["photons"]
    assert (code, photons["quantized"]) == (0, quantized)
    exact = np.abs(values).astype(float)
    total = (exact if photons["domain"] == "intensity" else exact**2).sum() / photons["quantum"] / len(values)
    assert photons["per_pattern"] == pytest.approx(total, rel=1e-6)


def test_integers_beyond_what_a_float_holds(tmp_path: Path, log: Log) -> None:
    values = counts() + (1 << 60)
    write(tmp_path / "s" / "a.npz", diff3d=values)
    code, found = log(tmp_path / "s", "--datasets", "a.npz")
    assert code == 0
    assert found["datasets"][0]["stats"]["raw"]["max"] == float(values.max())


def test_flags_are_no_patterns(tmp_path: Path, log: Log) -> None:
    write(tmp_path / "s" / "data_p1e4.npz", diff3d=counts() > 50)
    code, found = log(tmp_path / "s")
    assert code in (0, 1)
    assert found["datasets"][0]["arrays"]["diff3d"]["dtype"] == "bool"


def test_axes_that_were_told(tmp_path: Path, log: Log) -> None:
    write(tmp_path / "s" / "data_p1e4.npz", diff3d=amplitudes(n=16)[:, :8])
    _, found = log(tmp_path / "s", "--axes", "frames-last")
    assert found["datasets"][0]["frames"]["count"] == 16
    write(tmp_path / "t" / "data_p1e4.npz", diff3d=amplitudes(n=40), xcoords=np.arange(40.0))
    _, found = log(tmp_path / "t", "--axes", "frames-last")  # whoever says so is believed, and what it breaks is told
    assert found["datasets"][0]["frames"]["count"] == 16
    assert "wrong_length" in problems(found)


# --- names below the root, handed over -----------------------------------------------------------


def test_files_in_folders_are_handed_over(kept: dict[str, Path], tmp_path: Path) -> None:
    root = kept["folders"]
    assert d0parity("log", "--dataset-root", root, "--output", tmp_path / "out").returncode == 0
    sums = ["sha256sum", "-c", "--quiet", tmp_path / "out" / "SHA256SUMS"]
    assert subprocess.run(sums, cwd=root, check=False, capture_output=True).returncode == 0
    assert d0parity("verify", tmp_path / "out" / LOG, "--dataset-root", root, cwd=tmp_path).returncode == 0
    done = d0parity(
        "bundle", tmp_path / "out" / LOG, "--dataset-root", root, "--output", tmp_path / "bag.tar", cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    done = d0parity("verify", tmp_path / "bag.tar", "--measure", cwd=tmp_path)
    assert (done.returncode, "match: " in done.stdout) == (0, True), done.stdout + done.stderr


def test_arrays_that_were_renamed_are_the_same_by_their_values(tmp_path: Path, log: Log) -> None:
    lens = np.ones((16, 16), complex)
    write(tmp_path / "a" / "data_p1e4.npz", diff3d=amplitudes(), probeGuess=lens, xcoords=np.arange(40.0))
    write(tmp_path / "b" / "data_p1e4.npz", diffraction=amplitudes(), probe=lens, xcoords=np.arange(40.0))
    log(tmp_path / "a")
    reference = (tmp_path / "log of it" / LOG).rename(tmp_path / "reference.json")
    code, found = log(tmp_path / "b", "--reference", reference, "--compare", "statistics")
    assert (code, found["verdict"]) == (0, "within_thresholds")
    code, found = log(tmp_path / "b", "--reference", reference)
    assert (code, found["verdict"]) == (3, "drift")
    names = {each["where"].partition(":")[2] for each in found["drift"] if each["verdict"] == "drift"}
    assert {"arrays.diff3d.name", "arrays.probeGuess.name"} <= names


# --- the plugin ----------------------------------------------------------------------------------


def session(pytester: pytest.Pytester, root: Path, *options: str) -> tuple[pytest.RunResult, Any]:
    given = ["--parity-scenario=T", f"--parity-dataset-root={root}", "--parity-output=out", "--parity-no-cache"]
    result = run_session(pytester, *given, *options)
    return result, read_log(pytester.path / "out") if (pytester.path / "out" / LOG).exists() else {}


def test_the_checks_of_a_sweep_in_folders(pytester: pytest.Pytester, kept: dict[str, Path]) -> None:
    result, log = session(pytester, kept["folders"])
    assert result.ret == 0
    assert {check["outcome"] for check in log["checks"] if check.get("dataset")} == {"passed"}
    ids = [check["id"] for check in log["checks"]]
    assert "d0parity::test_stage[dose_10000/patched_train.npz-raw]" in ids
    result, log = session(pytester, kept["folders"], "d0parity::test_stage[dose_10000/patched_train.npz-raw]")
    result.assert_outcomes(passed=1)


def test_no_check_is_about_what_a_sweep_does_not_have(pytester: pytest.Pytester, tmp_path: Path) -> None:
    write(tmp_path / "s" / "data_p1e4.npz", diff3d=amplitudes())
    result, log = session(pytester, tmp_path / "s")
    assert result.ret == 0
    assert {check["outcome"] for check in log["checks"] if check.get("dataset")} == {"passed"}
    assert not [check for check in log["checks"] if "test_probe" in check["id"]]


def test_a_dose_that_was_not_counted_has_not_passed(pytester: pytest.Pytester, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).random((40, 16, 16))
    write(tmp_path / "s" / "data_p1e4.npz", diff3d=noise)
    result, log = session(pytester, tmp_path / "s", "-rs")
    outcomes = {check["id"]: check["outcome"] for check in log["checks"]}
    assert outcomes["d0parity::test_photon_dose[data_p1e4.npz]"] == "skipped"
    result.stdout.fnmatch_lines(["SKIPPED*no photons can be counted in it*"])


@pytest.mark.parametrize(
    ("case", "check"),
    [
        ("other photons", "photon_dose[data_p1e4.npz]"),
        ("metadata, a hundredfold", "photon_dose[data_p1e4.npz]"),
        ("saturated", "stage[data_p1e4.npz-raw]"),
        ("negative", "stage[data_p1e4.npz-raw]"),
        ("axes that nothing tells", "stage[data_p1e4.npz-raw]"),
        ("a scan index of floats", "stage[data_p1e4.npz-grouped]"),
        ("positions that are short", "arrays[data_p1e4.npz]"),
        ("a flat object beside patches", "arrays[data_p1e4.npz]"),
        ("metadata that are no JSON", "arrays[data_p1e4.npz]"),
    ],
)
def test_a_warning_fails_the_check_that_it_belongs_to(
    case: str, check: str, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    arrays, names = CASES[case]
    write(tmp_path / "s" / "data_p1e4.npz", **arrays)
    result, log = session(pytester, tmp_path / "s")
    failed = {each["id"] for each in log["checks"] if each["outcome"] == "failed"}
    assert result.ret == 1
    assert f"d0parity::test_{check}" in failed
    beside = {"d0parity::test_stage[data_p1e4.npz-normalized]"} if check.endswith("raw]") else set()
    assert len(failed - beside) == len(names)
    accepted = [f"--parity-accept=*:{name}" for name in names]
    result, log = session(pytester, tmp_path / "s", *accepted)
    assert (result.ret, problems(log)) == (0, [])


def test_the_plugin_takes_what_the_command_line_takes(pytester: pytest.Pytester, tmp_path: Path) -> None:
    write(tmp_path / "s" / "a" / "run-1e4.npz", images=amplitudes(n=16)[:, :8], lens=np.ones((16, 16), complex))
    result, log = session(
        pytester,
        tmp_path / "s",
        "--parity-datasets=*/run-*.npz",
        r"--parity-dose=-(?P<photons>\de\d)",
        "--parity-array=diff3d=images",
        "--parity-array=probeGuess=lens",
        "--parity-axes=frames-last",
        "--parity-domain=amplitude",
        "--parity-dose-tolerance=60%",
        "--parity-measure-all",
    )
    assert result.ret == 0
    assert log["metadata"]["layout"] == {
        "datasets": ["*/run-*.npz"],
        "dose": r"-(?P<photons>\de\d)",
        "doses": {},
        "dose_tolerance": 0.6,
        "accept": [],
        "arrays": {"diff3d": "images", "probeGuess": "lens"},
        "domain": "amplitude",
        "axes": "frames-last",
        "measure_all": True,
    }
    for wrong, why in (
        ("--parity-datasets=../*.npz", "is no glob below the dataset root"),
        ("--parity-dose=\\d+", "needs one group"),
        ("--parity-accept=saturated", "is no DATASET:NAME"),
        ("--parity-array=diff3d", "is no ROLE=NAME"),
        ("--parity-dose-tolerance=nan", "is no share"),
    ):
        result, _ = session(pytester, tmp_path / "s", wrong)
        assert result.ret == 4
        result.stderr.fnmatch_lines([f"ERROR: *{why}*"])


def test_what_a_table_accepts_fails_nothing_and_what_fits_nothing_is_said(
    pytester: pytest.Pytester, tmp_path: Path
) -> None:
    for dose in ("1e3", "1e4"):
        write(tmp_path / "s" / f"dose_{dose}" / "run.npz", diff3d=at_maximum(0.05))
    pytester.makepyprojecttoml(
        '[tool.d0parity.scenarios.T]\naccept = ["dose_1e3/*:saturated", "*:mislabelled", "*:negative"]\n'
    )
    result, log = session(pytester, tmp_path / "s")
    failed = {each["id"] for each in log["checks"] if each["outcome"] == "failed"}
    assert failed == {f"d0parity::test_stage[dose_1e4/run.npz-{stage}]" for stage in ("raw", "normalized")} & failed
    assert "d0parity::test_stage[dose_1e4/run.npz-raw]" in failed
    assert sorted(problems(log)) == ["accept_unused", "saturated"]
    result.stdout.fnmatch_lines(["*[*]:negative fits no warning of this run*"])

    # Of a part of the sweep nothing is said to be unused; and the option adds to, or takes the place of, the table.
    limited = ("--parity-limit-datasets=dose_1e3/run.npz",)
    result, log = session(pytester, tmp_path / "s", *limited)
    assert (result.ret, problems(log)) == (0, [])
    assert [dataset["filename"] for dataset in log["datasets"]] == ["dose_1e3/run.npz"]
    result, log = session(pytester, tmp_path / "s", "--parity-accept=*:saturated", "--parity-accept=*:mislabelled")
    assert (result.ret, problems(log)) == (0, [])


def test_an_array_is_loaded_by_its_role(pytester: pytest.Pytester, tmp_path: Path) -> None:
    write(tmp_path / "s" / "data_p1e4.npz", diffraction=amplitudes(), extra=np.arange(3))
    pytester.makepyfile(
        """
        def test_it(parity_dataset):
            assert parity_dataset.load("diff3d").shape == (40, 16, 16)
            assert parity_dataset.load("diffraction").shape == (40, 16, 16)
            assert parity_dataset.load("extra").tolist() == [0, 1, 2]
            assert parity_dataset.roles == {"diff3d": "diffraction"}
        """
    )
    result, _ = session(pytester, tmp_path / "s", "-k", "test_it")
    assert result.parseoutcomes()["passed"] == 1
