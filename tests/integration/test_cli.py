"""The command line from outside: what it says, what it leaves, how it ends."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import dill
import jsonschema
import numpy as np
import pytest

from pytest_d0parity import json_schema, sha256_file
from pytest_d0parity.evidence.artifacts import DIGEST, PAGE, PICTURES, PROBE_TABLE, STAGE_TABLE
from pytest_d0parity.util.lock import LockError, locked
from tests.support.command import COMMAND, LOG, d0parity, read_log
from tests.support.processes import ENDLESS, make_endless, reads, started, wait_for


def arrays() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "diff3d": rng.random((4, 3, 3)),
        "probeGuess": rng.random((3, 3)) + 1j,
        "scan_index": np.zeros(4, int),
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A sweep with one good dataset, to which a test adds a bad one."""
    folder = tmp_path / "root"
    folder.mkdir()
    np.savez(folder / "data_p1e4.npz", **arrays())
    return folder


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out"


def log(root: Path, output: Path, *more: Any, **options: Any) -> subprocess.CompletedProcess[str]:
    return d0parity("log", "--dataset-root", root, "--output", output, *more, **options)


# --- a good run --------------------------------------------------------------------------------


def test_a_simulated_sweep(sweep: Path, output: Path) -> None:
    done = log(sweep, output, "--baseline-params", sweep / "params.dill", "--scenario-id", "SIM")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"recorded: 3 datasets of {sweep}" in done.stdout
    record = read_log(output)
    assert [dataset["photon_dose"] for dataset in record["datasets"]] == ["1e3", "1e5", "1e9"]
    for dataset in record["datasets"]:
        assert dataset["photons"]["quantized"]
        assert dataset["photons"]["ratio"] == pytest.approx(1, abs=0.02)
        assert dataset["probe"]["l2_norm"] == pytest.approx(1, rel=1e-12)
        assert dataset["problems"] == []
    assert record["metrics"]["frc50"] == [6, "NaN"]


def test_everything_outside_metadata_is_the_same_bytes_again(sweep: Path, tmp_path: Path) -> None:
    texts = []
    for run in ("one", "two"):
        log(sweep, tmp_path / run)
        record = json.loads((tmp_path / run / "dose_parity_log.json").read_text())
        del record["metadata"]
        texts.append(json.dumps(record))
    assert texts[0] == texts[1]


def test_the_width_of_the_vectors_changes_no_bit(tmp_path: Path, sweep: Path) -> None:
    from numpy._core._multiarray_umath import __cpu_features__ as features  # the only list of what can be turned off

    off = " ".join(name for name in ("AVX512_SKX", "AVX512F", "AVX2", "FMA3", "X86_V4", "X86_V3") if features.get(name))
    if not off:
        pytest.skip("this processor has no vector extension that NumPy can leave unused")
    root = tmp_path / "root"
    root.mkdir()
    rng = np.random.default_rng(0)
    np.savez(
        root / "data_p1e4.npz", **arrays() | {"diff3d": rng.normal(size=(90, 61, 67)), "scan_index": np.arange(90) % 4}
    )
    shutil.copy(sweep / "data_p1e5.npz", root)
    texts = []
    for number, environment in enumerate([{}, {"NPY_DISABLE_CPU_FEATURES": off}]):
        done = log(root, tmp_path / str(number), env=os.environ | environment)
        assert done.returncode == 0, done.stderr
        record = json.loads((tmp_path / str(number) / "dose_parity_log.json").read_text())
        for dataset in record["datasets"]:
            # Only amplitude and phase pass through the platform's hypot and atan2.
            del dataset["probe"]
        del record["metadata"]
        texts.append(json.dumps(record))
    assert texts[0] == texts[1]


