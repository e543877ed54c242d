"""The page without a browser: who writes it, from what, and what its pictures hold; the table at the terminal."""

from __future__ import annotations

import base64
import contextlib
import copy
import dataclasses
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import zlib
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from pytest_d0parity.cli import main
from pytest_d0parity.evidence.drift import Difference, Reference
from pytest_d0parity.evidence.model import EvidenceLog
from pytest_d0parity.evidence.pictures import Pictures, collect_pictures, read_pictures
from pytest_d0parity.reports.outcome import outcome_of
from pytest_d0parity.reports.page.drawing.colors import cyclic, sequential
from pytest_d0parity.reports.page.render import to_html
from pytest_d0parity.reports.page.shown_log import ShownLog
from pytest_d0parity.util.text import valid_utf8
from tests.support.command import COMMAND, LOG, d0parity
from tests.support.logs import renamed
from tests.support.parity import PAGE, PICTURES, Parity


@pytest.fixture(scope="module")
def logs(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with its page and probes, and one that was compared with it."""
    folder = tmp_path_factory.mktemp("logs")
    common = ("log", "--dataset-root", sweep, "--baseline-params", sweep / "params.dill")
    assert d0parity(*common, "--output", "ours", cwd=folder).returncode == 0
    assert d0parity(*common, "--output", "theirs", "--reference", f"ours/{LOG}", cwd=folder).returncode == 0
    return folder


@pytest.fixture
def alone(logs: Path, tmp_path: Path) -> Path:
    """The log and its probes, and nothing else."""
    folder = tmp_path / "alone"
    folder.mkdir()
    for name in (LOG, PICTURES):
        shutil.copy(logs / "ours" / name, folder)
    return folder


def edited(folder: Path, edit: Any) -> None:
    content = json.loads((folder / LOG).read_text(encoding="utf-8"))
    edit(content)
    (folder / LOG).write_text(json.dumps(content), encoding="utf-8")


# --- from logs alone ---------------------------------------------------------------------------


def test_the_page_from_the_log_is_the_page_beside_it(logs: Path, alone: Path) -> None:
    done = d0parity("report", alone / LOG)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"Look at {alone / PAGE}.\n", "")
    assert (alone / PAGE).read_bytes() == (logs / "ours" / PAGE).read_bytes()


def test_the_page_of_a_comparison_is_made_again(logs: Path, tmp_path: Path) -> None:
    shutil.copytree(logs, tmp_path / "logs")
    before = (logs / "theirs" / PAGE).read_text(encoding="utf-8")
    done = d0parity("report", f"theirs/{LOG}", "--reference", f"ours/{LOG}", cwd=tmp_path / "logs")
    assert done.returncode == 0
    assert (tmp_path / "logs" / "theirs" / PAGE).read_text(encoding="utf-8") == before
    assert "The reference's has the same CRC-32 and length." in unescape(before)


def test_a_compiled_template_is_kept_and_a_damaged_one_made_again(alone: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path / "bytecode")

    def page(output: str) -> bytes:
        done = d0parity("report", alone / LOG, "--output", tmp_path / output, env=environment)
        assert (done.returncode, done.stderr) == (0, "")
        return (tmp_path / output / PAGE).read_bytes()

    first = page("1")
    (kept,) = (tmp_path / "bytecode").rglob("*.cache")
    good = kept.read_bytes()
    assert page("2") == first
    assert kept.read_bytes() == good
    for damaged in (b"", good[: len(good) // 2], b"x" * len(good)):
        kept.write_bytes(damaged)
        assert page("3") == first
    kept.unlink()
    assert d0parity("report", alone / LOG, env=environment | {"PYTHONDONTWRITEBYTECODE": "1"}).returncode == 0
    assert not kept.exists()


def test_it_compares_anew_and_drift_is_an_exit_code(logs: Path, alone: Path, tmp_path: Path) -> None:
    def move(content: Any) -> None:
        content["datasets"][1]["stats"]["raw"]["mean"] *= 1.5

    edited(alone, move)
    options = ("--reference", logs / "ours" / LOG, "--output", tmp_path / "out")
    assert d0parity("report", alone / LOG, *options).returncode == 3
    page = (tmp_path / "out" / PAGE).read_text(encoding="utf-8")
    assert "1 of 3 datasets (data_p1e5.npz): the bytes are the reference's, and the values are not" in unescape(page)
    assert not (alone / PAGE).exists()
    assert d0parity("report", alone / LOG, *options, "--threshold", "raw.mean:1").returncode == 0
    assert "within thresholds" in (tmp_path / "out" / PAGE).read_text(encoding="utf-8")
    assert d0parity("report", alone / LOG, "--threshold", "raw.mean:1").returncode == 2


@pytest.mark.parametrize("which", ["log", "reference"])
@pytest.mark.parametrize(
    ("content", "message"), [(None, "there is no such file"), ("{", "is no JSON"), ("[]", "it holds a list")]
)
def test_what_is_no_log(logs: Path, tmp_path: Path, which: str, content: str | None, message: str) -> None:
    bad = tmp_path / "bad.json"
    if content is not None:
        bad.write_text(content)
    good = logs / "ours" / LOG
    paths = [bad] if which == "log" else [good, "--reference", bad]
    done = d0parity("report", *paths, "--output", tmp_path / "out")
    assert done.returncode == 1
    assert message in done.stderr
    assert "bad.json" in done.stderr
    assert not (tmp_path / "out" / PAGE).exists()


def test_an_older_log_has_a_page(logs: Path, alone: Path) -> None:
    """Version 1 knew no histograms and no scans, and nobody kept probes."""

    def make_older(content: Any) -> None:
        content["schema_version"] = 1
        for dataset in content["datasets"]:
            del dataset["histograms"], dataset["scans"]

    edited(alone, make_older)
    (alone / PICTURES).unlink()
    done = d0parity("report", alone / LOG)
    assert (done.returncode, done.stderr) == (0, "")
    page = unescape((alone / PAGE).read_text(encoding="utf-8"))
    assert page.count("The log holds no histogram of it.") == 3
    assert f"There is no picture of it. {PICTURES} cannot be read: there is no such file" in page


def test_a_real_older_log_has_a_page(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    shared = request.config.rootpath.parent / "shared" / "reference"
    found = sorted(shared.glob(f"*/**/{LOG}"))
    if not found:
        pytest.skip(f"the older log is not here (looked in {shared})")
    done = d0parity("report", found[0], "--output", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "The dose ladder" in (tmp_path / PAGE).read_text(encoding="utf-8")


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_probes_that_cannot_be_read_cost_their_pictures_only(alone: Path, content: bytes | None) -> None:
    if content is None:
        damaged = bytearray((alone / PICTURES).read_bytes())
        damaged[1000] ^= 1
        content = bytes(damaged)
    (alone / PICTURES).write_bytes(content)
    done = d0parity("report", alone / LOG)
    assert (done.returncode, done.stderr) == (0, "")
    page = (alone / PAGE).read_text(encoding="utf-8")
    assert f"{PICTURES} cannot be read: " in page
    assert "The dose ladder" in page


def test_an_output_that_cannot_be_written(alone: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    done = d0parity("report", alone / LOG, "--output", tmp_path / "file")
    assert (done.returncode, "is a file" in done.stderr) == (1, True)


# --- the pictures, against NumPy -----------------------------------------------------------------


def pictures(page: str) -> list[np.ndarray]:
    found = re.findall(r"data:image/png;base64,([^\"]+)", page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(each))).convert("RGB")) for each in found]


def test_amplitude_and_phase_are_those_of_the_probe(logs: Path, sweep: Path) -> None:
    page = (logs / "ours" / PAGE).read_text(encoding="utf-8")
    amplitude, phase = pictures(page[page.index('<section id="probe">') : page.index('<section id="object">')])
    with np.load(sweep / "data_p1e5.npz") as arrays:
        probe = arrays["probeGuess"]
    share = np.abs(probe) / np.abs(probe).max()
    assert np.abs(amplitude - sequential()[np.rint(255 * share).astype(int)]).max() <= 5  # one of 256 steps
    turn = (np.angle(probe) + np.pi) / (2 * np.pi)
    colors = cyclic()[np.floor(256 * turn).astype(int) % 256]
    weighted = colors * share[..., None] + 128 * (1 - share[..., None])
    assert np.abs(phase - weighted).max() <= 3


def test_the_difference_of_two_probes(log: EvidenceLog) -> None:
    """Twice as strong and turned by a right angle."""
    y, x = np.mgrid[-1:1:16j, -1:1:16j]
    before = np.exp(-4 * (x**2 + y**2)) + 0j
    after = 2j * before
    dataset = log.datasets[0]
    info = dataclasses.replace(dataset.arrays["probeGuess"], crc32="00000001")
    moved = dataclasses.replace(dataset, arrays={**dataset.arrays, "probeGuess": info})
    run = dataclasses.replace(log, datasets=(moved,))
    trusted = dataclasses.replace(log, datasets=(dataset,))
    name = f"{dataset.arrays['probeGuess'].crc32}-{info.size_bytes}"
    page = to_html(
        ShownLog(run, Pictures({f"probeGuess-00000001-{info.size_bytes}": after})),
        ShownLog(trusted, Pictures({f"probeGuess-{name}": before})),
        outcome_of(run),
    )
    ours, _, theirs, _, magnitude, turned, left = pictures(page)
    strongest = np.abs(before).argmax()
    for picture, value in ((ours, 255), (theirs, 128), (magnitude, 255)):  # the first two on one scale
        assert picture.reshape(-1, 3)[strongest] == pytest.approx(sequential()[value], abs=3)
    assert turned.reshape(-1, 3)[strongest] == pytest.approx(cyclic()[192], abs=3)  # a quarter of a turn more
    assert f"up to {np.abs(after - before).max():.4g}" in page
    assert "Once a factor of 2.0000 and a phase of +1.571 rad are taken out, 0 % of the power differ." in page
    assert (left.reshape(-1, 3) == sequential()[0]).all()


@pytest.mark.parametrize(
    ("probe", "told"),
    [
        (np.ones((3, 8, 8)) + 0j, "The first of 3 modes."),
        (np.ones(5), "1 by 5 pixels"),
        (np.full((4, 4), np.nan + 0j), "16 of 16 values are not finite, and drawn as zero."),
        (np.zeros((2, 2), complex), "up to 0"),
        (np.ones((700, 300)) + 0j, "700 by 300 pixels"),
        (np.full((4, 4), 1.5e308 + 1.5e308j), "16 of 16 values are not finite, and drawn as zero."),
        (np.empty((0, 4), complex), "There is no picture of it. It is empty."),
    ],
)
def test_any_probe(log: EvidenceLog, probe: np.ndarray, told: str) -> None:
    info = log.datasets[0].arrays["probeGuess"]
    page = to_html(
        ShownLog(log, Pictures({f"probeGuess-{info.crc32}-{info.size_bytes}": probe})), None, outcome_of(log)
    )
    assert told in unescape(page)
    assert all(max(picture.shape) <= 256 for picture in pictures(page))


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        (np.ones((3, 4, 4)), np.concatenate([np.ones((1, 4, 4)), np.zeros((2, 4, 4))]), "in modes that are not shown"),
        (np.ones((4, 4)), np.ones((3, 4, 4)), "another shape: 3x4x4, and 4x4 here"),
        (np.ones((1, 8)), np.ones((8, 1)), "another shape: 8x1, and 1x8 here"),
        (np.ones((2, 2)), np.array([[1, np.inf], [1, 1]]), "Of the reference: 1 of 4 values are not finite"),
    ],
)
def test_what_the_pictures_of_two_probes_do_not_show_is_said(
    log: EvidenceLog, ours: np.ndarray, theirs: np.ndarray, told: str
) -> None:
    dataset = log.datasets[0]
    info = dataset.arrays["probeGuess"]
    other = dataclasses.replace(info, crc32="00000001")
    trusted = dataclasses.replace(
        log, datasets=(dataclasses.replace(dataset, arrays={**dataset.arrays, "probeGuess": other}),)
    )
    page = to_html(
        ShownLog(
            dataclasses.replace(log, datasets=(dataset,)),
            Pictures({f"probeGuess-{info.crc32}-{info.size_bytes}": ours + 0j}),
        ),
        ShownLog(trusted, Pictures({f"probeGuess-00000001-{info.size_bytes}": theirs + 0j})),
        outcome_of(log),
    )
    assert told in unescape(page)


def test_no_green_where_something_could_not_be_read(sweep: Path, tmp_path: Path) -> None:
    """Both sides have the same damage, and every value that there is agrees."""
    shutil.copytree(sweep, tmp_path / "sweep")
    path = tmp_path / "sweep" / "data_p1e5.npz"
    path.write_bytes(path.read_bytes()[:-5000] + bytes(5000))
    common = ("log", "--dataset-root", tmp_path / "sweep", "--output")
    d0parity(*common, tmp_path / "a")
    assert d0parity(*common, tmp_path / "b", "--reference", tmp_path / "a" / LOG).returncode == 1
    page = unescape((tmp_path / "b" / PAGE).read_text(encoding="utf-8"))
    assert '<div class="verdict match"' not in page
    assert "Something could not be read or measured, so that parity is not shown for all." in page
    assert "Nothing: both sides" not in page
    assert "No photons were counted (1 of 3): data_p1e5.npz." in page


PLACES = st.sampled_from(
    [
        ("verdict",),
        ("checks",),
        ("drift",),
        ("problems",),
        ("metadata", "scenario_id"),
        ("datasets", 0, "histograms"),
        ("datasets", 0, "histograms", "raw", "edges"),
        ("datasets", 0, "histograms", "raw", "counts", 0),
        ("datasets", 0, "scans"),
        ("datasets", 0, "photons", "per_pattern"),
        ("datasets", 0, "stats", "raw", "mean"),
        ("datasets", 0, "arrays", "probeGuess"),
        ("datasets", 0, "filename"),
    ]
)
TEXTS = {"where": "data_p1e3.npz:raw.x", "expected": "x", "observed": 1, "threshold": "y", "distance": 2.0}
ODD = st.sampled_from(
    [
        *(None, True, -1, 10**400, 1.7e308, 5e-324, "NaN", "x", "\ud800", [], [1], {}, {"a": 1}),
        [TEXTS | {"verdict": "drift"}],
        [TEXTS | {"verdict": "drift", "where": "data_p1e3.npz:arrays", "distance": None}],
        *("data_p1e308.npz", "data_p1e-320.npz", "data_p0.npz"),
    ]
)


@given(PLACES, ODD)
@example(("drift",), [TEXTS | {"verdict": "drift", "where": "data_p1e3.npz:arrays", "distance": None}])
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_an_odd_log_gives_a_page_or_a_sentence(logs: Path, place: tuple[Any, ...], value: Any) -> None:
    content = json.loads((logs / "theirs" / LOG).read_text(encoding="utf-8"))
    target = content
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    (logs / "odd").mkdir(exist_ok=True)
    (logs / "odd" / LOG).write_text(json.dumps(content), encoding="utf-8")
    for command in (
        ["report", str(logs / "odd" / LOG)],
        ["compare", str(logs / "ours" / LOG), str(logs / "odd" / LOG)],
    ):
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
            code = main(command)
        assert code in (0, 1, 3)
        assert "defect" not in errors.getvalue()
        said = [line for line in errors.getvalue().splitlines() if not line.startswith("note: ")]
        assert (code == 1) == bool(said)


# --- what comes from files stays text ----------------------------------------------------------


class Tags(HTMLParser):
    """Every tag with the names of its attributes, in their order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, ...]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append((tag, *(name for name, _ in attrs)))


