"""``d0parity compare`` over logs, folders and pipes, and the same from Python."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pytest_d0parity
from pytest_d0parity import ParityError, compare, read_log, scan, verify
from pytest_d0parity.cli import main
from pytest_d0parity.simulator import simulate_sweep
from tests.support.command import COMMAND, LOG


@pytest.fixture
def here(pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sweep, its log in ``parity``, a copy of which one array is scaled, and a copy that is whole."""
    monkeypatch.chdir(tmp_path)
    for name in ("sweep", "copy", "scaled"):
        shutil.copytree(pair, tmp_path / name)
    with np.load("scaled/data_p1e4.npz") as npz:
        members = dict(npz)
    np.savez("scaled/data_p1e4.npz", **members | {"diff3d": members["diff3d"] * np.float32(2)})
    assert (
        main(["log", "--dataset-root", "sweep", "--baseline-params", "sweep/params.dill", "--output", "parity", "-q"])
        == 0
    )
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["compare", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_folders_are_measured(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(here.rglob("*"))
    code, out, _ = run(capsys, "sweep", "copy")
    equal = "match: every compared value equals the reference sweep"
    assert (code, out.splitlines()[0].partition(";")[0]) == (0, equal)
    _, out, _ = run(capsys, "sweep", "copy")
    assert out.splitlines()[0] == f"{equal}; 2 of 2 datasets from the cache"
    code, out, _ = run(capsys, "sweep", "scaled")
    assert code == 3
    assert "every statistic of raw is the reference's times 2.0000" in out
    assert sorted(here.rglob("*")) == before


def test_a_folder_beside_a_log(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for pair, code in (((f"parity/{LOG}", "copy"), 0), (("copy", f"parity/{LOG}"), 0), (("parity", "scaled"), 3)):
        found, _, err = run(capsys, *pair)
        assert found == code, pair
        assert "params, metrics and attachments are not compared" in err
        _, out, _ = run(capsys, *pair, "--format", "json")
        notes = json.loads(out)["notes"]
        assert notes == [line.removeprefix("note: ") for line in err.splitlines() if line.startswith("note: ")]
        assert list(compare(*pair).notes) == notes
    assert "parity holds a log, which is compared; the files beside it were not looked at" in err


def test_a_folder_is_kept_as_the_log_says(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Under names that no convention finds."""
    for name in ("sweep", "copy"):
        for path in sorted((here / name).glob("data_p*.npz")):
            path.rename(path.with_name(path.name.replace("data_p", "run_")))
    options = ["--datasets", "run_*.npz", "--dose", r"run_(?P<photons>[0-9e]+)\.npz"]
    assert main(["log", "--dataset-root", "sweep", "--output", "named", "-q", *options]) == 0
    assert run(capsys, "named", "copy")[0] == 0
    code, _, err = run(capsys, "sweep", "copy")
    assert code == 1
    assert "d0parity scan says what is there" in err
    assert run(capsys, "sweep", "copy", *options)[0] == 0


def test_standard_input_and_pipes(here: Path) -> None:
    command = f'cat parity/{LOG} | "$@" - parity && "$@" <(cat parity/{LOG}) <(cat parity/{LOG})'
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command, "bash", *COMMAND, "compare"],
        capture_output=True,
        text=True,
        check=False,
        cwd=here,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("match: every compared value equals the reference standard input")
    assert done.stdout.count("match: ") == 2


def test_standard_input_holds_one_log(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "-", "-")[0] == 2


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("data.npz", b"PK\x03\x04", "give the folder of the datasets to d0parity compare"),
        ("bag.tar.gz", b"\x1f\x8b\x08", "it is an archive; of a bundle: d0parity verify"),
        ("bag.tar", bytes(257) + b"ustar\x0000" + bytes(300), "it is an archive; of a bundle: d0parity verify"),
        ("page.html", b"<!DOCTYPE html>", "the log lies beside it"),
        ("params.dill", b"\x80\x04}.", "give it to d0parity log --baseline-params"),
        ("receipt.json", b'{"receipt_version": 1}', "d0parity verify receipt.json --log LOG reads it"),
    ],
)
def test_what_is_no_log_is_told_which_command_takes_it(
    here: Path, name: str, content: bytes, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / name).write_bytes(content)
    for arguments in ((name, "parity"), ("parity", name)):
        code, _, err = run(capsys, *arguments)
        assert code == 1
        assert said in err


# --- help ----------------------------------------------------------------------------------------

COMMANDS = ["log", "compare", "report", "verify", "bundle", "attest", "scan", "demo", "schema"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_two_examples_and_the_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    said = capsys.readouterr().out
    examples, codes = said.partition("examples:\n")[2].split("\nexit codes:\n")
    assert len([line for line in examples.splitlines() if f"d0parity {command}" in line]) == 2
    assert [line.split()[0] for line in codes.splitlines()][:3] == ["0", "1", "2"]
    assert ("  3  drift" in codes) == (command in ("log", "compare", "report", "verify"))


def test_alone_it_prints_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    said = capsys.readouterr().out
    assert all(f"\n    {command}" in said for command in COMMANDS)


def test_shells_complete_commands_and_options(tmp_path: Path) -> None:
    def completions(line: str) -> list[str]:
        environment = os.environ | {
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_STDOUT_FILENAME": str(tmp_path / "said"),
            "_ARGCOMPLETE_IFS": "\n",
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
        }
        program = str(Path(sys.executable).parent / "d0parity")
        subprocess.run([program], env=environment, check=False, capture_output=True, timeout=120)
        return (tmp_path / "said").read_text().split("\n")

    assert "compare " in completions("d0parity comp")
    assert "--public-key " in completions("d0parity verify --pub")


# --- from Python ---------------------------------------------------------------------------------


def test_logs_and_folders_are_compared(here: Path) -> None:
    assert compare("sweep", "copy").verdict == "match"
    outcome = compare(f"parity/{LOG}", Path("scaled"))
    assert (outcome.verdict, outcome.findings[0].proof) == ("drift", "factor")
    assert repr(outcome).startswith("<Outcome drift: ")
    html = outcome._repr_html_()
    assert "data_p1e4.npz:raw.mean" in html
    assert "<script" not in html
    log = read_log("parity")
    assert compare(log, log).verdict == "match"
    assert compare(log, "scaled", level="statistics", thresholds=["*:200%"]).verdict in ("within_thresholds", "drift")
    with pytest.warns(UserWarning, match="nothing is left to compare"):
        assert compare(log, "scaled", thresholds={"*": "ignore"}).verdict == "incomplete"
    with pytest.warns(UserWarning, match="raw.meen"):
        compare(log, "scaled", thresholds={"raw.meen": "5%"})
    with pytest.raises(ParityError, match="nowhere"):
        compare("nowhere.json", "sweep")
    with pytest.raises(ParityError):
        compare(log, log, thresholds=["raw.mean"])


def test_a_log_is_read_and_shows_itself(here: Path) -> None:
    log = read_log("parity")
    assert repr(log) == "<EvidenceLog 'UNKNOWN': 2 datasets, recorded>"
    columns = log.columns()
    assert {len(column) for column in columns.values()} == {2}
    assert columns["filename"] == ["data_p1e4.npz", "data_p1e6.npz"]
    content = json.loads(Path("parity", LOG).read_text(encoding="utf-8"))
    for name, (first, second) in {
        "raw.mean": ("stats", "raw"),
        "photons.per_pattern": ("photons", "per_pattern"),
        "probe.amplitude.max": ("probe", "amplitude"),
    }.items():
        value = content["datasets"][0][first][second]
        assert columns[name][0] == (value if isinstance(value, float) else value[name.rpartition(".")[2]])
    assert columns["arrays.diff3d.shape"][0] == "x".join(map(str, content["datasets"][0]["arrays"]["diff3d"]["shape"]))
    html = log._repr_html_()
    assert html.count("<tr>") == 3
    assert "data_p1e6.npz" in html


def test_what_a_file_says_is_no_markup(here: Path) -> None:
    path = Path("parity", LOG)
    path.write_text(path.read_text(encoding="utf-8").replace("data_p1e4.npz", "<b>x</b>"), encoding="utf-8")
    assert "<b>" not in read_log(path)._repr_html_()


def test_files_are_verified_and_folders_looked_at(here: Path) -> None:
    before = sorted(here.rglob("*"))
    verification = verify(f"parity/{LOG}")
    assert (verification.verdict, repr(verification)) == ("match", "<Verification match: 2 same>")
    changed = verify(f"parity/{LOG}", "scaled")
    assert changed.verdict == "drift"
    assert "not as in the log: diff3d" in changed._repr_html_()
    found = scan("sweep")
    assert repr(found) == "<Scan 'sweep': 2 NPZ files>"
    assert "patterns" not in found.table
    assert "[tool.d0parity.scenarios." in found.table
    assert "data_p1e4.npz" in found._repr_html_()
    with pytest.raises(ParityError):
        scan("nowhere")
    assert sorted(here.rglob("*")) == before


def test_the_package_shows_its_public_names_alone(here: Path) -> None:
    read_log("parity"), compare("parity", "parity")  # whatever was imported meanwhile
    assert dir(pytest_d0parity) == sorted(pytest_d0parity.__all__)
    assert callable(pytest_d0parity.compare)


def test_standard_input_from_python(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data: Any = io.TextIOWrapper(io.BytesIO(Path("parity", LOG).read_bytes()))
    monkeypatch.setattr(sys, "stdin", data)
    assert len(read_log("-").datasets) == 2


def _asymmetric(side: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[:side, :side]
    bright = 40 * np.exp(-((rows - side / 3) ** 2 + (columns - side / 2.2) ** 2) / 20)
    return np.sqrt(rng.poisson(bright, (40, side, side))).astype(np.float32)


MOVES = {
    "transposed": lambda a: a.transpose(0, 2, 1),
    "flipped top to bottom": lambda a: a[:, ::-1],
    "flipped left to right": lambda a: a[:, :, ::-1],
    "turned by 180 degrees": lambda a: a[:, ::-1, ::-1],
    "turned counterclockwise by 90 degrees": lambda a: np.rot90(a, 1, (1, 2)),
    "turned clockwise by 90 degrees": lambda a: np.rot90(a, -1, (1, 2)),
    "transposed along the other diagonal": lambda a: a[:, ::-1, ::-1].transpose(0, 2, 1),
    "shifted by half a frame (fftshift)": lambda a: np.fft.fftshift(a, (1, 2)),
    "shifted back by half a frame (ifftshift)": lambda a: np.fft.ifftshift(a, (1, 2)),
    "shifted by half a frame in its rows alone": lambda a: np.fft.fftshift(a, 1),
    "flipped top to bottom and shifted by half a frame (fftshift)": lambda a: np.fft.fftshift(a[:, ::-1], (1, 2)),
}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("side", [16, 17])
def test_how_pixels_moved_is_told(
    move: str, side: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    patterns = _asymmetric(side)
    for folder, array in (("sweep", patterns), ("moved", MOVES[move](patterns))):
        Path(folder).mkdir()
        np.savez(f"{folder}/data_p1e3.npz", diff3d=array)
        assert main(["log", "--dataset-root", folder, "--output", f"log_{folder}", "-q"]) == 0
    even = {"shifted back by half a frame (ifftshift)": "shifted by half a frame (fftshift)"}
    told = f"the mean pattern is the reference's, {even.get(move, move) if side == 16 else move}"
    for pair in (("sweep", "moved"), ("log_sweep", "log_moved"), ("log_sweep", "moved")):
        code, out, _ = run(capsys, *pair)
        assert code == 3
        assert f"{told}." in " ".join(out.split()), pair
    reference = f"log_sweep/{LOG}"
    assert main(["log", "--dataset-root", "moved", "--reference", reference, "--output", "compared"]) == 3
    capsys.readouterr()
    (finding,) = json.loads(Path("compared", LOG).read_text())["findings"]
    assert finding["sentence"].endswith(told)


def test_a_move_that_the_mean_patterns_do_not_show_is_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each frame has another turned pixel; or the pictures are gone; or two moves would do."""
    monkeypatch.chdir(tmp_path)
    patterns = _asymmetric(16)
    mirrored = np.sqrt(patterns**2 + patterns[:, :, ::-1] ** 2)
    kinds = {
        "sweep": patterns,
        "permuted": patterns[:, np.random.default_rng(0).permutation(16)],
        "transposed": patterns.transpose(0, 2, 1),
        "mirrored": mirrored,
        "turned": np.rot90(mirrored, 1, (1, 2)),  # or transposed: its left is its right
    }
    for folder, array in kinds.items():
        Path(folder).mkdir()
        np.savez(f"{folder}/data_p1e3.npz", diff3d=array)
        assert main(["log", "--dataset-root", folder, "--output", f"log_{folder}", "-q"]) == 0
    Path("log_transposed", "pictures.npz").unlink()
    for pair in (("sweep", "permuted"), ("mirrored", "turned"), ("log_sweep", "log_transposed")):
        _, out, _ = run(capsys, *pair)
        said = " ".join(out.split())
        assert "pixels moved within their frames, or are stored in another memory order" in said
        assert "the mean pattern is the reference's" not in said


# --- what is said of common accidents ------------------------------------------------------------


def changed(here: Path, change: Any, name: str = "data_p1e4.npz") -> None:
    """Replace a dataset of the folder ``copy``; change gets its arrays."""
    with np.load(f"sweep/{name}") as npz:
        arrays = dict(npz)
    np.savez(f"copy/{name}", **change(arrays))


def test_one_raised_pixel_is_not_drawn_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder, redraw in (("sweep", 0), ("copy", 0), ("again", 1)):
        simulate_sweep(folder, ["1e4"], 80, redraw=redraw)

    def raised(arrays: dict[str, Any]) -> dict[str, Any]:
        patterns = arrays["diff3d"].copy()
        patterns[3, 30, 31] += np.float32(0.1)
        return arrays | {"diff3d": patterns}

    changed(tmp_path, raised)
    code, out, _ = run(capsys, "sweep", "copy")
    assert code == 3
    assert "drawn anew" not in out
    assert "5sigma" not in out
    _, out, _ = run(capsys, "sweep", "again")
    assert "they may be drawn anew" in out


def test_what_is_no_number_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def dead(arrays: dict[str, Any]) -> dict[str, Any]:
        patterns = arrays["diff3d"].copy()
        patterns[0, 0, :3] = np.nan
        return arrays | {"diff3d": patterns}

    changed(here, dead)
    _, out, err = run(capsys, "sweep", "copy")
    assert "3 values are NaN here, none in the reference" in out
    assert "[non_finite]" in err


def test_one_factor_is_one_finding(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Though a thousand is the root of one of the doses."""
    for name in ("data_p1e4.npz", "data_p1e6.npz"):
        changed(here, lambda arrays: arrays | {"diff3d": arrays["diff3d"] * np.float32(1000)}, name)
    _, out, _ = run(capsys, "sweep", "copy")
    assert "Every dataset: every statistic of raw is the reference's times 1000.0. Next: " in out


def test_a_probe_that_is_not_there_is_no_damage(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed(here, lambda arrays: {name: each for name, each in arrays.items() if name != "probeGuess"})
    _, out, _ = run(capsys, "sweep", "copy")
    assert "there is no probe here, and the reference has one" in out
    assert "damaged" not in out


def test_arrays_that_are_called_otherwise(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed(here, lambda a: {"diffraction" if name == "diff3d" else name: each for name, each in a.items()})
    _, out, _ = run(capsys, "sweep", "copy")
    assert "the arrays are the same, and called otherwise: diff3d is diffraction, the reference's diff3d" in out


def test_params_that_nobody_gave(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["log", "--dataset-root", "copy", "--reference", f"parity/{LOG}", "--output", "out"]
    assert main(command) == 3
    out = capsys.readouterr().out
    assert "parameters, and here there is none. Next: give the params by --baseline-params" in out


def test_files_left_aside_are_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("copy/data_p1e4.npz").rename("copy/copy of 1e4.npz")
    code, _, err = run(capsys, "sweep", "copy")
    assert code == 3
    assert "1 NPZ file left aside: copy of 1e4.npz; --datasets GLOB" in err


@pytest.mark.parametrize("level", ["byte", "Bytes", None])
def test_a_level_that_there_is_not(here: Path, level: Any) -> None:
    with pytest.raises(ParityError, match="is none of 'bytes', 'statistics'"):
        compare("sweep", "copy", level=level)


def test_what_is_given_in_place_of_a_log(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("paper.pdf").write_bytes(b"%PDF-1.7")
    _, _, err = run(capsys, "paper.pdf", "sweep")
    assert "it is a PDF; a log is JSON" in err
    assert main(["verify", "sweep/data_p1e4.npz"]) == 1
    assert "is a dataset: give the log, and this file's folder by --dataset-root" in capsys.readouterr().err


def test_a_scan_leaves_our_own_pictures_out(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "parity"]) == 0
    out = capsys.readouterr().out
    assert "parity: 0 NPZ files, 0 kinds" in out
    assert "There is nothing to log. Is another folder meant?" in out


def test_a_probe_times_a_factor_and_its_conjugate(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed(here, lambda arrays: arrays | {"probeGuess": arrays["probeGuess"] * 10})
    assert "the amplitude of the probe is the reference's times 10.000" in run(capsys, "sweep", "copy")[1]
    changed(here, lambda arrays: arrays | {"probeGuess": arrays["probeGuess"].conj()})
    assert "the probe is the reference's complex conjugate" in run(capsys, "sweep", "copy")[1]


def test_a_copy_in_a_finer_precision_is_told_how_to_go_back(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed(here, lambda arrays: arrays | {"diff3d": arrays["diff3d"].astype(np.float64)})
    assert "save diff3d as float32 again, or accept it by --compare statistics" in run(capsys, "sweep", "copy")[1]


def test_pictures_that_are_not_at_hand_are_asked_for(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed(here, lambda arrays: arrays | {"diff3d": np.fft.fftshift(arrays["diff3d"], (1, 2))})
    shutil.copy(f"parity/{LOG}", "log.json")
    _, out, _ = run(capsys, "log.json", "copy")
    assert "Next: put the pictures.npz of each log beside it" in out
    shutil.copy("parity/pictures.npz", "log.pictures.npz")
    _, out, _ = run(capsys, "log.json", "copy")
    assert "shifted by half a frame (fftshift)" in out


def test_verify_names_the_command_that_says_why(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed(here, lambda arrays: arrays | {"diff3d": arrays["diff3d"] * 2})
    assert main(["verify", f"parity/{LOG}", "--dataset-root", "copy"]) == 3
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Why: ")]
    assert main(line.removeprefix("Why: d0parity ").split()) == 3
    assert "times 2.0000" in capsys.readouterr().out


def test_a_folder_in_place_of_a_log_is_the_log_in_it_or_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "parity", "--reference", "parity", "--output", "page"]) == 0
    assert (here / "page" / "dose_parity_report.html").stat().st_size > 10_000
    assert main(["bundle", "parity", "--output", "bag"]) == 1
    assert f"name the log in it, parity/{LOG}" in capsys.readouterr().err


def test_what_is_not_there_is_called_neither_log_nor_folder(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for pair in (("sweep", "nowhere"), ("nowhere", "sweep")):
        code, _, err = run(capsys, *pair)
        assert (code, err) == (1, "error: nowhere cannot be read: there is no such file or folder; check the path\n")


@pytest.mark.parametrize("arguments", [("compare", "a", "b"), ("log",), ("verify", "a")])
def test_a_misspelt_option_is_told_with_the_usage_of_its_command(arguments: tuple[str, ...], capsys: Any) -> None:
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--treshold", "raw.mean:5%"])
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert said.startswith(f"usage: d0parity {arguments[0]} ")
    assert "unrecognized arguments: --treshold raw.mean:5%; did you mean --threshold?" in said
    with pytest.raises(SystemExit):
        main(["--quik"])
    assert "unrecognized arguments: --quik" in capsys.readouterr().err


@pytest.mark.parametrize("side", ["sweep", "copy"])
def test_an_array_that_one_side_alone_has_hides_nothing_else(
    here: Path, capsys: pytest.CaptureFixture[str], side: str
) -> None:
    """It is no file that could not be read."""
    changed(here, lambda arrays: arrays | {"diff3d": arrays["diff3d"] * np.float32(2), "extra": np.arange(3)})
    other = "copy" if side == "sweep" else "sweep"
    _, out, _ = run(capsys, side, other)
    assert "could not be read or measured" not in out
    assert "  raw.mean " in out
    assert "extra" in out
    assert "(missing)" not in out


def test_parity_is_true_and_drift_is_false(here: Path) -> None:
    assert compare("sweep", "copy")
    assert not compare("sweep", "scaled")
    assert verify(f"parity/{LOG}", "copy", baseline_params="sweep/params.dill")
    assert not verify(f"parity/{LOG}", "scaled")


def test_a_pattern_that_was_shifted_by_some_pixels(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed(here, lambda arrays: arrays | {"diff3d": np.roll(arrays["diff3d"], (3, -1), (1, 2))})
    _, out, _ = run(capsys, f"parity/{LOG}", "copy")
    assert "the mean pattern is the reference's, shifted by +3 rows and -1 columns (cyclically)" in out


def test_a_phase_that_was_added_to_a_probe(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed(
        here, lambda arrays: arrays | {"probeGuess": (arrays["probeGuess"] * 1j).astype(arrays["probeGuess"].dtype)}
    )
    _, out, _ = run(capsys, "sweep", "copy")
    assert "the amplitude of the probe is the reference's, and its phase is not: a phase that is added, say" in out


def test_a_frame_that_was_overwritten_is_not_drawn_anew(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def overwrite(arrays: Any) -> Any:
        return arrays | {"diff3d": np.concatenate([arrays["diff3d"][1:2], arrays["diff3d"][1:]])}

    changed(here, overwrite)
    _, out, _ = run(capsys, "sweep", "copy")
    assert "drawn anew" not in out
