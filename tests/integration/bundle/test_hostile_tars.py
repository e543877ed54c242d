"""Tars that mean harm, and what a check of one leaves."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.bundles import BASE, bagit_says, bundle, leftovers, sha256sum_says
from tests.support.command import COMMAND, LOG, d0parity
from tests.support.processes import started, wait_for


def member(name: str, data: bytes = b"x", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data if info.type in (tarfile.REGTYPE, tarfile.GNUTYPE_SPARSE) else b""


def sized(name: str, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, b"", **fields)


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        (member("../outside"), "its path leaves the folder of the tar"),
        (member(f"{BASE}/../outside"), "its path leaves the folder of the tar"),
        (member("/tmp/outside"), "its path leaves the folder of the tar"),
        (member(f"{BASE}/a\\..\\outside"), "its path leaves the folder of the tar"),
        (member("outside"), "it lies beside the folder of the tar"),
        (sized(f"{BASE}/link", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "it is no regular file"),
        (sized(f"{BASE}/link", type=tarfile.LNKTYPE, linkname=f"{BASE}/README.md"), "it is no regular file"),
        (sized(f"{BASE}/device", type=tarfile.CHRTYPE), "it is no regular file"),
        (sized(f"{BASE}/fifo", type=tarfile.FIFOTYPE), "it is no regular file"),
        (member(f"{BASE}/README.md"), "the tar holds it twice"),
        (member("other/file"), "more than the one folder"),
        (member(f"{BASE}/data/datasets/more.npz"), "extra"),
        (member(f"{BASE}/name\udcff"), "extra"),
    ],
)
@pytest.mark.parametrize("measure", [(), ("--measure",)])
def test_nothing_outside_is_written_or_believed(
    tar: Path, here: Path, verify: Any, extra: Any, why: str, measure: tuple[str, ...]
) -> None:
    before = {path for path in here.rglob("*") if "receipt" not in path.parts}
    with tarfile.open(tar, "a") as archive:
        info, data = extra
        archive.addfile(info, io.BytesIO(data))
    code, said, _ = verify(*measure, log="bag.tar")
    assert code in (1, 3), said
    assert why in said
    assert {path for path in here.rglob("*") if "receipt" not in path.parts} == before
    assert not Path("/tmp/outside").exists()


@pytest.mark.parametrize(
    "size",
    [
        b"\xff" * 12,  # -1
        b"\xff" * 10 + b"\xfe\0",  # -512: the next header is this one
        b"\x80" + b"\x7f" * 11,  # more than any disk holds
    ],
)
@pytest.mark.parametrize("kind", [b"0", b"5", b"x", b"g", b"L", b"S"])
def test_headers_that_announce_what_cannot_be(tar: Path, verify: Any, size: bytes, kind: bytes) -> None:
    header = tarfile.TarInfo("x").tobuf()
    header = header[:124] + size + header[136:]
    header = header[:156] + kind + header[157:]
    blank = header[:148] + b" " * 8 + header[156:]
    header = blank[:148] + b"%06o\0 " % sum(blank) + blank[156:]
    whole = tar.read_bytes()
    for place in (0, 512):
        tar.write_bytes(whole[:place] + header + whole[place:])
        code, said, _ = verify(log="bag.tar")
        assert code in (0, 1, 3)  # a header that says nothing of any file may be passed over
        assert "bag.tar" in said


@pytest.mark.timeout(60)  # it was hours
def test_a_header_that_would_take_for_ever(tar: Path, verify: Any) -> None:
    digits = b"1" * 60_000
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, len(digits)
    record = header.tobuf() + digits + bytes(-len(digits) % 512)
    tar.write_bytes(record * 200 + tar.read_bytes())
    code, said, _ = verify(log="bag.tar")
    assert (code, "more than 255 digits" in said) == (1, True)


@pytest.mark.parametrize("number", [1, -1])
def test_a_damaged_header_of_digits(tar: Path, verify: Any, number: int) -> None:
    """What stands where the tar seems to end is no header, and no harm."""
    with tarfile.open(tar) as archive:
        place = archive.getmembers()[number].offset
    data = bytearray(tar.read_bytes())
    data[place : place + 1024] = b"x" * 512 + b"1" * 512
    tar.write_bytes(data)
    code, said, _ = verify(log="bag.tar")
    assert code in (1, 3)
    assert "truncated or damaged" in said


def test_a_header_that_wants_all_memory(tar: Path, verify: Any) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 1 << 30
    tar.write_bytes(header.tobuf() + tar.read_bytes())
    os.truncate(tar, 2 << 30)
    code, said, _ = verify(log="bag.tar")
    assert (code, "a header announces 1073741824 bytes" in said) == (1, True)


def test_a_tar_is_cleaned_up_after_also_when_the_check_is_ended(tar: Path, here: Path) -> None:
    (here / "tmp").mkdir()
    for name in (signal.SIGTERM, signal.SIGINT):
        command = [*COMMAND, "verify", "bag.tar", "--measure", "--output", "receipt"]
        environment = os.environ | {"TMPDIR": str(here / "tmp")}
        with started(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=here, env=environment
        ) as process:
            wait_for(lambda: leftovers(here / "tmp"), "the tar is unpacked")
            for _ in range(3):
                process.send_signal(name)
            out, err = process.communicate(timeout=60)
        assert process.returncode in (128 + name, -name)
        assert "Traceback" not in err
        assert out.startswith("incomplete: ")
        assert list((here / "tmp").iterdir()) == []


def test_no_room_to_look_into_a_tar(tar: Path, verify: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10, 0, 10))  # type: ignore[attr-defined]
    assert verify(log="bag.tar")[0] == 0  # which unpacks nothing
    code, said, _ = verify("--measure", log="bag.tar")
    assert code == 1
    assert "set TMPDIR to a folder with more room" in said


def test_a_look_into_a_tar_leaves_nothing(tar: Path, here: Path, verify: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(here / "tmp"))
    assert verify("--measure", log="bag.tar")[0] == 0
    assert list((here / "tmp").iterdir()) == []


def test_the_real_sweep(photon_grid: Path, here: Path, verify: Any) -> None:
    options = ("--dataset-root", photon_grid, "--baseline-params", photon_grid / "params.dill")
    assert d0parity("log", *options, "--output", "real", cwd=here).returncode == 0
    for output in ("out", "out.tar"):
        assert bundle(*options, log=f"real/{LOG}", output=output) == 0
        assert verify(log=output)[0] == 0
    assert bagit_says(here / "out")[0] == 0
    assert sha256sum_says(here / "out") == (0, "")
