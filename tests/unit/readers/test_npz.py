"""Reading NPZ files as a stream, against what NumPy itself writes and reads."""

from __future__ import annotations

import io
import os
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pytest_d0parity.readers import zip_member
from pytest_d0parity.readers.npz import NpzFile
from pytest_d0parity.readers.zip_member import NpzError
from tests.support.work import Work


def npy(array: Any, version: tuple[int, int] | None = None) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asanyarray(array), version)
    return file.getvalue()


def write_zip(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def read(path: Path, name: str = "a") -> np.ndarray:
    with NpzFile(path) as npz:
        assert not npz.broken
        return npz.read(npz.members[name]).copy()


def refusal(path: Path, name: str = "a") -> str:
    with NpzFile(path) as npz:
        if name in npz.broken:
            return npz.broken[name]
        with pytest.raises(NpzError) as caught:
            npz.read(npz.members[name])
        return str(caught.value)


@settings(max_examples=200)
@given(
    hnp.arrays(
        st.sampled_from(["?", "<i4", ">i8", "<f2", ">f4", "<f8", "<c8", ">c16", "<U3", "S4", "<M8[s]"]),
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6),
    ),
    st.sampled_from("CF"),
    st.sampled_from([np.savez, np.savez_compressed]),
    st.integers(1, 40),
)
def test_blocks_are_the_array_in_storage_order(
    tmp_path_factory: pytest.TempPathFactory, array: np.ndarray, order: Any, save: Any, step: int
) -> None:
    path = tmp_path_factory.mktemp("npz") / "x.npz"
    array = np.array(array, order=order)
    save(path, a=array)
    with NpzFile(path) as npz:
        member = npz.members["a"]
        sizes = [min(step, member.size - start) for start in range(0, member.size, step)]
        blocks = [block.tobytes() for block in npz.blocks(member, sizes)]
    assert (member.shape, member.dtype) == (array.shape, array.dtype)
    stored = array.tobytes("F" if member.fortran_order else "C")
    assert b"".join(blocks) == stored
    with zipfile.ZipFile(path) as archive:
        assert member.crc32 == zlib.crc32(archive.read("a.npy"))
        assert member.size_bytes == archive.getinfo("a.npy").file_size


@pytest.mark.parametrize("piece", [1, 7, 4096, 1 << 20])
def test_the_size_of_a_read_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    array = np.random.default_rng(0).integers(0, 50, 5000)
    np.savez_compressed(tmp_path / "x.npz", a=array)
    monkeypatch.setattr(zip_member, "PIECE", piece)
    assert np.array_equal(read(tmp_path / "x.npz"), array)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_npy_version(tmp_path: Path, version: tuple[int, int]) -> None:
    array = np.arange(6.0).reshape(2, 3)
    assert np.array_equal(read(write_zip(tmp_path / "x.npz", {"a.npy": npy(array, version)})), array)


def test_field_names_of_version_3(tmp_path: Path) -> None:
    array = np.zeros(3, [("größe", "f4"), ("日", "i2")])
    with NpzFile(write_zip(tmp_path / "x.npz", {"a.npy": npy(array, (3, 0))})) as npz:
        assert npz.members["a"].dtype == array.dtype


def test_zip64_members(tmp_path: Path) -> None:
    array = np.arange(100)
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("a.npy", "w", force_zip64=True) as member:
        member.write(npy(array))
    assert np.array_equal(read(path), array)


def test_members_written_to_a_pipe_have_their_sizes_behind_them(tmp_path: Path) -> None:
    class Unseekable(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *args: Any) -> int:
            raise OSError

        def tell(self) -> int:
            raise OSError

    file = Unseekable()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", npy(np.arange(1000)))
    (tmp_path / "x.npz").write_bytes(file.getvalue())
    assert np.array_equal(read(tmp_path / "x.npz"), np.arange(1000))


def test_a_link_is_followed(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.arange(3))
    (tmp_path / "y.npz").symlink_to("x.npz")
    assert np.array_equal(read(tmp_path / "y.npz"), np.arange(3))


def test_only_headers_are_read_of_arrays_that_nobody_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, big=np.zeros(10_000_000, np.uint8), a=np.arange(3))
    lengths = []
    pread = zip_member.MemberStream._read_compressed
    monkeypatch.setattr(
        zip_member.MemberStream, "_read_compressed", lambda self, limit: lengths.append(limit) or pread(self, limit)
    )
    read(path)
    assert sum(lengths) < 1000