def test_names_are_sorted_by_dose_as_a_number(root: Path, output: Path) -> None:
    for name in (
        "data_p1e10.npz",
        "data_p1e9.npz",
        "data_p20000.npz",
        "data_p1.5e4.npz",
        "data_p1e5_v2.npz",
        "data_p7x.npz",
    ):
        shutil.copy(root / "data_p1e4.npz", root / name)
    done = log(root, output)
    assert done.returncode == 0
    names = [dataset["filename"] for dataset in read_log(output)["datasets"]]
    assert names == [f"data_p{dose}.npz" for dose in ("1e4", "1.5e4", "20000", "1e5_v2", "1e9", "1e10", "7x")]


def test_nothing_but_problems_is_said_when_quiet(root: Path, output: Path) -> None:
    done = log(root, output, "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    shutil.copy(root / "data_p1e4.npz", root / "data_p1e04.npz")
    assert "data_p1e04.npz" in log(root, output, "-q").stderr


def test_artifacts_go_where_the_environment_says(root: Path, tmp_path: Path) -> None:
    environment = os.environ | {"ARTIFACT_DIR": str(tmp_path / "artifacts")}
    d0parity("log", "--dataset-root", root, env=environment)
    assert read_log(tmp_path / "artifacts")["total_datasets"] == 1


def test_artifacts_go_to_a_new_folder_when_nobody_says(root: Path, tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "ARTIFACT_DIR"}
    d0parity("log", "--dataset-root", root, env=environment, cwd=tmp_path)
    (folder,) = (tmp_path / "plans/active/seed/reports").iterdir()
    assert folder.name.endswith("Z")
    assert read_log(folder)["total_datasets"] == 1


@pytest.mark.skipif(not shutil.which("git"), reason="there is no git here")
def test_the_state_of_the_repository_is_recorded(root: Path, output: Path, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        return subprocess.run(
            ["git", *identity, *arguments], cwd=repository, check=True, capture_output=True, text=True, timeout=120
        ).stdout.strip()

    def metadata() -> tuple[str, bool | None]:
        log(root, output, cwd=repository)
        record = read_log(output)["metadata"]
        return record["git_sha"], record["git_dirty"]

    assert metadata() == ("unknown", None)
    git("init", "-q")
    assert metadata() == ("unknown", None)
    (repository / "file").write_text("1")
    git("add", "file")
    git("commit", "-qm", "x")
    assert metadata() == (git("rev-parse", "HEAD"), False)
    (repository / "file").write_text("2")
    assert metadata() == (git("rev-parse", "HEAD"), True)


def test_without_git_the_state_of_the_repository_is_unknown(root: Path, output: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = log(root, output, env=os.environ | {"PATH": str(tmp_path / "empty")})
    assert (done.returncode, done.stderr) == (0, "")
    metadata = read_log(output)["metadata"]
    assert (metadata["git_sha"], metadata["git_dirty"]) == ("unknown", None)


def test_nothing_of_the_machine_leaks_into_the_log(root: Path, output: Path) -> None:
    log(root, output, "--dataset-root", "root", cwd=root.parent)
    text = (output / "dose_parity_log.json").read_text()
    import socket

    for private in (str(root.parent), socket.gethostname(), str(Path.home())):
        assert private not in text


# --- bad datasets: told by name, everything else recorded --------------------------------------


def bad(path: Path, kind: str) -> None:
    match kind:
        case "directory":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "dangling link":
            path.symlink_to("nowhere.npz")
        case "empty file":
            path.touch()
        case "text":
            path.write_text("not an archive")
        case "git lfs pointer":
            path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n")
        case "truncated":
            np.savez(path, **arrays())
            path.write_bytes(path.read_bytes()[:-40])
        case "flipped byte":
            np.savez(path, **arrays())
            data = bytearray(path.read_bytes())
            data[data.index(b"diff3d.npy") + 200] ^= 1
            path.write_bytes(data)
        case "no diff3d":
            np.savez(path, **{key: value for key, value in arrays().items() if key != "diff3d"})
        case "object array":
            np.savez(path, **arrays() | {"diff3d": np.array([{}])})
        case "text array":
            np.savez(path, **arrays() | {"diff3d": np.array(["a"])})
        case "single number":
            np.savez(path, **arrays() | {"diff3d": np.array(1.0)})


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("directory", "is a directory"),
        ("fifo", "not a regular file"),
        ("dangling link", "link to nothing"),
        ("empty file", "is empty"),
        ("text", "not an NPZ"),
        ("git lfs pointer", "git lfs pull"),
        ("truncated", "directory cannot be read"),
        ("flipped byte", "CRC-32"),
        ("no diff3d", "no patterns in the file, which holds probeGuess, scan_index; nothing can be measured"),
        ("object array", "a pickle inside"),
        ("text array", "its dtype is <U1"),
        ("single number", "single number"),
    ],
)
def test_a_bad_dataset_is_an_error_that_names_it_and_the_others_are_recorded(
    root: Path, output: Path, kind: str, message: str
) -> None:
    bad(root / "data_p1e3.npz", kind)
    done = log(root, output)
    assert done.returncode == 1
    assert "error: data_p1e3.npz" in done.stderr
    assert message in done.stderr
    first, second = read_log(output)["datasets"]
    assert (first["filename"], first["stats"]["raw"]) == ("data_p1e3.npz", None)
    assert first["problems"][0]["severity"] == "error"
    assert second["stats"]["raw"]["count"] == 36
    assert second["problems"] == []


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs another user to be refused")
def test_a_dataset_that_may_not_be_read(root: Path) -> None:
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if subprocess.run([*as_nobody, *COMMAND, "--help"], check=False, capture_output=True, timeout=120).returncode:
        pytest.skip("the other user cannot run this Python")
    with tempfile.TemporaryDirectory() as name:  # the folders around tmp_path are closed to others
        folder = Path(name)
        folder.chmod(0o777)
        shutil.copytree(root, folder / "root")
        shutil.copy(root / "data_p1e4.npz", folder / "root" / "data_p1e3.npz")
        (folder / "root" / "data_p1e3.npz").chmod(0)
        command = [*as_nobody, *COMMAND, "log", "--dataset-root", folder / "root", "--output", folder / "out"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        note, error = done.stderr.splitlines()
        assert note.startswith("note: no measurement is kept for the next run, since ")
        assert (done.returncode, error) == (1, "error: data_p1e3.npz: it cannot be read: permission denied")
        assert read_log(folder / "out")["datasets"][1]["stats"]["raw"] is not None


@pytest.mark.parametrize(
    ("change", "where", "message", "severity"),
    [
        ({"scan_index": np.zeros(3, int)}, "scan_index", "3 entries, but diff3d has 4 frames", "warning"),
        ({"scan_index": np.zeros(4)}, "scan_index", "float64", "warning"),
        ({"scan_index": np.array(["0"] * 4)}, "scan_index", "integers are expected", "warning"),
        ({"probeGuess": np.array([[{}]])}, "probeGuess", "pickle inside", "error"),
        ({"probeGuess": np.array([[np.nan, 1j]])}, "probeGuess", "1 NaN and 0 infinite", "warning"),
        ({"probeGuess": np.empty((0, 3), complex)}, "probeGuess", "is empty", "warning"),
        ({"diff3d": np.full((4, 3, 3), np.nan)}, "diff3d", "36 NaN and 0 infinite", "warning"),
        ({"diff3d": np.array([[[1.0, np.inf]]] * 4)}, "diff3d", "0 NaN and 4 infinite", "warning"),
        ({"diff3d": np.zeros((4, 3, 3))}, "diff3d", "maximum is 0.0", "warning"),
        ({"diff3d": np.empty((0, 3, 3)), "scan_index": np.empty(0, int)}, "diff3d", "is empty", "warning"),
        ({"extra": np.array([{}])}, "extra", "only its header", "warning"),
        ({"scan_index": np.zeros((1,) * 20 + (3,), int)}, "scan_index", "3 entries", "warning"),
        ({"scan_index": np.zeros((10**6, 0), int)}, "scan_index", "0 entries", "warning"),
    ],
)
def test_what_is_wrong_inside_a_dataset(
    root: Path, output: Path, change: dict[str, Any], where: str, message: str, severity: str
) -> None:
    contents = {key: value for key, value in (arrays() | change).items() if value is not None}
    np.savez(root / "data_p1e4.npz", **contents)
    done = log(root, output)
    assert f"{severity}: data_p1e4.npz:{where}: " in done.stderr
    assert message in done.stderr
    assert done.returncode == (1 if severity == "error" else 0)
    (dataset,) = read_log(output)["datasets"]
    assert [problem["where"] for problem in dataset["problems"]] == [f"data_p1e4.npz:{where}"]
    assert set(dataset["arrays"]) == set(contents)
    if where != "probeGuess":
        assert dataset["probe"]["shape"] == [3, 3]
    if where not in ("diff3d", "scan_index"):
        assert dataset["stats"]["grouped"]["n_patterns"] == 4


@pytest.mark.parametrize("index", [[-5, 10**12, -5, 0], [2**63 - 1, -(2**63), 0, 0]])
def test_scan_indices_may_be_any_integers(root: Path, output: Path, index: list[int]) -> None:
    np.savez(root / "data_p1e4.npz", **arrays() | {"scan_index": np.array(index)})
    assert log(root, output).returncode == 0
    assert read_log(output)["datasets"][0]["stats"]["grouped"]["n_unique_scans"] == 3


def test_a_mislabelled_file_is_a_warning(sweep: Path, output: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    shutil.copy(sweep / "data_p1e5.npz", root / "data_p1e6.npz")
    done = log(root, output)
    assert done.returncode == 0
    assert "warning: data_p1e6.npz:photons: its name says 1e6 photons per pattern, but" in done.stderr
    assert read_log(output)["datasets"][0]["photons"]["ratio"] == pytest.approx(0.1, rel=0.01)


@pytest.mark.parametrize("name", ["data_p0.npz", "data_p1e-400.npz", "data_p1e400.npz", "data_p1\u0663.npz"])
def test_a_dose_that_is_no_number_of_photons(root: Path, output: Path, name: str) -> None:
    (root / "data_p1e4.npz").rename(root / name)
    done = log(root, output)
    assert (done.returncode, done.stderr) == (0, "")
    assert read_log(output)["datasets"][0]["dose"] is None


def test_two_spellings_of_one_dose_are_a_warning(root: Path, output: Path) -> None:
    shutil.copy(root / "data_p1e4.npz", root / "data_p1e04.npz")
    done = log(root, output)
    assert done.returncode == 0
    assert "claim one and the same dose, spelled differently: data_p1e04.npz, data_p1e4.npz" in done.stderr


def test_a_name_without_a_dose_is_no_problem(root: Path, output: Path) -> None:
    (root / "data_p1e4.npz").rename(root / "data_p1x.npz")
    done = log(root, output)
    assert (done.returncode, done.stderr) == (0, "")
    (dataset,) = read_log(output)["datasets"]
    assert (dataset["photon_dose"], dataset["photons"]["expected"]) == (None, None)
    assert "(photon dose: unknown)" in (output / "dose_parity_log.md").read_text()


STRANGE = [b"data_p1 e5.npz", b"data_p1|e5.npz", b"data_p1\ne5.npz", b"data_p1<b>&.npz", b"data_p1\xff\xfe.npz"]
STRANGE += [b"data_p1\\e5.npz", b"data_p1\x1b[31m.npz", b"data_p1`x`*y*_z_.npz", "data_p1größe.npz".encode()]


@pytest.mark.parametrize("name", STRANGE)
def test_strange_names(root: Path, output: Path, name: bytes) -> None:
    (root / "data_p1e4.npz").rename(root / os.fsdecode(name))
    done = log(root, output)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert read_log(output)["total_datasets"] == 1
    subprocess.run(
        ["sha256sum", "--strict", "-c", output / "SHA256SUMS"], cwd=root, check=True, capture_output=True, timeout=120
    )


# --- bad scenarios -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.touch(), "is a file"),
        (lambda path: path.mkdir(), "holds no file named data_p[0-9]*.npz"),
    ],
    ids=["missing", "file", "empty"],
)
def test_no_datasets(tmp_path: Path, output: Path, make: Any, message: str) -> None:
    make(tmp_path / "root")
    (tmp_path / "params.dill").write_bytes(dill.dumps({"N": 64}))
    done = log(tmp_path / "root", output, "--baseline-params", tmp_path / "params.dill")
    assert done.returncode == 1
    assert message in done.stderr
    record = read_log(output)
    assert (record["total_datasets"], record["baseline_params"]["N"]) == (0, 64)


@pytest.mark.parametrize("name", ["data_p1e7.npz", "../root/data_p1e4.npz", "..", "/etc/hostname"])
def test_a_limit_that_is_not_there_lists_what_is(root: Path, output: Path, name: str) -> None:
    done = log(root, output, "--limit-datasets", f"data_p1e4.npz,{name}")
    assert done.returncode == 1
    assert f"{name} is not in {root}; there is: data_p1e4.npz" in done.stderr
    assert read_log(output)["total_datasets"] == 1


def test_params_are_looked_at_first(root: Path, output: Path) -> None:
    bad(root / "data_p1e3.npz", "text")
    done = log(root, output, "--baseline-params", root / "parms.dill")
    assert done.returncode == 1
    assert done.stderr.index("parms.dill") < done.stderr.index("data_p1e3.npz")
    record = read_log(output)
    assert (record["baseline_params"], record["total_datasets"]) == ({}, 2)
    assert record["metadata"]["params_read"] is None


@pytest.mark.parametrize("content", [b"", b"\x80\x04", dill.dumps([1]), dill.dumps({1: 2}), b"cos\nsystem\n(S'x'\ntR."])
def test_params_that_cannot_be_read(root: Path, output: Path, content: bytes) -> None:
    (root / "params.dill").write_bytes(content)
    done = log(root, output, "--baseline-params", root / "params.dill")
    assert done.returncode == 1
    assert f"params file {root / 'params.dill'} cannot be read" in done.stderr
    assert read_log(output)["total_datasets"] == 1


def test_params_full_of_unknown_classes(root: Path, output: Path) -> None:
    from tests.support.pickles import Foreign, dumps

    params = {"N": 64, "intensity_scale": Foreign("m", "Unknown"), "label": Foreign("m", "Other"), "mae": [1.0, 2.0]}
    (root / "params.dill").write_bytes(dumps(params))
    done = log(root, output, "--baseline-params", root / "params.dill")
    assert done.returncode == 0
    assert "intensity_scale in" in done.stderr
    assert "an object (m.Unknown)" in done.stderr
    record = read_log(output)
    assert (record["baseline_params"]["N"], record["baseline_params"]["label"]) == (64, None)
    assert record["metrics"] == {"mae": [1.0, 2.0]}


def test_trusting_the_params_is_recorded(root: Path, output: Path) -> None:
    (root / "params.dill").write_bytes(dill.dumps({"N": 64}))
    assert log(root, output, "--baseline-params", root / "params.dill", "--trust-params").returncode == 0
    assert read_log(output)["metadata"]["params_read"] == "trusted"


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["log", "--no-such-option"],
        ["log", "--limit-datasets", ","],
        ["demo", "--frames", "0"],
        ["demo", "--doses", "x"],
        ["demo", "--layout", "cubes"],
    ],
)
def test_wrong_usage(arguments: list[str]) -> None:
    done = d0parity(*arguments)
    assert (done.returncode, "usage:" in done.stderr) == (2, True)


