"""Honest params files: every plain key comes out, whatever lies beside it."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import functools
import io
import math
import os
import pathlib
import pickle
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import dill
import numpy as np
import pytest

from pytest_d0parity import ParamsError, Placeholder, load_params
from pytest_d0parity.readers.params.reader import read_params
from tests.support.pickles import Foreign, args, call, dumps, integer, name, text, value, wrap

ROOT = Path(__file__).parents[4]

PROTOCOLS = range(6)


@pytest.fixture
def load(tmp_path: Path) -> Any:
    def load(data: bytes) -> dict[str, Any]:
        (tmp_path / "params.dill").write_bytes(data)
        return load_params(tmp_path / "params.dill")

    return load


def same(ours: Any, theirs: Any) -> bool:
    """Equal in value and type; NaN equals NaN."""
    if isinstance(theirs, np.ndarray | np.generic):
        # Ours keeps the byte order of the file, NumPy's own loader turns it round.
        alike = type(ours) is type(theirs) and ours.dtype.newbyteorder("=") == theirs.dtype.newbyteorder("=")
        return alike and np.array_equal(ours, theirs, equal_nan=theirs.dtype.kind in "fc")
    if isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in theirs)
    if isinstance(theirs, list | tuple):
        return type(ours) is type(theirs) and len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(theirs, float) and math.isnan(theirs):
        return math.isnan(ours)
    return type(ours) is type(theirs) and bool(ours == theirs)


PLAIN = {
    "none": None,
    "flags": [True, False],
    "ints": [0, 1, -1, 255, 256, 65536, -(2**31), 2**63, -(2**100)],
    "floats": [0.0, -0.0, 1.5, math.inf, -math.inf, math.nan, 5e-324],
    "complex": 1 + 2j,
    "text": ["", "N", "größe", "日本", "\n\\'\"", "x" * 300],
    "bytes": [b"", b"\x00\xff\n", b"y" * 300],
    "bytearray": bytearray(b"\x80abc"),
    "nested": {"a": [1, (2, [3, {"b": ()}])], "c": {}},
    "sets": [set(), {1, 2}, frozenset({"a", ("b", 1)})],
    "keys": {1: "a", (1, "x"): "b", None: "c", 2.5: "d", b"k": "e", True + 1: "f"},
    "slice": slice(1, None, 2),
    "range": range(3, 30, 4),
    "date": datetime.date(2026, 1, 2),
    "time": datetime.time(3, 4, 5, 6),
    "datetime": datetime.datetime(2026, 1, 2, 3, 4, 5, 6),
    "zone": datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=2), "CEST")),
    "delta": datetime.timedelta(1, 2, 3),
}
ARRAYS = {
    "f4": np.arange(6, dtype="<f4").reshape(2, 3),
    "big endian": np.arange(6, dtype=">f8").reshape(3, 2),
    "fortran": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "complex": np.array([[1 + 2j, np.nan]], np.complex64),
    "bool": np.array([True, False]),
    "ints": [np.arange(3, dtype=kind) for kind in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")],
    "half": np.array([1.5], np.float16),
    "0-d": np.array(3.5),
    "empty": np.empty((0, 4), np.float32),
    "text": np.array(["ab", "c"]),
    "bytes": np.array([b"ab", b"c"]),
    "slice": np.arange(20)[::3],
    "scalars": (np.float32(1.5), np.float64(np.nan), np.int64(7), np.bool_(True), np.complex128(1j), np.float16(2)),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("recurse", [False, True])
@pytest.mark.parametrize("values", [PLAIN, ARRAYS], ids=["plain", "arrays"])
def test_dill_files_give_what_dill_gives(load: Any, values: dict[str, Any], protocol: int, recurse: bool) -> None:
    # dill writes these two through a type table and eval, which nobody should follow.
    values = {key: value for key, value in values.items() if key not in ("slice", "range")}
    data = dill.dumps(values, protocol=protocol, recurse=recurse)
    assert same(load(data), dill.loads(data))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("values", [PLAIN, ARRAYS], ids=["plain", "arrays"])
def test_pickle_files_give_what_pickle_gives(load: Any, values: dict[str, Any], protocol: int) -> None:
    data = pickle.dumps(values, protocol)
    assert same(load(data), pickle.loads(data))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_collections_become_plain_containers(load: Any, protocol: int) -> None:
    values = {
        "ordered": collections.OrderedDict([("b", 1), ("a", [2])]),
        "default": collections.defaultdict(list, {"x": [1]}),
        "counter": collections.Counter("aab"),
        "deque": collections.deque([1, 2], maxlen=5),
    }
    expected = {"ordered": {"b": 1, "a": [2]}, "default": {"x": [1]}, "counter": {"a": 2, "b": 1}, "deque": [1, 2]}
    assert same(load(pickle.dumps(values, protocol)), expected)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_paths_become_text(load: Any, protocol: int) -> None:
    values = {"a": pathlib.PurePosixPath("/data/run 1/x.npz"), "b": pathlib.PurePosixPath("rel/x"), "c": Path()}
    assert load(pickle.dumps(values, protocol)) == {"a": "/data/run 1/x.npz", "b": "rel/x", "c": "."}


@pytest.mark.parametrize("module", ["numpy.core", "numpy._core"])
def test_arrays_of_either_numpy(load: Any, module: str) -> None:
    current = b"numpy._core" if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else b"numpy.core"
    data = pickle.dumps({"a": np.arange(3.0), "b": np.float32(2)}, 2).replace(current, module.encode())
    assert same(load(data), {"a": np.arange(3.0), "b": np.float32(2)})


def test_arrays_of_python_2_came_as_text(load: Any) -> None:
    raw = np.arange(3, dtype="<i4").tobytes()
    dtype = call(name("numpy", "dtype"), text("i4"), integer(0), integer(1))
    dtype += b"(" + integer(3) + text("<") + b"NNN" + integer(-1) + integer(-1) + integer(0) + b"tb"
    array = call(name("numpy.core.multiarray", "_reconstruct"), name("numpy", "ndarray"), b"K\x00\x85", b"U\x01b")
    array += b"(" + integer(1) + b"K\x03\x85" + dtype + b"\x89U" + bytes([len(raw)]) + raw + b"tb"
    assert same(load(wrap(array))["bad"], np.arange(3, dtype="<i4"))


# --- objects that only their own class could build ---------------------------------------------


class Colour(enum.Enum):
    RED = 1


class Node:
    def __init__(self) -> None:
        self.me = self
        self.data = {"self": self}


Point = collections.namedtuple("Point", "x y")


def strange_things() -> dict[str, Any]:
    """Whatever people leave in params: by reference and by value."""

    def closure(x: int = 3) -> int:
        return x + len(PLAIN)

    class Local:
        attribute = 1

        def method(self) -> int:
            return self.attribute

    return {
        "function": closure,
        "lambda": lambda x: x,
        "class": Local,
        "instance": Local(),
        "cyclic instance": Node(),
        "enum": Colour.RED,
        "namedtuple": Point(1, 2),
        "builtin": len,
        "type": float,
        "module": math,
        "decimal": decimal.Decimal("1.5"),
        "partial": functools.partial(int, base=2),
        "generator": np.random.default_rng(0),
        "object array": np.array([None, "x"], object),
        "structured": np.zeros(2, [("a", "f4")]),
        "masked": np.ma.masked_array([1, 2], [True, False]),
        "pattern": re.compile("a+"),
        "ellipsis": ...,
        "exception": ValueError("x"),
        "file": io.BytesIO(b"x"),
        "method": Local().method,
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("recurse", [False, True])
@pytest.mark.parametrize("kind", strange_things())
def test_no_object_hides_the_keys_beside_it(load: Any, kind: str, protocol: int, recurse: bool) -> None:
    values = {"good": 7, "bad": strange_things()[kind], "after": [1.5, {"x": "y"}], "array": np.arange(3)}
    try:
        data = dill.dumps(values, protocol=protocol, recurse=recurse)
    except Exception as error:  # dill's own limits are not ours
        pytest.skip(f"dill cannot write it: {type(error).__name__}")
    params = load(data)
    assert (params["good"], params["after"]) == (7, [1.5, {"x": "y"}])
    assert same(params["array"], np.arange(3))


def test_a_placeholder_keeps_name_and_arguments(load: Any) -> None:
    thing = load(dumps({"bad": Foreign("some.module", "Thing", 1, "two", Foreign("other", "Inner"))}))["bad"]
    assert isinstance(thing, Placeholder)
    assert thing.qualname == "some.module.Thing"
    assert thing.arguments[:2] == (1, "two")
    assert thing.arguments[2].qualname == "other.Inner"
    assert repr(thing) == "<some.module.Thing>"


def tensor(value: Any) -> Foreign:
    return Foreign("tensorflow.python.framework.ops", "convert_to_tensor", value)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_the_one_array_inside_an_object_stands_for_it(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "params.dill"
    array = np.arange(4.0).reshape(2, 2)
    path.write_bytes(dumps({"good": 7, "probe": tensor(array), "scale": tensor(np.float32(988.25))}, protocol))
    params = read_params(path)
    assert same(params.values, {"good": 7, "probe": array, "scale": np.float32(988.25)})
    assert params.recovered == dict.fromkeys(("probe", "scale"), "tensorflow.python.framework.ops.convert_to_tensor")


def test_a_variable_pickled_through_a_partial_is_recovered_under_its_own_name(tmp_path: Path) -> None:
    """As tf.Variable reduces: ``partial(ResourceVariable, initial_value=array, dtype=...)()``."""
    variable = name("tensorflow.python.ops.resource_variable_ops", "ResourceVariable")
    state = pickle.dumps({"initial_value": np.float32(3), "trainable": True, "name": "scale"}, 2)[2:-1]
    partial = call(name("functools", "partial"), variable) + b"(" + variable + b")" + state + b"Ntb"
    path = tmp_path / "params.dill"
    path.write_bytes(wrap(partial + b")R"))
    params = read_params(path)
    assert params.values["bad"] == np.float32(3)
    assert params.recovered == {"bad": "tensorflow.python.ops.resource_variable_ops.ResourceVariable"}


def test_two_arrays_inside_an_object_are_not_chosen_between(load: Any) -> None:
    thing = load(dumps({"bad": Foreign("m", "Pair", np.arange(2), np.arange(3))}))["bad"]
    assert isinstance(thing, Placeholder)


def test_what_is_more_than_its_array_is_not_taken_for_it(load: Any) -> None:
    values = {
        "masked": np.ma.masked_array([1.0, 2.0], [False, True], fill_value=0.0),
        "objects": np.array([np.float64(3.0), "a"], object),
        "generator": np.random.default_rng(0),
    }
    for data in (pickle.dumps(values), dill.dumps(values)):
        assert all(isinstance(value, Placeholder) for value in load(data).values())


def test_deep_chains_made_by_hand(load: Any) -> None:
    links = b"".join(text(f"k{n}") + name("m", "f") + (b"h\x01" if n else b"N") + b"\x85Rq\x01" for n in range(5000))
    assert len(load(b"\x80\x02}(" + links + b"u.")) == 5000


def test_transposed_arrays_of_newer_numpy(load: Any) -> None:
    array = np.arange(24.0).reshape(2, 3, 4).transpose(1, 0, 2)
    assert same(load(pickle.dumps({"a": array}, 5)), {"a": array})
    newer = call(name("numpy._core.numeric", "_frombuffer"), b"C\x04abcd", text("u1"), b"K\x02K\x02\x86", text("K"))
    newer = newer[:-2] + b"K\x01K\x00\x86tR"
    expected = np.frombuffer(b"abcd", "u1").reshape(2, 2).T
    assert same(load(wrap(newer))["bad"], expected)


def test_names_that_are_not_ascii_in_protocol_3(load: Any) -> None:
    data = b"\x80\x03}" + text("good") + b"K\x07s" + text("bad") + "cmodul\nGröße\n)Rs.".encode()
    assert load(data)["bad"].qualname == "modul.Größe"


def test_text_of_python_2_may_be_any_bytes(load: Any) -> None:
    assert load(b"(dS'a'\nS'\\xff\\8'\ns.") == {"a": "\xff\\8"}


def test_keys_that_are_numpy_text(load: Any) -> None:
    assert load(pickle.dumps({np.str_("N"): 3})) == {"N": 3}


def test_windows_paths(load: Any) -> None:
    values = {"a": pathlib.PureWindowsPath("C:\\data\\x.npz"), "b": pathlib.PureWindowsPath("//host/share/x")}
    assert load(pickle.dumps(values)) == {"a": "C:\\data\\x.npz", "b": "\\\\host\\share\\x"}


# --- refusals ----------------------------------------------------------------------------------


def cyclic() -> bytes:
    values: list[Any] = [1]
    values.append(values)
    return pickle.dumps({"a": values})


def nested(depth: int) -> bytes:
    return b"\x80\x02}" + text("a") + b"]" * depth + b"a" * (depth - 1) + b"s."


def laughs() -> bytes:
    """A list of lists of lists …, a few bytes for 10**30 values."""
    values: list[Any] = ["x"]
    for _ in range(30):
        values = [values] * 10
    return pickle.dumps({"a": values})


def much_text() -> bytes:
    return pickle.dumps({"a": ["x" * 1_000_000] * 100})


REFUSED = {
    "empty": (b"", "empty"),
    "text": (b"hello there", "it is damaged"),
    "git lfs": (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "truncated": (pickle.dumps(PLAIN)[:-30], "not a complete pickle"),
    "not a dict": (pickle.dumps([1, 2]), "holds a list"),
    "not a dict but an object": (dumps(Foreign("m", "Params")), "holds a m.Params"),
    "keys that are no text": (pickle.dumps({1: 2}), "key of type int"),
    "a key that is None": (pickle.dumps({None: 2}), "key of type NoneType"),
    "a key that is a tuple": (pickle.dumps({(1, 2): 2}), "key of type tuple"),
    "a number without an end": (b"(dS'a'\nF" + b"1" * 2_000_000, "not a complete pickle"),
    "contains itself": (cyclic(), "contains itself"),
    "too deep": (nested(1000), "nested more than"),
    "expands for ever": (laughs(), "expands to more than"),
    "too much text": (much_text(), "more than 64 MiB of text"),
    "too many keys": (pickle.dumps({"a": dict.fromkeys(range(10001), 0)}), "more than 10,000 keys"),
    "too many instructions": (b"\x80\x02" + b"N0" * 600_000 + b"}.", "instructions"),
    "two values": (b"\x80\x02}}.", "2 values are left"),
    "no value": (b"\x80\x02.", "0 values"),
    "nothing to pop": (b"\x80\x020.", "finds nothing"),
    "no such memo": (b"\x80\x02h\x07.", "finds nothing"),
    "half a pair": (b"\x80\x02}(" + text("a") + b"u.", "key without a value"),
    "out of band": (b"\x80\x05}" + text("a") + b"\x97s.", "out-of-band"),
    "a protocol to come": (b"\x80\x06}.", "pickle protocol 6; 0 to 5 are known"),
    "much JSON": (b"{" + b" " * (16 << 20) + b"}", "at most 16,777,216 are read"),
    "many values of JSON": (b'{"a": [' + b"[]," * 1_000_000 + b"1]}", "it holds more than 1,000,000 values"),
    "much text of wide characters": (
        dumps(dict.fromkeys("abc", None) | {"\U0001f600" + "x" * 10_000_000: 1}),
        "MiB of memory",
    ),
    "unknown objects without end": (
        b"\x80\x02}" + text("a") + b"](" + b"\x82\x01" * 60_000 + b"es.",
        "unknown classes",
    ),
    "unknown opcode": (b"\x80\x02\xff.", "not a complete pickle"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_names_the_file_and_the_reason(tmp_path: Path, case: str) -> None:
    data, reason = REFUSED[case]
    path = tmp_path / "params.dill"
    path.write_bytes(data)
    with pytest.raises(ParamsError, match=re.escape(reason)) as caught:
        load_params(path)
    assert str(path) in str(caught.value)


def test_what_is_no_file_is_refused_in_words(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "dangling").symlink_to("nowhere")
    for entry, reason in {
        "missing": "no such file",
        "fifo": "regular",
        "dangling": "no such",
        ".": "directory",
    }.items():
        with pytest.raises(ParamsError, match=reason):
            load_params(tmp_path / entry)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "params.dill").open("wb") as file:
        file.truncate(10 << 30)
    with pytest.raises(ParamsError, match="at most 64 MiB"):
        load_params(tmp_path / "params.dill")


def test_what_exceeds_a_cap_inside_an_object_hides_nothing(load: Any) -> None:
    values: list[Any] = ["x"]
    for _ in range(30):
        values = [values] * 10
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    many = dict.fromkeys(range(10_001))
    for inside in (values, deep, many, "x" * 5_000_000):
        params = load(dumps({"good": 7, "bad": Foreign("m", "Thing", inside), "after": tensor(np.arange(2))}))
        assert params["good"] == 7
        assert params["bad"].qualname == "m.Thing"
        assert same(params["after"], np.arange(2))


def test_objects_that_share_objects_are_not_expanded_for_ever(load: Any) -> None:
    thing = Foreign("m", "Leaf")
    for _ in range(40):
        thing = Foreign("m", "Pair", thing, thing)
    data = wrap(b"N" + b"0" + dumps(thing)[2:-1])
    assert load(data)["good"] == 7


def test_an_integer_that_is_too_big_becomes_a_placeholder(load: Any) -> None:
    params = load(pickle.dumps({"good": 7, "bad": 1 << 100_000, "fine": 1 << 4000}))
    assert params["bad"].qualname == "an integer of 100001 bits"
    assert params["fine"] == 1 << 4000


def test_keys_that_collide_at_will_are_not_hashed(load: Any) -> None:
    collide = {i * (2**61 - 1): i for i in range(9000)}
    assert load(pickle.dumps({"good": 7, "bad": collide}))["good"] == 7


def colliding_tuples(count: int) -> list[tuple[int, int]]:
    """Pairs of one and the same hash, by inverting the interpreter's own."""
    mask, p1, p2, p5 = (1 << 64) - 1, 11400714785074694791, 14029467366897019727, 2870177450012600261

    def turn(x: int, by: int) -> int:
        return (x << by | x >> 64 - by) & mask

    last = turn((0x1234567890ABCDEF - (2 ^ p5 ^ 3527539)) * pow(p1, -1, 1 << 64) & mask, 64 - 31)
    pairs: list[tuple[int, int]] = []
    first = 0
    while len(pairs) < count:
        first += 1
        lane = (last - (turn(p5 + first * p2 & mask, 31) * p1 & mask)) * pow(p2, -1, 1 << 64) & mask
        second = lane if lane < 1 << 63 else lane - (1 << 64)
        if abs(second) < 1 << 60:
            pairs.append((first, second))
    assert len({hash(pair) for pair in pairs}) == 1
    return pairs