def tags(log: EvidenceLog) -> list[tuple[str, ...]]:
    """Return the tags of the page, on which a value drifts in the first dataset."""
    where = f"{valid_utf8(log.datasets[0].filename)}:raw.mean"
    drift = Difference(where=where, expected=1.0, observed=2.0, threshold="exact", distance=2.0, verdict="drift")
    drifted = dataclasses.replace(
        log, verdict="drift", drift=(drift,), reference=Reference(path=log.datasets[0].filename, sha256="0" * 64)
    )
    run = ShownLog(drifted, Pictures({}))
    page = to_html(run, None, outcome_of(run.log))
    assert "; drifts in " in page
    return Tags(page).found


@pytest.fixture(scope="module")
def plain(log: EvidenceLog) -> list[tuple[str, ...]]:
    return tags(renamed(log, "plain"))


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30))
@example('"><b onload="x')
@example("'></svg><b>&amp;{{ 7 * 7 }}")
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
def test_no_text_makes_an_element(log: EvidenceLog, plain: list[tuple[str, ...]], text: str) -> None:
    assert tags(renamed(log, f"{text}-")) == plain


def test_non_utf8_names(log: EvidenceLog, plain: list[tuple[str, ...]]) -> None:
    name = os.fsdecode(b"data_p\xff<b>.npz")
    assert tags(renamed(log, name)) == plain