# --- output that cannot be written -------------------------------------------------------------


@pytest.mark.parametrize("option", ["--dose=(", "--reference=none", "--accept=x"])
def test_the_log_of_an_earlier_run_does_not_stay_as_if_it_were_this_ones(
    root: Path, output: Path, tmp_path: Path, option: str
) -> None:
    log(root, output)
    log(root, tmp_path / "new", "--reference", output / LOG)
    assert read_log(tmp_path / "new")["verdict"] == "match"
    assert log(root, tmp_path / "new", option).returncode in (1, 2)
    left = read_log(tmp_path / "new")
    assert left["verdict"] == "incomplete"
    assert "this log is of an earlier run: a later one could not begin" in left["problems"][-1]["message"]
    assert log(root, output, option, "--reference", output / LOG).returncode != 0
    assert read_log(output)["verdict"] == "recorded"  # the reference stays what it is


def test_an_output_that_is_a_file(root: Path, output: Path) -> None:
    output.write_text("mine")
    done = log(root, output)
    assert (done.returncode, f"output {output} is a file" in done.stderr) == (1, True)
    assert output.read_text() == "mine"


@pytest.fixture
def full_disk(tmp_path: Path) -> Any:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True, timeout=120).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True, timeout=120)


def test_a_full_disk_leaves_the_old_log(root: Path, full_disk: Path) -> None:
    assert log(root, full_disk).returncode == 0
    before = (full_disk / "dose_parity_log.json").read_bytes()
    with pytest.raises(OSError, match="No space"):
        (full_disk / "filler").write_bytes(bytes(1 << 20))
    done = log(root, full_disk)
    assert done.returncode == 1
    assert "cannot be written: No space left on device; nothing in " in done.stderr
    assert (full_disk / "dose_parity_log.json").read_bytes() == before
    assert not list(full_disk.glob(".d0parity-*"))