def shared(thing: bytes, times: int) -> bytes:
    """A list of one thing, again and again."""
    return thing + b"q\x05" + b"0](" + b"h\x05" * times + b"e"


TUPLES = b"".join(pickle.dumps(pair, 2)[2:-1] for pair in colliding_tuples(20_000))
GREEDY = {
    "a name of a megabyte a million times": shared(shared(name("m" * 1_000_000, "n"), 1000), 1000),
    "tuples that hash alike": b"\x8f(" + TUPLES + b"\x90",
    "a long key compared again and again": text("k" * 1_000_000) + b"q\x010" + text("k" * 1_000_000)
    + b"q\x020}(h\x01N" + b"h\x02N" * 100_000 + b"u",
    "arguments copied by an unknown call": name("m", "f") + b"q\x010(" + b"N" * 50_000 + b"tq\x020]("
    + b"h\x01h\x02R" * 50_000 + b"e",
    "arguments copied by a decoder": name("builtins", "list") + b"q\x010](" + b"N" * 50_000 + b"e\x85q\x020]("
    + b"h\x01h\x02R" * 50_000 + b"e",
    "text copied by a decoder": name("_codecs", "encode") + b"q\x010" + text("\xff" * 1_000_000) + text("latin1")
    + b"\x86q\x020](" + b"h\x01h\x02R" * 50_000 + b"e",
    "a state copied by a decoder": name("dill._dill", "_create_array") + b"q\x010"
    + args(name("numpy._core.multiarray", "_reconstruct"), args(name("numpy", "ndarray"), b"K\x00\x85", b"C\x01b"),
           args(integer(1), integer(8_000_000) + b"\x85", text("u1"), b"\x89", b"\x96" + struct.pack("<Q", 8_000_000)
                + bytes(8_000_000)))
    + b"q\x020](" + b"h\x01h\x02R" * 20_000 + b"e",
    "one object in a thousand others": call(name("m", "f"), *[b"N"] * 90_000) + b"q\x010" + name("m", "g")
    + b"q\x020](" + b"h\x02h\x01\x85R" * 9000 + b"e",
    "a line that goes on for ever": b"F" + b"1" * 30_000_000,
    "a pair of a pair of a pair": b")" + b"2\x86" * 40,
    "a pair of a pair, which just fits": b")" + b"2\x86" * 16,
    "rows that share a row": shared(shared(b"(" + b"N" * 900 + b"t", 1000), 1000),
    "dictionaries that share a dictionary": b"}(" + b"".join(text(f"k{i}") + b"N" for i in range(9999)) + b"uq\x010"
    + b"}(" + b"".join(text(f"k{i}") + b"h\x01" for i in range(1000)) + b"u",
    "a large array under many names": name("numpy._core.numeric", "_frombuffer")
    + args(b"B" + struct.pack("<I", 60 << 20) + bytes(60 << 20), text("u1"), integer(60 << 20) + b"\x85", text("C"))
    + b"Rq\x010}(" + b"".join(text(f"k{i}") + b"h\x01" for i in range(9000)) + b"u",
    "many sets": b"](" + b"\x8f" * 240_000 + b"e",
    "many extension codes": b"](" + b"\x82\x01" * 240_000 + b"e",
    "many persistent ids": b"](" + b"Pab\n" * 240_000 + b"e",
    "many numbers": b"](" + b"K\x01" * 199_000 + b"e",
    "many long numbers": b"](" + (b"L" + b"1" * 4000 + b"L\n") * 15_000 + b"e",
    "a text of wide characters": text("\U0001f600" + "a" * (60 << 20)),
    "texts of wide characters": b"](" + text("\U0001f600" + "a" * (4 << 20)) * 14 + b"e",
    "names of wide characters": b"](" + (b"cm\xf0\x9f\x98\x80" + b"m" * 800 + b"\nn\n") * 70_000 + b"e",
    "bytes": b"B" + struct.pack("<I", 60 << 20) + b"\xff" * (60 << 20),
    "a bytearray": b"\x96" + struct.pack("<Q", 60 << 20) + b"\xff" * (60 << 20),
    "a copy of bytes": name("builtins", "bytearray") + b"B" + struct.pack("<I", 60 << 20) + bytes(60 << 20) + b"\x85R",
    "an integer": b"\x8b" + struct.pack("<I", 60 << 20) + b"a" * (60 << 20),
}  # fmt: skip


