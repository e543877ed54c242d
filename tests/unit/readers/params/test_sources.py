"""What params are read from: dill files, JSON objects, and zips of either."""

from __future__ import annotations

import hashlib
import json
import math
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dill
import numpy as np
import pytest

from pytest_d0parity.readers.params.reader import ParamsError, read_params

DILL = dill.dumps({"N": 64, "probe": np.arange(4.0)})
LOCAL_FLAGS, CENTRAL_FLAGS = 6, 8  # where the flags of a member stand behind the start of its two headers


def zipped(path: Path, members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def refusal(path: Path, trusted: bool = False) -> str:
    with pytest.raises(ParamsError) as caught:
        read_params(path, trusted=trusted, shown_as="p")
    message = str(caught.value)
    assert message.isprintable()
    return message.removeprefix("params file p cannot be read: ")


# --- JSON -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [b"", b" \n", b"\xef\xbb\xbf"])
def test_a_json_object(tmp_path: Path, start: bytes) -> None:
    content = start + b'{"N": 64, "a": {"b": [1, null, true]}, "x": NaN, "y": -Infinity}'
    params = read_params(written(tmp_path / "p", content))
    assert math.isnan(params.values.pop("x"))
    assert params.values == {"N": 64, "a": {"b": [1, None, True]}, "y": -math.inf}
    assert (params.sha256, params.trusted, params.recovered) == (hashlib.sha256(content).hexdigest(), False, {})


@pytest.mark.parametrize("depth", [65, 300, 900, 1000, 5000])
@pytest.mark.parametrize(("opening", "closing"), [('{"k":', "}"), ('{"":', "}"), ("[", "]")])
def test_json_that_is_nested_too_deeply(tmp_path: Path, depth: int, opening: str, closing: str) -> None:
    text = '{"k":' + opening * depth + "1" + closing * depth + "}"
    assert refusal(written(tmp_path / "p", text.encode())) == "it is nested too deeply"


def test_json_of_very_many_values_is_not_even_parsed(tmp_path: Path) -> None:
    assert refusal(written(tmp_path / "p", b'{"a": [' + b"[]," * (4 << 20) + b"1]}")) == (
        "it holds more than 1,000,000 values"
    )
    # Commas in a text are no values, and a text without its end is no trap.
    (text,) = read_params(written(tmp_path / "p", json.dumps({"a": ',["\\' * 600_000}).encode())).values.values()
    assert len(text) == 2_400_000
    assert "is no JSON" in refusal(written(tmp_path / "p", b'{"a": "' + b',\\"' * 1_100_000))


def test_json_with_very_many_keys_is_refused_like_a_pickle_of_them(tmp_path: Path) -> None:
    keys = {f"k{number}": number for number in range(100_000)}
    for content in (json.dumps(keys).encode(), dill.dumps(keys)):
        assert refusal(written(tmp_path / "p", content)) == "a dict in it has more than 10,000 keys"


def test_a_very_long_key_is_said_to_be_that(tmp_path: Path) -> None:
    content = dill.dumps({"N": 64, "k" * 5000: 1})
    says = "its dictionary has a key of 5,000 characters, which is too long"
    assert refusal(written(tmp_path / "p", content)) == says


# --- zip ------------------------------------------------------------------------------------------


def test_a_zip_holds_the_params_in_any_folder(tmp_path: Path) -> None:
    path = zipped(tmp_path / "w.h5.zip", {"a/params.dill": DILL, "params.dill": DILL, "weights.h5": b"\x89HDF"})
    params = read_params(path)
    assert params.values["N"] == 64
    assert params.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_other_members_are_never_opened(tmp_path: Path) -> None:
    path = zipped(tmp_path / "z", {"params.dill": DILL, "config.json": b"{", "x.pkl": b"junk" * 99}, zipfile.ZIP_STORED)
    damaged = path.read_bytes().replace(b"junk", b"JUNK")
    assert read_params(written(path, damaged)).values["N"] == 64


def test_the_same_values_may_be_written_in_another_way(tmp_path: Path) -> None:
    members = {"a/config.json": b'{"N":64,"x":[NaN]}', "b/config.json": b'{"x": [NaN],\n "N": 64}'}
    assert read_params(zipped(tmp_path / "z", members)).values["N"] == 64


@pytest.mark.parametrize(
    ("one", "other", "key"),
    [
        ({"N": 64, "a": {"b": 1}}, {"N": 64, "a": {"b": 2}}, "a.b"),
        ({"N": 64}, {"N": 64, "new": None}, "new"),
        ({"N": 1}, {"N": True}, "N"),
        ({"p": np.arange(3.0)}, {"p": np.arange(3)}, "p"),
        ({"p": np.arange(3)}, {"p": np.arange(1, 4)}, "p"),
    ],
)
def test_the_first_key_that_differs_is_named(tmp_path: Path, one: Any, other: Any, key: str) -> None:
    path = zipped(tmp_path / "z", {"1/params.dill": dill.dumps(one), "2/params.dill": dill.dumps(other)})
    assert refusal(path) == f"1/params.dill and 2/params.dill in it do not say the same of {key}"


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({}, "it is a zip without a params.dill or a config.json"),
        ({"a.npy": b""}, "it is an NPZ file, the data; a params.dill is expected"),
        ({"a/params.dill": b"\x89HDF\r\n\x1a\n"}, "a/params.dill in it: it is an HDF5 file"),
        ({"config.json": b'{"N": 1, "N": 1}'}, "config.json in it: it says 'N' twice"),
        ({"a\x1b[31m\n/params.dill": b"."}, r"a\x1b[31m\n/params.dill in it: it "),
        ({"params.dill": b"0" * (65 << 20)}, "params.dill in it announces 68,157,440 bytes; 64 MiB are read"),
        ({f"{at}/params.dill": b"" for at in range(17)}, "it is a zip of 17 files params.dill; at most 16 are read"),
        (
            {f"{at}/config.json": b" " * (17 << 20) for at in range(4)},
            "the 4 files config.json in it announce 71,303,168 bytes; 64 MiB are read",
        ),
    ],
)
def test_a_zip_that_cannot_be_read(tmp_path: Path, members: dict[str, bytes], says: str) -> None:
    assert refusal(zipped(tmp_path / "z", members)).startswith(says)