def test_a_link_to_the_log_stays_a_link(root: Path, output: Path, tmp_path: Path) -> None:
    output.mkdir()
    (output / "dose_parity_log.json").symlink_to(tmp_path / "elsewhere.json")
    assert log(root, output).returncode == 0
    assert (output / "dose_parity_log.json").is_symlink()
    assert json.loads((tmp_path / "elsewhere.json").read_text())["total_datasets"] == 1


def test_the_history_is_brought_up_to_date(root: Path, output: Path, tmp_path: Path) -> None:
    (tmp_path / "plan.md").write_text("# Plan\n")
    assert log(root, output, "--scenario-id", "SIM", "--history", tmp_path / "plan.md").returncode == 0
    assert "### [SIM] D0 parity evidence" in (tmp_path / "plan.md").read_text()


def test_a_history_that_is_not_there_leaves_the_log(root: Path, output: Path, tmp_path: Path) -> None:
    done = log(root, output, "--history", tmp_path / "nowhere.md")
    assert (done.returncode, "nowhere.md cannot be brought up to date" in done.stderr) == (1, True)
    assert read_log(output)["total_datasets"] == 1


# --- people ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_what_was_finished(root: Path, output: Path, name: signal.Signals) -> None:
    make_endless(root / "data_p1e5.npz")
    command = [*COMMAND, "log", "--jobs", "1", "--dataset-root", root, "--output", output]
    with started(command, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: reads(process.pid, ENDLESS), "the second dataset is read")
        process.send_signal(name)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + name
    assert "Traceback" not in errors
    assert "interrupted: 1 of 2 datasets measured; those are kept, and a rerun takes them from the cache" in errors
    assert errors.endswith(f"note: interrupted by {'Ctrl-C' if name == signal.SIGINT else name.name}\n")
    record = read_log(output)
    assert [dataset["filename"] for dataset in record["datasets"]] == ["data_p1e4.npz"]
    assert record["verdict"] == "incomplete"
    assert "these were not measured in this run: data_p1e5.npz" in record["problems"][0]["message"]
    if name == signal.SIGTERM:
        (root / "data_p1e5.npz").unlink()
        assert subprocess.run(command, capture_output=True, check=False, timeout=120).returncode == 0
        assert read_log(output)["metadata"]["from_cache"] == ["data_p1e4.npz"]


