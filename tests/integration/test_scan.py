"""A folder that nobody described: what is in it, and the table that logs it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_d0parity.cli import main
from tests.support.command import read_log
from tests.support.patterns import amplitudes, counts, write

Make = Callable[[Path], None]
LENS = np.ones((16, 16), complex)


def files(**arrays: dict[str, Any]) -> Make:
    """Make a folder of files, of which each key names one: two underscores stand for the slash of a folder."""

    def make(root: Path) -> None:
        for name, content in arrays.items():
            write(root / f"{name.replace('__', '/')}.npz", **content)

    return make


def named(*names: str, photons: tuple[float, ...] = (1e4, 1e5)) -> Make:
    """Make a folder in which the patterns have a name that no convention knows."""

    def make(root: Path) -> None:
        for name, dose in zip(names, photons, strict=False):
            write(root / name, images=amplitudes(dose))

    return make


def beside_a_damaged_one(root: Path) -> None:
    named("run_1e4.npz", "run_1e5.npz")(root)
    (root / "run_1e6.npz").write_bytes((root / "run_1e5.npz").read_bytes()[:5000])


IMAGES = {"images": amplitudes()}
# What is made; the exit code of the log; and its datasets with the photons that are told of them.
FOLDERS: dict[str, tuple[Make, int, dict[str, float | None]]] = {
    "a grid": (files(N16__gs1__test={"diffraction": amplitudes()[..., None]}), 0, {"N16/gs1/test.npz": None}),
    "pairs": (
        files(**{f"lines_tmc39_{split}": {"diff3d": counts().astype(np.uint16)} for split in ("train", "test")}),
        0,
        {"lines_tmc39_test.npz": 39 * 256, "lines_tmc39_train.npz": 39 * 256},
    ),
    "doses in names": (named("a_1e4.npz", "a_1e5.npz"), 0, {"a_1e4.npz": 1e4, "a_1e5.npz": 1e5}),
    "another number before": (named("a_2_1e4.npz", "a_2_1e5.npz"), 0, {"a_2_1e4.npz": 1e4, "a_2_1e5.npz": 1e5}),
    "in a folder with a number": (named("s1/1e4.npz", "s1/1e5.npz"), 0, {"s1/1e4.npz": 1e4, "s1/1e5.npz": 1e5}),
    "a quote in names": (named("it's_1e4.npz", "it's_1e5.npz"), 0, {"it's_1e4.npz": 1e4, "it's_1e5.npz": 1e5}),
    "runs that are numbered": (named("run1.npz", "run2.npz"), 0, {"run1.npz": None, "run2.npz": None}),
    "names that look like globs": (
        files(**{"x[1]__p[2]": IMAGES, "x[1]__p[4]": IMAGES, "x[1]__q": {"x": np.zeros(3)}}),
        0,
        {"x[1]/p[2].npz": 2, "x[1]/p[4].npz": 4},
    ),
    "a dark field beside": (
        files(dark={"dark": counts(100, 3)}, a=IMAGES, b=IMAGES | {"lens": LENS}),
        0,
        {"a.npz": None, "b.npz": None},
    ),
    "other numbers beside": (
        files(data1=IMAGES, data2=IMAGES, data3={"x": np.zeros(3)}),
        0,
        {"data1.npz": None, "data2.npz": None},
    ),
    "known names beside others": (files(z={"diffraction": amplitudes()}, y=IMAGES), 0, {"z.npz": None}),
    "a damaged one": (beside_a_damaged_one, 1, {"run_1e4.npz": 1e4, "run_1e5.npz": 1e5, "run_1e6.npz": 1e6}),
}


def table_of(said: str) -> str:
    lines = said.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("[tool.d0parity"))
    end = next((number for number in range(start, len(lines)) if lines[number].startswith("and run: ")), len(lines))
    return "\n".join(lines[start:end])


@pytest.mark.parametrize("case", FOLDERS)
def test_the_table_that_scan_prints_logs_the_folder(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make, expected, datasets = FOLDERS[case]
    make(tmp_path / "some folder")
    monkeypatch.chdir(tmp_path)
    assert main(["scan", "some folder"]) == 0
    table = table_of(capsys.readouterr().out)
    Path("pyproject.toml").write_text(table)
    assert main(["log", "--scenario-id", "some_folder", "--output", "out", "--no-cache"]) == expected
    log = read_log(tmp_path / "out")
    assert {dataset["filename"]: dataset["dose"] and dataset["dose"]["photons"] for dataset in log["datasets"]} == (
        datasets
    )
    assert [p for d in log["datasets"] if d["photons"] for p in d["problems"] if p["severity"] == "error"] == []

    # What is left to be filled in is a table as well.
    lines = [line.removeprefix("# ") for line in table.splitlines() if "These lines would" not in line]
    (filled,) = tomllib.loads("\n".join(lines))["tool"]["d0parity"]["scenarios"].values()
    without = {name for name, photons in datasets.items() if photons is None}
    assert filled.get("doses", {}) == dict.fromkeys(without, 1e5)


def test_log_says_the_same_of_a_folder_that_it_cannot_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    named("a/x.npz")(tmp_path / "thing")
    monkeypatch.chdir(tmp_path)
    assert main(["scan", "thing"]) == 0
    scanned = capsys.readouterr().out
    assert "images  40x16x16  float32  patterns: 40 frames of 16x16 pixels" in scanned
    assert main(["log", "--dataset-root", "thing", "--output", "out", "--no-cache"]) == 1
    said = capsys.readouterr()
    assert table_of(scanned) in said.out
    assert "no datasets: thing holds no file named data_p[0-9]*.npz, and no NPZ file whose name" in said.err
    assert read_log(tmp_path / "out")["verdict"] == "incomplete"


def test_a_folder_without_patterns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["scan", str(tmp_path / "empty")]) == 0
    assert "0 NPZ files" in capsys.readouterr().out
    write(tmp_path / "flags" / "a.npz", flags=counts() > 3, names=np.array(["a"]), probe=LENS)
    (tmp_path / "flags" / "b.npz").write_bytes(b"PK, or so")
    assert main(["scan", str(tmp_path / "flags")]) == 0
    said = capsys.readouterr().out
    assert "None of them holds what looks like patterns" in said
    assert "[tool" not in said
    assert "b.npz: " in said
    for wrong, why in (("nowhere", "does not exist"), ("flags/a.npz", "is a file")):
        assert main(["scan", str(tmp_path / wrong)]) == 1
        assert why in capsys.readouterr().err
