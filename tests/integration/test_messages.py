"""What is said of hostile files: short, and harmless to the terminal."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import dill
import numpy as np
import pytest

from tests.support.command import LOG, d0parity, read_log

ESCAPE = "\x1b]0;owned\x07\x9b31m"
LONG = ESCAPE + "n" * 40_000


def assert_harmless(text: str) -> None:
    assert all(line.isprintable() for line in text.split("\n"))
    assert max(map(len, text.split("\n"))) < 1000


def messages(root: Path) -> list[str]:
    done = d0parity("log", "--dataset-root", root, "--output", root.parent / "out", "--no-cache")
    assert_harmless(done.stdout + done.stderr)
    log = read_log(root.parent / "out")
    found = [each["message"] for part in (log, *log["datasets"]) for each in part["problems"]]
    assert found
    return found


def archive(root: Path, members: dict[str, bytes]) -> Path:
    root.mkdir()
    with zipfile.ZipFile(root / "data_p1e5.npz", "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    return root / "data_p1e5.npz"


def header(descr: str) -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': (3,)}}".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "members",
    [
        {f"{LONG}.npy": b"no array"},
        {f"{LONG}{at}.npy": header("'<f8'") for at in range(3)},
        {"diff3d.npy": header(str([(f"field{at}", "<f8") for at in range(300)]))},
    ],
    ids=["a name", "names", "a dtype"],
)
def test_what_is_said_of_an_archive_is_short(tmp_path: Path, members: dict[str, bytes]) -> None:
    archive(tmp_path / "root", members)
    assert max(map(len, messages(tmp_path / "root"))) < 400


def test_a_name_that_goes_on_where_the_data_should_be(tmp_path: Path) -> None:
    path = archive(tmp_path / "root", {"a.npy": b"\x1b[31m" * 10_000})
    data = bytearray(path.read_bytes())
    data[26:28] = (40_000).to_bytes(2, "little")  # the length of the name in the member's own header
    path.write_bytes(data)
    (message,) = [each for each in messages(tmp_path / "root") if "disagree" in each]
    assert len(message) < 200


@pytest.mark.parametrize(
    "params",
    [
        dill.dumps([LONG]),
        dill.dumps({"a": {LONG: [1]}}),
        json.dumps({LONG: 1})[:-1].encode() + b"," + json.dumps(LONG).encode() + b": 2}",
        b"{" + LONG.encode(),
        b"c" + b"m" * 40_000 + b"\nn\n)R.",
    ],
    ids=["a list", "a key", "two keys", "no JSON", "a class"],
)
def test_what_is_said_of_params_is_short(pair: Path, tmp_path: Path, params: bytes) -> None:
    (tmp_path / "params").write_bytes(params)
    done = d0parity("log", "--dataset-root", pair, "--baseline-params", tmp_path / "params", "--output", tmp_path / "o")
    assert_harmless(done.stderr)


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": LONG},
        {"schema_version": [LONG] * 9},
        {"datasets": {LONG: 1}},
        {"params": {LONG: []}},
        {"baseline_params": {LONG: {}}},
    ],
)
def test_what_is_said_of_a_log_is_short(pair: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    d0parity("log", "--dataset-root", pair, "--output", tmp_path / "out")
    path = tmp_path / "out" / LOG
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    done = d0parity("compare", path, path)
    assert_harmless(done.stderr)


def test_a_name_on_the_command_line_cannot_control_the_terminal(pair: Path, tmp_path: Path) -> None:
    odd = tmp_path / ESCAPE
    for arguments in (
        ["log", "--dataset-root", odd],
        ["log", "--dataset-root", pair, "--baseline-params", odd, "--output", tmp_path / "out"],
        ["log", "--dataset-root", pair, "--reference", odd, "--output", tmp_path / "out"],
        ["log", f"--{ESCAPE}"],
        ["log", "--jobs", ESCAPE],
        ["compare", odd, odd],
        ["report", odd],
        ["verify", odd],
        ["bundle", odd, "--output", tmp_path / "bundle"],
        ["attest", odd],
        ["attest", odd, "--key", odd],
    ):
        done = d0parity(*arguments)
        assert done.returncode in (1, 2)
        assert_harmless(done.stderr)


def test_a_dataset_of_an_odd_name(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    np.savez(root / f"data_p1e5{ESCAPE}.npz", diff3d=np.full((2, 2, 2), np.nan))
    messages(root)