# --- the files of one run belong together ------------------------------------------------------

OTHERS = [DIGEST, PAGE, PICTURES, PROBE_TABLE, STAGE_TABLE]


def test_each_file_names_the_log_that_it_tells_of(root: Path, output: Path) -> None:
    assert log(root, output).returncode == 0
    sha256 = sha256_file(str(output / LOG))
    for name in (DIGEST, PAGE):
        assert sha256 in (output / name).read_text(encoding="utf-8")
    for name in (PROBE_TABLE, STAGE_TABLE):
        rows = list(csv.reader((output / name).read_text(encoding="utf-8").splitlines()))
        assert {row[-1] for row in rows} == {"log_sha256", sha256}
    with np.load(output / PICTURES) as probes:
        assert str(probes["log_sha256"]) == sha256


def test_files_of_two_runs_are_told(root: Path, output: Path, tmp_path: Path) -> None:
    np.savez(root / "data_p1e6.npz", **arrays())
    assert log(root, output).returncode == 0
    kept = {name: (output / name).read_bytes() for name in OTHERS}
    assert log(root, output, "--limit-datasets", "data_p1e4.npz").returncode == 0
    assert "two runs" not in d0parity("report", output / LOG).stderr
    for name, content in kept.items():  # as a kill before they had their names leaves them
        (output / name).write_bytes(content)
    said = f"{output} holds files of two runs: {', '.join([DIGEST, PAGE, PROBE_TABLE, STAGE_TABLE, PICTURES])} are of "
    done = d0parity("verify", output / LOG, "--dataset-root", root, "--output", tmp_path / "receipt")
    assert (done.returncode, said in done.stderr) == (3, True)  # 3: there is a dataset more
    done = d0parity("bundle", output / LOG, "--dataset-root", root, "--output", tmp_path / "bag")
    assert (done.returncode, f"{output / DIGEST} is not of this log" in done.stderr) == (1, True)
    assert said in d0parity("report", output / LOG, "--output", tmp_path / "page").stderr
    done = log(root, output)
    assert (done.returncode, f"note: {said}" in done.stderr, "they are replaced" in done.stderr) == (0, True, True)
    assert "two runs" not in log(root, output).stderr