PATIENCE = 50  # yardsticks, some 3 s on a quiet machine, where the slowest of these takes 1 s


@pytest.mark.parametrize("case", GREEDY)
def test_a_greedy_file_is_read_or_refused_soon_and_in_little_memory(tmp_path: Path, case: str) -> None:
    path = tmp_path / "params.dill"
    path.write_bytes(wrap(GREEDY[case]))
    code = (
        "import sys\n"
        "from pytest_d0parity.capture.baseline_run import leaves_of, params_record, read_baseline\n"
        "from pytest_d0parity.readers.params.reader import ParamsError, read_params\n"
        "from tests.support.work import Work\n"
        "def peak():\n"
        "    return int(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])\n"
        "with Work() as work:\n"
        "    open('/proc/self/clear_refs', 'w').write('5')\n"
        "    before = peak()\n"
        "    try:\n"
        "        params = read_params(sys.argv[1]).values\n"
        "        assert params['good'] == 7\n"
        "        params_record(leaves_of(params).values, read_baseline(params).taken)\n"
        "    except ParamsError:\n        pass\n"
        "    more = peak() - before\n"
        "print(work.yardsticks, more * 1024 / 1e6)\n"
    )
    command = [sys.executable, "-c", code, path]
    done = subprocess.run(command, check=True, timeout=60, capture_output=True, text=True, cwd=ROOT)
    yardsticks, megabytes = map(float, done.stdout.split())
    assert yardsticks < PATIENCE
    assert megabytes < 150