def test_the_policy_allows_the_script_of_the_page_alone(logs: Path) -> None:
    page = (logs / "ours" / PAGE).read_text(encoding="utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert f"script-src 'sha256-{digest}';" in unescape(policy)
    assert unescape(policy).startswith("default-src 'none'; ")


# --- size ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "most"), [(7, 3e6), (500, 20e6)])
def test_the_page_is_small_even_where_nothing_is_the_same(log: EvidenceLog, number: int, most: float) -> None:
    """Each dataset has its own probe, of noise, and each value and each probe differs from the reference."""
    rng = np.random.default_rng(0)
    entry = log.datasets[0]
    run, reference = [], []
    for place in range(number):
        for side, factor in ((run, 1.0), (reference, 1.01)):
            info = dataclasses.replace(entry.arrays["probeGuess"], crc32=f"{place * 2 + (side is run):08x}")
            assert entry.stats.raw is not None
            raw = dataclasses.replace(entry.stats.raw, mean=entry.stats.raw.mean * factor)
            side.append(
                dataclasses.replace(
                    entry,
                    filename=f"data_p{1000 + place}.npz",
                    photon_dose=str(1000 + place),
                    arrays={**entry.arrays, "probeGuess": info},
                    stats=dataclasses.replace(entry.stats, raw=raw),
                )
            )
    size = entry.arrays["probeGuess"].size_bytes
    noise = rng.normal(size=(300, 300)) + 1j * rng.normal(size=(300, 300))
    arrays = {f"probeGuess-{place:08x}-{size}": np.roll(noise, place, axis=0) for place in range(2 * number)}
    ours = ShownLog(dataclasses.replace(log, datasets=tuple(run)), Pictures(arrays))
    theirs = ShownLog(dataclasses.replace(log, datasets=tuple(reference)), Pictures(arrays))
    page = to_html(ours, theirs, outcome_of(ours.log))
    assert len(pictures(page)) == 7 * min(number, 24)  # of more, the first are shown
    assert len(page.encode()) < most


# --- probes beside the log ---------------------------------------------------------------------


def name_of(probe: np.ndarray) -> str:
    npy = io.BytesIO()
    np.lib.format.write_array(npy, probe)
    return f"{zlib.crc32(npy.getvalue()):08x}-{len(npy.getvalue())}"


def test_each_distinct_probe_is_kept_once(sweep: Path, tmp_path: Path) -> None:
    shutil.copytree(sweep, tmp_path / "sweep")
    path = tmp_path / "sweep" / "data_p1e9.npz"
    with np.load(path) as arrays:
        members = dict(arrays)
    np.savez(path, **members | {"probeGuess": members["probeGuess"] * 1j})
    assert d0parity("log", "--dataset-root", tmp_path / "sweep", "--output", tmp_path / "out").returncode == 0
    content = json.loads((tmp_path / "out" / LOG).read_text())
    infos = [dataset["arrays"]["probeGuess"] for dataset in content["datasets"]]
    names = list(dict.fromkeys(f"{info['crc32']}-{info['size_bytes']}" for info in infos))
    with np.load(tmp_path / "out" / PICTURES, allow_pickle=False) as kept:
        assert [name for name in kept.files if name.startswith("probeGuess-")] == [
            f"probeGuess-{name}" for name in names
        ]
        assert len(names) == 2
        for name, factor in zip(names, (1, 1j), strict=True):
            np.testing.assert_array_equal(kept[f"probeGuess-{name}"], members["probeGuess"] * factor)
            assert name_of(kept[f"probeGuess-{name}"]) == name


def test_a_file_that_changed_meanwhile_gives_no_probe(log: EvidenceLog, tmp_path: Path) -> None:
    with np.load(log.metadata.dataset_root + "/data_p1e5.npz") as arrays:
        np.savez(tmp_path / "other.npz", **dict(arrays) | {"probeGuess": arrays["probeGuess"] * 2})
    probes = collect_pictures(log.datasets, lambda _: str(tmp_path / "other.npz"), {})
    assert probes.arrays == {}
    assert "the file has changed since it was measured" in probes.remark
    probes = collect_pictures(log.datasets, lambda name: str(tmp_path / name), {})
    assert (probes.arrays, "no such file" in probes.remark) == ({}, True)


def test_large_and_renamed_probes_are_left_out_of_what_is_read(tmp_path: Path) -> None:
    arrays = {"fits": np.zeros((1 << 21) - 100), "large": np.zeros(1 << 21), "text": np.array(["text"])}
    named = {f"probeGuess-{name_of(array)}": array for array in arrays.values()}
    named |= {"probeGuess-12345678-152": np.ones(3), name_of(np.ones(4)): np.ones(4)}
    np.savez(tmp_path / PICTURES, **named)
    assert list(read_pictures(str(tmp_path / PICTURES)).arrays) == [f"probeGuess-{name_of(arrays['fits'])}"]


# --- the plugin --------------------------------------------------------------------------------


@pytest.fixture
def parity(pytester: pytest.Pytester, pair: Path, tmp_path_factory: pytest.TempPathFactory) -> Parity:
    return Parity(pytester, pair, tmp_path_factory.mktemp("root"))


def test_the_plugin_writes_the_page_and_says_where(parity: Parity) -> None:
    result = parity.run()
    result.stdout.fnmatch_lines([f"Look at out/{PAGE}."])
    page = parity.pytester.path / "out" / PAGE
    beside = page.read_bytes()
    assert d0parity("report", parity.pytester.path / "out" / LOG).returncode == 0
    assert page.read_bytes() == beside
    assert b"recorded: T" in beside


def test_what_did_not_run_is_not_called_the_same(parity: Parity) -> None:
    reference = parity.reference()
    parity.run(reference, "-k", "raw")
    page = unescape((parity.pytester.path / "out" / PAGE).read_text(encoding="utf-8"))
    matrix = re.findall(r"<tr><th scope=\"row\">data_p.*?</tr>", page[page.index('id="matrix"') :], re.S)[:2]
    for row in matrix:
        cells = re.findall(r"</b> ([^<]*)</span>", row)
        assert cells == ["not compared", "not compared", "same", *["not compared"] * 4]


def test_verdict_and_link_in_pytest_html(parity: Parity) -> None:
    def move(content: Any) -> None:
        content["datasets"][0]["stats"]["raw"]["mean"] *= 1.5

    parity.run(parity.reference(move), "--html=deep/er/report.html", output="an out", inprocess=False)
    folder = parity.pytester.path / "deep" / "er"
    page = unescape((folder / "report.html").read_text(encoding="utf-8"))
    assert "d0parity, T: <strong>drift</strong>: 1 value differs from the reference" in page
    (address,) = re.findall(r'href="([^"]*dose_parity_report[^"]*)"', page)
    assert address == f"../../an%20out/{PAGE}"
    assert (folder / address.replace("%20", " ")).exists()


# --- the terminal ------------------------------------------------------------------------------


def told(arguments: list[Any], **variables: str) -> str:
    environment = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=environment | variables,
        timeout=120,
    )
    return done.stdout