def test_one_file_that_cannot_be_written_keeps_all(root: Path, output: Path) -> None:
    np.savez(root / "data_p1e6.npz", **arrays())
    assert log(root, output, "--limit-datasets", "data_p1e4.npz").returncode == 0
    (output / STAGE_TABLE).unlink()
    (output / STAGE_TABLE).mkdir()
    before = {path.name: path.read_bytes() for path in output.iterdir() if path.is_file()}
    done = log(root, output)
    assert done.returncode == 1
    assert (
        f"{output / STAGE_TABLE} cannot be written: it is a directory, not a file; nothing in {output} was replaced"
        in done.stderr
    )
    assert {path.name: path.read_bytes() for path in output.iterdir() if path.is_file()} == before


def test_another_run_holds_the_folder(tmp_path: Path) -> None:
    said: list[str] = []
    path = str(tmp_path / "lock")
    code = (
        "import sys, filelock; lock = filelock.FileLock(sys.argv[1]); lock.acquire()\n"
        "print('held', flush=True); input()"
    )
    with started(
        [sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(LockError, match=r"the folder is held by another process, for 0\.2 s now"),
            locked(path, "the folder", said.append, patience=0.1, limit=0.2),
        ):
            pytest.fail("it is held")
    assert said == [f"waiting for the folder, which another process holds by {path}"]
    with locked(path, "the folder", said.append):
        pass
    assert len(said) == 1


def test_where_there_are_no_locks_the_work_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def acquire(*_: Any, **__: Any) -> None:
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr("filelock.FileLock.acquire", acquire)
    said: list[str] = []
    with locked(str(tmp_path / "lock"), "the folder", said.append):
        pass
    assert said == ["the folder is not locked, so no other run should write there now: the file system has no locks"]


def test_the_progress_bar_moves_within_a_file_on_a_terminal(sweep: Path, output: Path) -> None:
    leader, follower = pty.openpty()
    command = [*COMMAND, "log", "--dataset-root", sweep, "--output", output]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "80"}
    shown = b""
    with started(command, stderr=follower, stdout=subprocess.DEVNULL, env=environment) as process:
        os.close(follower)
        with contextlib.suppress(OSError):  # how a pseudo-terminal says that nobody is left
            while piece := os.read(leader, 4096):
                shown += piece
        assert process.wait(timeout=60) == 0
    os.close(leader)
    assert b"data_p1e" in shown
    assert b" %" in shown


