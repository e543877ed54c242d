"""Reading files in pieces, and their SHA-256."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from pytest_d0parity.util.files import SHA256_PATTERN, is_sha256, open_hashed, open_regular, read_pieces, sha256_file

DATA = bytes(range(256)) * 10_000  # of three pieces, the last one short
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.write_bytes(DATA)
    return path


@pytest.mark.parametrize("start", [0, 5])
@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 10**9])
def test_a_file_is_read_in_pieces_from_its_position(file: Path, start: int, size: int) -> None:
    with open_regular(file) as opened:
        opened.seek(start)
        pieces = [bytes(piece) for piece in read_pieces(opened, size)]
    assert b"".join(pieces) == DATA[start : start + size]
    assert all(0 < len(piece) <= 1 << 20 for piece in pieces)


def test_progress_counts_every_byte_once(file: Path) -> None:
    lengths: list[int] = []
    assert sha256_file(file, lengths.append) == DIGEST
    assert sum(lengths) == len(DATA)


@pytest.mark.parametrize("follows", [False, True])
def test_reading_out_of_order_does_not_change_the_hash(file: Path, follows: bool) -> None:
    with open_hashed(file) as opened:
        opened.follows = follows
        for position, length in ((1 << 21, 7), (3, 100), (0, 50), (1 << 20, 1 << 20)):
            opened.seek(position)
            assert opened.read(length) == DATA[position : position + length]
        assert opened.sha256() == DIGEST


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (DIGEST, True),
        (DIGEST.upper(), False),
        (DIGEST[:-1], False),
        (DIGEST + "0", False),
        (DIGEST + "\n", False),
        ("g" * 64, False),
        (None, False),
        (int("1" * 64), False),
    ],
)
def test_what_a_sha256_looks_like(value: object, expected: bool) -> None:
    assert is_sha256(value) is expected
    if isinstance(value, str) and "\n" not in value:
        assert (re.search(SHA256_PATTERN, value) is not None) is expected