def test_a_member_that_is_encrypted_or_packed_in_another_way(tmp_path: Path) -> None:
    path = zipped(tmp_path / "z", {"params.dill": DILL})
    content = bytearray(path.read_bytes())
    content[LOCAL_FLAGS] |= 1
    content[content.rfind(b"PK\x01\x02") + CENTRAL_FLAGS] |= 1
    assert refusal(written(path, bytes(content))) == "params.dill in it is encrypted; save it without a password"
    lzma = zipped(tmp_path / "lzma", {"params.dill": DILL}, zipfile.ZIP_LZMA)
    assert refusal(lzma) == "params.dill in it uses zip compression method 14; 0 and 8 (deflate) are read"


def test_a_zip_that_is_damaged(tmp_path: Path) -> None:
    path = zipped(tmp_path / "z", {"params.dill": DILL}, zipfile.ZIP_STORED)
    content = path.read_bytes()
    flipped = content.replace(b"probe", b"proBe")
    assert re.match(r"params\.dill in it: its CRC-32 is .*damaged; copy it again", refusal(written(path, flipped)))
    assert "the file is damaged; copy it again" in refusal(written(path, content[:-30]))


def test_dill_itself_reads_what_is_in_a_zip_where_the_user_trusts_it(tmp_path: Path) -> None:
    params = read_params(zipped(tmp_path / "z", {"params.dill": DILL}), trusted=True)
    assert (params.trusted, params.values["N"]) == (True, 64)