def test_the_table_has_a_row_for_each_dataset_at_eighty_columns(logs: Path) -> None:
    content = json.loads((logs / "ours" / LOG).read_text())
    text = told(["compare", logs / "ours" / LOG, logs / "theirs" / LOG], COLUMNS="80")
    lines = text.split("\n\n")[-1].strip("\n").splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["dataset", "dose", "counted", "sha256", "raw", "normalized", "grouped", "drift"]
    for line, dataset in zip(lines[1:], content["datasets"], strict=True):
        name, dose, counted, sha, raw, normalized, grouped, drift = line.split()
        assert (name, dose, sha) == (dataset["filename"], dataset["photon_dose"], dataset["sha256"][:8])
        means = [dataset["stats"][stage]["mean"] for stage in ("raw", "normalized", "grouped")]
        assert [float(raw), float(normalized), float(grouped)] == pytest.approx(means, rel=1e-3)
        assert float(counted) == pytest.approx(dataset["photons"]["per_pattern"], rel=1e-3)
        assert drift == "-"


def test_colours_where_they_are_wanted_and_no_colours_where_they_are_not(logs: Path, alone: Path) -> None:
    def move(content: Any) -> None:
        content["datasets"][1]["stats"]["raw"]["mean"] *= 1.5

    edited(alone, move)
    command = ["compare", logs / "ours" / LOG, alone / LOG]
    plain = told(command)
    assert "\x1b" not in plain
    assert re.search(r"data_p1e5.npz .* 1 value\n", plain)
    assert "\x1b[1;31m" in told(command, FORCE_COLOR="1", TERM="xterm-256color")
    assert "\x1b[1;31m" not in told(command, FORCE_COLOR="1", NO_COLOR="1", TERM="xterm-256color")