def test_no_progress_bar_where_nobody_looks(root: Path, output: Path) -> None:
    assert log(root, output).stderr == ""


def test_output_into_a_closed_pipe() -> None:
    done = subprocess.run(
        f"{sys.executable} -m pytest_d0parity schema | head -c 1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.stdout, done.stderr) == ("{", "")


def test_the_schema_is_printed() -> None:
    schema = json.loads(d0parity("schema").stdout)
    assert schema == json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("arguments", [["schema"], ["--help"], ["log", "--help"]])
def test_a_subcommand_imports_only_what_it_needs(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom pytest_d0parity.cli import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
        "print(sorted({'dill', 'rich', 'pytest', 'isal', 'tensorflow'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(
    "streams", [">&-", "2>&-", ">/dev/full", "2>/dev/full", ">/dev/full 2>&1", "| true", "2>&1 | true"]
)
def test_whether_anybody_listens_decides_nothing(root: Path, output: Path, streams: str) -> None:
    shutil.copy(root / "data_p1e4.npz", root / "data_p1e5_v2.npz")  # something to complain about
    (root / "data_p1e6.npz").touch()
    command = f"{sys.executable} -m pytest_d0parity log --dataset-root {root} --output {output} {streams}"
    done = subprocess.run(
        ["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert read_log(output)["total_datasets"] == 3


def test_a_terminal_that_knows_ascii_only(root: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = log(root, tmp_path / "größe", env=environment)
    assert done.returncode == 0
    assert r"gr\xf6\xdfe" in done.stdout


# --- demo --------------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", ["20", "40"])
def test_demo_records_matches_drifts_and_is_simulated_anew(tmp_path: Path, frames: str) -> None:
    done = d0parity("demo", "--output", tmp_path / "demo", "--frames", frames, "--doses", "1e4,1e8")
    assert (done.returncode, done.stderr) == (0, "")
    logs = {name: read_log(tmp_path / "demo" / name) for name in DEMO}
    assert {name: log["verdict"] for name, log in logs.items()} == DEMO
    (finding,) = logs["drift"]["findings"]
    assert (finding["proof"], finding["datasets"]) == ("factor", ["data_p1e8.npz"])
    assert "every statistic of raw is the reference's times 1.0200. Next: divide diff3d by 1.0200" in done.stdout
    assert logs["anew-statistics"]["metadata"]["compare"] == "statistics"
    record = logs["parity"]
    assert [dataset["photons"]["quantized"] for dataset in record["datasets"]] == [True, True]
    assert record["baseline_params"]["label"] == "simulated_baseline"
    assert str(tmp_path / "demo" / "parity" / "dose_parity_log.md") in done.stdout


DEMO = {
    "parity": "recorded",
    "again": "match",
    "drift": "drift",
    "anew-bytes": "drift",
    "anew-statistics": "within_thresholds",
}


def test_demo_of_another_layout_where_pytest_loads_no_plugin_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    done = d0parity("demo", "--output", tmp_path / "demo", "--frames", "20", "--doses", "1e4,1e5", "--layout", "gain")
    assert (done.returncode, done.stderr) == (0, "")
    assert "pytest -p d0parity --parity-scenario=DEMO" in done.stdout
    logs = {name: read_log(tmp_path / "demo" / name) for name in DEMO}
    assert {name: log["verdict"] for name, log in logs.items()} == DEMO
    with np.load(tmp_path / "demo" / "sweep" / "data_p1e4.npz") as file:
        counts = file["diff3d"] / 0.37
    assert np.abs(counts - np.rint(counts)).max() < 1e-4


def test_demo_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "demo").touch()
    done = d0parity("demo", "--output", tmp_path / "demo", "--frames", "1", "--doses", "1e4")
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