# --- what is not an NPZ file -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"just text", "not an NPZ"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n", "git lfs pull"),
        (npy(np.arange(3)), "numpy.savez"),
        (b"PK\x05\x06" + bytes(18), "without a single array"),
        (b"PK\x03\x04 and no more", "directory cannot be read"),
        (b"\x80\x04K\x07.", "not an NPZ"),
    ],
)
def test_what_is_no_archive_is_told_apart(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(NpzError, match=message):
        NpzFile(tmp_path / "x.npz")


def test_a_fifo_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.npz")
    with pytest.raises(OSError, match="not a regular file"):
        NpzFile(tmp_path / "x.npz")


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        NpzFile(tmp_path)


# --- what is wrong with a member ---------------------------------------------------------------


def two_members(path: Path, bad: bytes, name: str = "a.npy") -> Path:
    return write_zip(path, {name: bad, "good.npy": npy(np.arange(3))})


def header(descr: str, length: int | None = None) -> bytes:
    text = descr.encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) if length is None else length) + text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no array at all", "not an .npy array"),
        (b"short", "too short"),
        (npy(np.arange(8))[:-1], "holds 63 bytes"),
        (npy(np.arange(8)) + b"x", "holds 65 bytes"),
        (b"\x93NUMPY\x09\x00" + bytes(100), "version 9.0"),
        (header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }"), "impossible shape"),
        (header("{'descr': '<f8', 'fortran_order': False, 'shape': (10**9,), }"), "header cannot be read"),
        (header("__import__('os').abort()"), "header cannot be read"),
        (header("(" * 5000), "header cannot be read"),
        (header("{'descr': '<f8', (\n"), "header cannot be read"),
        (header("{'descr': (), 'fortran_order': False, 'shape': ()}"), "header cannot be read"),
        (header("{'descr': ('<f8', (2,)), 'fortran_order': False, 'shape': (6,)}"), "array as its dtype"),
        (header("{'descr': '<f8', 'fortran_order': False, 'shape': (0x" + "F" * 5000 + ",)}"), "impossible shape"),
        (header("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 0x" + "F" * 5000 + ")}"), "impossible shape"),
        (header("{'descr': '<f8', 'fortran_order': False, 'shape': (" + "1," * 70 + ")}"), "impossible shape"),
        (header("{'descr': 'nonsense', 'fortran_order': False, 'shape': ()}"), "header cannot be read"),
        (header("{}", 60_000) + bytes(60_000), "at most 10000"),
        (header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"), "holds 0 bytes"),
        (npy(np.array([None]), None), "object array"),
    ],
)
def test_a_bad_member_is_told_and_the_others_are_there(tmp_path: Path, content: bytes, message: str) -> None:
    path = two_members(tmp_path / "x.npz", content)
    assert message in refusal(path)
    with NpzFile(path) as npz:
        assert np.array_equal(npz.read(npz.members["good"]), np.arange(3))


@pytest.mark.parametrize(
    "text",
    [
        "{" + " " * 9996 + "\0",
        "(" * 9999,
        "[" + "\f" * 9998,
        "{'descr': '<f8', " + "\\\n" * 4900 + "$",
        "{'descr': '<f8', " + " " * 9000 + "'shape': (3L,), 'fortran_order': False, $}",
        "{'descr': '" + "f8," * 3300 + "', 'fortran_order': False, 'shape': ()}",
        "{'descr': [" + "('','b')," * 1100 + "], 'fortran_order': False, 'shape': ()}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (" + "1L," * 3300 + ")}",
        "-" * 9998 + "1",
        "1" * 9999,
        "\u00e9 " * 4999,
    ],
    ids=range(11),
)
def test_a_header_costs_no_more_than_its_length_is_worth(tmp_path: Path, text: str) -> None:
    data = text.encode("latin-1")
    assert len(data) < 10_000
    npy = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(data)) + data
    path = write_zip(tmp_path / "x.npz", {f"{number}.npy": npy for number in range(10)})
    with Work() as work:
        NpzFile(path).close()
    assert work.yardsticks < 50


def test_numbers_of_python_2_in_a_header(tmp_path: Path) -> None:
    old = header("{'descr': '<i2', 'fortran_order': False, 'shape': (2L, 3L), }     \n") + bytes(12)
    assert read(write_zip(tmp_path / "x.npz", {"a.npy": old})).shape == (2, 3)


@pytest.mark.parametrize("name", ["../a.npy", "/../a.npy", "..\\a.npy", "x/../../a.npy", "C:/a.npy"])
def test_a_name_that_points_out_of_the_archive(tmp_path: Path, name: str) -> None:
    with NpzFile(two_members(tmp_path / "x.npz", npy([1]), name)) as npz:
        assert list(npz.members) == ["good"]
        assert "points out of the archive" in next(iter(npz.broken.values()))