def test_of_many_datasets_those_that_drift_are_in_the_table(logs: Path, alone: Path, tmp_path: Path) -> None:
    def many(content: Any) -> None:
        entry = content["datasets"][0]
        content["datasets"] = [entry | {"filename": f"data_p{dose}.npz"} for dose in range(100, 200)]

    edited(alone, many)
    shutil.copytree(alone, tmp_path / "other")

    def move(content: Any) -> None:
        content["datasets"][77] = copy.deepcopy(content["datasets"][77])
        content["datasets"][77]["stats"]["raw"]["mean"] *= 1.5

    edited(tmp_path / "other", move)
    text = told(["compare", alone / LOG, tmp_path / "other" / LOG]).split("\n\n")[-1]
    lines = text.strip("\n").splitlines()
    assert lines[1].startswith("data_p177.npz")
    assert (len(lines), lines[-1]) == (42, "... and 60 more datasets")


@pytest.mark.parametrize("option", ["json", "markdown"])
def test_what_others_read_has_no_table_behind_it(logs: Path, option: str) -> None:
    text = told(["compare", logs / "ours" / LOG, logs / "theirs" / LOG, "--format", option])
    assert "sha256" not in text.splitlines()[-1]
    if option == "json":
        json.loads(text)


def test_one_that_is_only_in_the_reference_is_missing(logs: Path, alone: Path) -> None:
    edited(alone, lambda content: content["datasets"].pop(0))
    text = told(["compare", logs / "ours" / LOG, alone / LOG])
    assert re.search(r"^data_p1e3.npz( +-){6} missing$", text, re.M)
    text = told(["compare", alone / LOG, logs / "ours" / LOG])
    assert re.search(r"^data_p1e3.npz .* extra$", text, re.M)
