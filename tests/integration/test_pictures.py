"""``pictures.npz``: what the page shows and a log cannot hold, and what the page makes of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_d0parity.cli import main
from pytest_d0parity.reports.page.alignment import align
from pytest_d0parity.reports.page.pattern_views import radial_profile
from tests.support.command import LOG

PAGE, PICTURES = "dose_parity_report.html", "pictures.npz"


def record(root: Path, output: Path, *options: str) -> int:
    return main(["log", "--dataset-root", str(root), "--output", str(output), "-q", *options])


def kept(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / PICTURES, allow_pickle=False) as archive:
        return dict(archive)


def datasets(folder: Path) -> dict[str, Any]:
    return {each["filename"]: each for each in json.loads((folder / LOG).read_bytes())["datasets"]}


def test_the_mean_pattern_and_the_photons_of_each_frame(pair: Path, tmp_path: Path) -> None:
    assert record(pair, tmp_path / "out") == 0
    arrays = kept(tmp_path / "out")
    for name, dataset in datasets(tmp_path / "out").items():
        with np.load(pair / name) as npz:
            diff3d = npz["diff3d"].astype(np.float64)
            positions = npz["xcoords"]
        pattern = arrays[f"pattern-{dataset['sha256']}-1"]
        np.testing.assert_allclose(pattern, diff3d.mean(axis=0), rtol=1e-6)
        photons = (diff3d**2).sum(axis=(1, 2)) / dataset["photons"]["quantum"]
        np.testing.assert_allclose(arrays[f"frames-{dataset['sha256']}-1"], photons, rtol=1e-6)
        info = dataset["arrays"]["xcoords"]
        np.testing.assert_array_equal(arrays[f"xcoords-{info['crc32']}-{info['size_bytes']}"], positions)


@pytest.mark.parametrize("fortran", [False, True])
def test_large_frames_are_binned(tmp_path: Path, fortran: bool) -> None:
    """More than 2^21 values in the sample, of frames that are no square, and whose sides are no multiple."""
    (tmp_path / "sweep").mkdir()
    rng = np.random.default_rng(0)
    diff3d = rng.poisson(3, (60, 200, 190)).astype(np.uint16)
    np.savez(tmp_path / "sweep" / "data_p1e5.npz", diff3d=np.asfortranarray(diff3d) if fortran else diff3d)
    record(tmp_path / "sweep", tmp_path / "out")
    ((name, pattern),) = [each for each in kept(tmp_path / "out").items() if each[0].startswith("pattern-")]
    assert (name.rpartition("-")[2], pattern.shape) == ("2", (100, 95))
    expected = diff3d.mean(axis=0).reshape(100, 2, 95, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(pattern, expected, rtol=1e-6)


def test_a_known_sweep_has_the_same_pictures(pair: Path, tmp_path: Path) -> None:
    for output in ("one", "two"):
        assert record(pair, tmp_path / output) == 0
    log = json.loads((tmp_path / "two" / LOG).read_bytes())
    assert len(log["metadata"]["from_cache"]) == 2
    one, two = kept(tmp_path / "one"), kept(tmp_path / "two")
    assert one.keys() == two.keys()
    assert all(np.array_equal(one[name], two[name]) for name in one.keys() - {"log_sha256"})


def test_an_array_under_another_name_is_shown(pair: Path, tmp_path: Path) -> None:
    (tmp_path / "sweep").mkdir()
    with np.load(pair / "data_p1e4.npz") as npz:
        members = dict(npz)
    members["probe"] = members.pop("probeGuess")
    np.savez(tmp_path / "sweep" / "data_p1e4.npz", **members)
    assert record(tmp_path / "sweep", tmp_path / "out") == 0
    (name,) = [name for name in kept(tmp_path / "out") if name.startswith("probeGuess-")]
    np.testing.assert_array_equal(kept(tmp_path / "out")[name], members["probe"])


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    (tmp_path / "sweep").mkdir()
    frames = np.random.default_rng(0).poisson(3, (40, 16, 16)).astype(np.uint16)
    large = np.zeros((1500, 1500), np.complex64)  # 18 MB
    np.savez_compressed(tmp_path / "sweep" / "data_p1e3.npz", diff3d=frames, objectGuess=large)
    record(tmp_path / "sweep", tmp_path / "out")
    assert not [name for name in kept(tmp_path / "out") if name.startswith("objectGuess")]


def test_the_page_shows_patterns_positions_and_what_is_left_of_a_probe(pair: Path, tmp_path: Path) -> None:
    shutil.copytree(pair, tmp_path / "sweep")
    with np.load(tmp_path / "sweep" / "data_p1e4.npz") as npz:
        members = dict(npz)
    members["probeGuess"] = np.roll(members["probeGuess"], (2, -3), (0, 1)) * 1.5j
    members["xcoords"] = members["xcoords"] + 0.25
    np.savez(tmp_path / "sweep" / "data_p1e4.npz", **members)
    assert record(pair, tmp_path / "reference") == 0
    assert record(tmp_path / "sweep", tmp_path / "out", "--reference", str(tmp_path / "reference" / LOG)) == 3
    page = (tmp_path / "out" / PAGE).read_text(encoding="utf-8")
    assert "Once a shift by (2, -3) pixels, a factor of 1.5000 and a phase of +1.571 rad are taken out" in page
    assert "Displacement from the reference&#39;s: 0.25 on average, 0.25 at most." in page
    assert "The positions are the reference&#39;s." in page
    assert page.count("photons per frame, over the scan") >= 2
    assert 'aria-label="difference of the patterns of data_p1e4.npz' in page
    for part in ("ladder", "patterns", "positions", "probe", "object", "datasets"):
        assert f'<section id="{part}">' in page
    assert 'href="pictures.npz"' in page


def test_runs_side_by_side(pair: Path, tmp_path: Path) -> None:
    shutil.copytree(pair, tmp_path / "sweep")
    with np.load(tmp_path / "sweep" / "data_p1e4.npz") as npz:
        members = dict(npz)
    for number in range(3):
        np.savez(tmp_path / "sweep" / "data_p1e4.npz", **members | {"diff3d": members["diff3d"] * (1 + number)})
        assert record(tmp_path / "sweep", tmp_path / f"run{number}") == 0
    logs = [str(tmp_path / f"run{number}" / LOG) for number in (2, 0, 1)]
    assert main(["report", *logs]) == 2
    assert main(["report", *logs, "--output", str(tmp_path / "page")]) == 0
    page = (tmp_path / "page" / PAGE).read_text(encoding="utf-8")
    times = [json.loads((tmp_path / f"run{n}" / LOG).read_bytes())["metadata"]["timestamp"][:19] for n in range(3)]
    places = [page.index(f"{number}: {time}") for number, time in enumerate(times, 1)]
    assert places == sorted(places)
    assert "data_p1e4.npz:raw.mean over run, from " in page
    assert main(["report", logs[0]]) == 0
    assert "Runs side by side" not in (tmp_path / "run2" / PAGE).read_text(encoding="utf-8")


def test_a_reference_keeps_its_pictures(pair: Path, tmp_path: Path, pytester: pytest.Pytester) -> None:
    options = ["--parity-scenario=T", f"--parity-dataset-root={pair}", "--parity-output=out"]
    result = pytester.runpytest_subprocess(*options, "--parity-reference=reference.json", "--parity-update-reference")
    assert result.ret == 0
    beside = kept_named(pytester.path / "reference.pictures.npz")
    assert {name.partition("-")[0] for name in beside} >= {"pattern", "frames", "probeGuess", "xcoords", "log_sha256"}
    sums = (pytester.path / "reference.SHA256SUMS").read_text()
    assert [line.split()[1] for line in sums.splitlines()] == ["data_p1e4.npz", "data_p1e6.npz"]
    result = pytester.runpytest_subprocess(*options, "--parity-reference=reference.json")
    assert result.ret == 0
    page = (pytester.path / "out" / PAGE).read_text(encoding="utf-8")
    assert page.count('<p class="whose">run minus reference</p>') == 2
    # One dataset alone is updated; what is kept of the other stays.
    options.append("--parity-limit-datasets=data_p1e4.npz")
    result = pytester.runpytest_subprocess(*options, "--parity-reference=reference.json", "--parity-update-reference")
    assert kept_named(pytester.path / "reference.pictures.npz").keys() == beside.keys()


def kept_named(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


def test_probes_are_laid_upon_each_other() -> None:
    rng = np.random.default_rng(3)
    before = rng.normal(size=(24, 31)) + 1j * rng.normal(size=(24, 31))
    for rows, columns in ((0, 0), (5, -7), (-11, 15)):
        after = np.roll(before, (rows, columns), (0, 1)) * 0.7 * np.exp(0.4j) * 1e200
        found = align(after, before)
        assert found is not None
        assert (found.shift, found.left < 1e-20) == ((rows, columns), True)
        assert (found.factor, found.phase) == (pytest.approx(0.7e200), pytest.approx(0.4))
    assert align(np.zeros((3, 3), complex), np.ones((3, 3), complex)) is None
    assert align(np.ones((3, 3), complex), np.zeros((3, 3), complex)) is None


def test_the_radial_profile_is_the_mean_over_rings() -> None:
    pattern = np.zeros((9, 9), np.float32)
    rows, columns = np.indices(pattern.shape)
    radius = np.rint(np.hypot(rows - 4, columns - 4))
    pattern[:] = radius * 10
    np.testing.assert_array_equal(radial_profile(pattern), [0, 10, 20, 30, 40])