@pytest.mark.parametrize("shape", [(0, 2**47, 2**47), (2**47, 0, 2**47), (1,) * 33, (1,) * 65])
def test_a_shape_that_numpy_cannot_have_is_no_array(load: Any, shape: tuple[int, ...]) -> None:
    data = b"" if 0 in shape else b"a"
    array = call(name("numpy._core.numeric", "_frombuffer"), b"C" + bytes([len(data)]) + data, text("u1"), value(shape))
    assert isinstance(load(wrap(array))["bad"], Placeholder)


@pytest.mark.parametrize("dtype", ["S\u0663", "U\u06f3", "O", "V8", "(2,)f8", "f8,f8", "M8[s]"])
def test_a_dtype_that_is_not_plain_is_no_array(load: Any, dtype: str) -> None:
    assert load(wrap(call(name("numpy", "dtype"), text(dtype))))["good"] == 7


def test_text_beyond_unicode_is_no_text(load: Any) -> None:
    scalar = call(
        name("numpy._core.multiarray", "scalar"), call(name("numpy", "dtype"), text("U1")), b"C\x04" + b"\xff" * 4
    )
    assert isinstance(load(wrap(scalar))["bad"], Placeholder)


def test_bytes_after_the_end_and_frame_lengths_are_ignored(load: Any) -> None:
    data = bytearray(pickle.dumps({"a": 1}, 4))
    data[3:11] = struct.pack("<Q", 3)
    assert load(bytes(data) + b"\xff garbage") == {"a": 1}