def test_a_slash_at_the_beginning_is_read_as_numpy_reads_it(tmp_path: Path) -> None:
    path = two_members(tmp_path / "x.npz", npy([1]), "/entry/a.npy")
    with NpzFile(path) as npz, np.load(path) as loaded:
        assert list(npz.members) == loaded.files
        assert npz.read(npz.members["/entry/a"]) == [1]


@pytest.mark.parametrize("second", ["a.npy", "a"])
def test_two_members_of_one_name_are_ambiguous(tmp_path: Path, second: str) -> None:
    path = two_members(tmp_path / "x.npz", npy([1]))
    with zipfile.ZipFile(path, "a") as archive, pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)
        archive.writestr(second, npy([2]))
    with NpzFile(path) as npz:
        assert list(npz.members) == ["good"]
        assert "2 members have this name" in npz.broken["a"]


def patched(path: Path, signature: bytes, offset: int, value: bytes) -> Path:
    """Overwrite a field of the first local (PK34) or central (PK12) header."""
    data = bytearray(path.read_bytes())
    at = data.index(signature) + offset
    data[at : at + len(value)] = value
    path.write_bytes(data)
    return path


CENTRAL = b"PK\x01\x02"


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (8, b"\x01\x00", "encrypted"),
        (10, b"\x0c\x00", "compression method 12"),
        (16, b"\0\0\0\0", "CRC-32"),
        (20, struct.pack("<I", 20), "cannot hold"),
        (24, struct.pack("<I", 100), "bytes of data"),
        (42, struct.pack("<I", 5), "points to no member"),
        (42, struct.pack("<I", 0xFFFFFFF0), "points to no member"),
        (46, b"b.npy", "disagree about its name"),
    ],
)
def test_a_directory_that_lies(tmp_path: Path, offset: int, value: bytes, message: str) -> None:
    path = two_members(tmp_path / "x.npz", npy(np.zeros(4000)))
    patched(path, CENTRAL, offset, value)
    assert message in refusal(path, "b" if value == b"b.npy" else "a")


def test_a_size_that_cannot_be_is_not_allocated(tmp_path: Path) -> None:
    """A tiny member that announces a terabyte."""
    text = "{'descr': '<f8', 'fortran_order': False, 'shape': (400000000,), }".ljust(118)
    path = two_members(tmp_path / "x.npz", header(text))
    patched(path, CENTRAL, 24, struct.pack("<I", 10 + 118 + 3_200_000_000))
    assert "cannot hold" in refusal(path)


def test_what_is_said_of_a_header_is_the_same_every_time(tmp_path: Path) -> None:
    """No address and no Python version in it: problems are part of the evidence."""
    path = two_members(tmp_path / "x.npz", header("f(x)"))
    assert refusal(path) == "its .npy header cannot be read: it is damaged, or was not written by NumPy"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_no_flipped_byte_goes_unnoticed(tmp_path: Path, save: Any) -> None:
    """Every byte of the file in turn: an error in words, or values that are right all the same."""
    array = np.arange(40, dtype=np.int16)
    path = tmp_path / "x.npz"
    save(path, a=array)
    whole = path.read_bytes()
    for at in range(len(whole)):
        data = bytearray(whole)
        data[at] ^= 0x10
        path.write_bytes(data)
        try:
            with NpzFile(path) as npz:
                member = npz.members.get("a")
                if member is not None:
                    assert np.array_equal(npz.read(member), array), f"byte {at} was flipped"
        except NpzError:
            pass


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_no_truncation_goes_unnoticed(tmp_path: Path, save: Any) -> None:
    path = tmp_path / "x.npz"
    save(path, a=np.arange(40))
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(NpzError):
            NpzFile(path)


@pytest.mark.parametrize("name", ["größe", "数据", "a b", "é"])
def test_names_beyond_ascii(tmp_path: Path, name: str) -> None:
    np.savez(tmp_path / "a.npz", **{name: np.arange(3)})
    assert np.array_equal(read(tmp_path / "a.npz", name), np.arange(3))


@pytest.mark.parametrize("blank", [b"\xa0", b"\x1e", b"\x85"])
def test_a_blank_that_numpy_refuses_in_a_header_is_refused(tmp_path: Path, blank: bytes) -> None:
    content = npy(np.arange(3)).replace(b" \n", blank + b"\n", 1)
    with pytest.raises((ValueError, tokenize.TokenError)):  # the latter of Python 3.12
        np.load(io.BytesIO(content))
    assert "header cannot be read" in refusal(write_zip(tmp_path / "a.npz", {"a.npy": content}))