# --- trusted -----------------------------------------------------------------------------------


def test_trusting_a_file_runs_dill_itself(tmp_path: Path) -> None:
    path = tmp_path / "params.dill"
    path.write_bytes(dill.dumps({"value": decimal.Decimal("1.5")}))
    assert isinstance(load_params(path)["value"], Placeholder)
    assert load_params(path, trusted=True) == {"value": decimal.Decimal("1.5")}
    assert read_params(path, trusted=True).trusted


def test_a_trusted_file_that_dill_cannot_load_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "params.dill"
    path.write_bytes(dumps({"probe": tensor(np.arange(3))}))
    with pytest.raises(ParamsError, match="No module named 'tensorflow'"):
        load_params(path, trusted=True)
    assert "tensorflow" not in sys.modules


@pytest.mark.parametrize(
    ("function", "argument"),
    [
        ("bytes", [0, -1]),
        ("bytes", [256]),
        ("bytearray", [-1]),
        ("dict", [(1, 2, 3)]),
        ("dict", [(1,)]),
    ],
)
def test_builtins_that_python_refuses_are_placeholders(load: Any, function: str, argument: Any) -> None:
    params = load(wrap(call(name("builtins", function), value(argument))))
    assert (params["good"], params["after"]) == (7, 8)
    assert isinstance(params["bad"], Placeholder)


def test_builtins_that_python_makes_are_made(load: Any) -> None:
    assert load(wrap(call(name("builtins", "bytes"), value([0, 255]))))["bad"] == b"\0\xff"
    assert load(wrap(call(name("builtins", "dict"), value([("a", 1), ["b", 2]]))))["bad"] == {"a": 1, "b": 2}


def test_keywords_of_an_object_stay_among_its_arguments(load: Any) -> None:
    """NEWOBJ_EX: a class, its arguments, and keywords."""
    made = name("some.module", "Thing") + args(integer(1)) + value({"size": 2}) + b"\x92"
    placeholder = load(wrap(made))["bad"]
    assert "size" in repr(placeholder.arguments)


def test_where_an_instruction_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "params.dill").write_bytes(b"\x80\x04}\xff")
    with pytest.raises(ParamsError, match=r"at 3 is no instruction"):
        load_params(tmp_path / "params.dill")
