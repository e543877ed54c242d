"""Decoders for the functions and classes that an honest params file calls.

Each decoder computes what the real callable would return. It checks the types of its arguments before
it uses them, and raises `DecodeError` if they are not what an honest file holds.
"""

from __future__ import annotations

import datetime
import math
import pathlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .placeholders import Global, OpaqueObject, TupleKey, UnfinishedArray, UnfinishedDtype

_DTYPE = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248]|c(?:8|16)|[SU][0-9]{1,6}|[?bhilqBHILQefdFD])")
_SCALAR_TYPE = re.compile(r"bool_?|u?int(?:8|16|32|64)|float(?:16|32|64)|complex(?:64|128)")
_RECONSTRUCT = {("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct")}
_MAX_DIMENSIONS = 32
_MAX_BYTES = 1 << 60
_MAX_CODE_POINT = 0x10FFFF
_MAX_KEY_BITS = 60  # of an integer; larger ones can be chosen to have the same hash
_MAX_KEY_TEXT = 4096  # characters; longer keys are slow to compare
_MAX_PATH = 1 << 16
_MAX_COPY = 8 << 20

Decoder = Callable[[tuple[Any, ...]], Any]


class DecodeError(ValueError):
    """Unexpected arguments; the call becomes a placeholder."""


def _require(condition: bool) -> None:
    if not condition:
        raise DecodeError


def hashable(key: Any) -> Any:
    """Return a key that is fast to hash and compare.

    Scalars stay as they are, NumPy scalars become plain ones, and short flat tuples of scalars become a
    `TupleKey`. Anything else is wrapped in an object that is hashed by identity, since hashing a nested
    tuple can take exponential time.
    """
    if isinstance(key, np.generic):
        key = key.item()
    if _is_cheap(key):
        return key
    if type(key) is tuple and len(key) <= 16 and all(_is_cheap(item) for item in key):
        return TupleKey(key)
    return (
        key if isinstance(key, OpaqueObject | Global) else OpaqueObject(f"a {type(key).__name__} used as a key", [key])
    )


def _is_cheap(value: Any) -> bool:
    if type(value) is int:
        return value.bit_length() <= _MAX_KEY_BITS
    if type(value) in (str, bytes):
        return len(value) <= _MAX_KEY_TEXT
    return value is None or type(value) in (bool, float)


# --- NumPy -------------------------------------------------------------------------------------


def _dtype(args: tuple[Any, ...]) -> UnfinishedDtype:
    _require(len(args) >= 1 and type(args[0]) is str and _DTYPE.fullmatch(args[0]) is not None)
    return UnfinishedDtype("numpy.dtype", dtype=np.dtype(args[0]))


def _dtype_of(value: Any) -> np.dtype[Any]:
    if isinstance(value, Global):  # a scalar type such as numpy.float32
        module, name = value.key
        _require(module == "numpy" and _SCALAR_TYPE.fullmatch(name) is not None)
        return np.dtype(name)
    if type(value) is str:
        value = _dtype((value,))
    if not isinstance(value, UnfinishedDtype) or value.dtype is None:
        raise DecodeError
    return value.dtype


def _shape(value: Any) -> tuple[int, ...]:
    if type(value) is int:
        value = (value,)
    _require(type(value) is tuple and len(value) <= _MAX_DIMENSIONS)
    _require(all(type(length) is int and 0 <= length < 1 << 48 for length in value))
    return value  # type: ignore[no-any-return]


def _data(value: Any) -> bytes | bytearray:
    if type(value) is str:  # bytes that were pickled by Python 2
        try:
            return value.encode("latin-1")
        except UnicodeEncodeError:
            raise DecodeError from None
    _require(type(value) in (bytes, bytearray))
    return value  # type: ignore[no-any-return]


def _array(shape: Any, dtype: Any, fortran: Any, data: Any) -> NDArray[Any]:
    shape, dtype, data = _shape(shape), _dtype_of(dtype), _data(data)
    _require(dtype.itemsize > 0 and math.prod(shape) * dtype.itemsize == len(data))
    # NumPy checks the product of the other lengths even for an empty array.
    _require(math.prod(max(length, 1) for length in shape) * dtype.itemsize < _MAX_BYTES)
    _require(type(fortran) in (bool, int))
    if dtype.kind == "U":
        points = np.frombuffer(data, np.dtype(np.uint32).newbyteorder(dtype.byteorder))
        _require(not points.size or int(points.max()) <= _MAX_CODE_POINT)
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _reconstruct(args: tuple[Any, ...]) -> UnfinishedArray:
    _require(len(args) == 3 and isinstance(args[0], Global) and args[0].key == ("numpy", "ndarray"))
    return UnfinishedArray("numpy.ndarray")


def _scalar(args: tuple[Any, ...]) -> Any:
    _require(len(args) == 2)
    return _array((), args[0], False, args[1])[()]


def _frombuffer(args: tuple[Any, ...]) -> NDArray[Any]:
    _require(3 <= len(args) <= 5)
    order = args[3] if len(args) > 3 else "C"
    _require(type(order) is str and order in ("C", "F", "K"))
    array = _array(args[2], args[1], order == "F", args[0])
    if order != "K":
        return array
    axes = args[4] if len(args) > 4 else ()
    _require(type(axes) is tuple and all(type(axis) is int for axis in axes))
    _require(sorted(axes) == list(range(array.ndim)))
    return array.transpose(axes)


def decode_state(target: UnfinishedDtype | UnfinishedArray, state: Any) -> None:
    """Apply a pickled state to an unfinished dtype or array.

    Parameters
    ----------
    target : UnfinishedDtype or UnfinishedArray
        Changed in place.
    state : object
        The state in the file.

    Raises
    ------
    DecodeError
        If it is not the state of a plain numeric dtype or array.
    """
    _require(type(state) is tuple)
    if isinstance(target, UnfinishedArray):
        _require(len(state) in (4, 5))
        target.array = _array(*state[-4:])
        return
    _require(len(state) >= 5 and type(state[1]) is str and state[1] in ("<", ">", "|", "="))
    _require(target.dtype is not None and all(part is None for part in state[2:5]))
    if target.dtype is not None and state[1] in "<>":
        target.dtype = target.dtype.newbyteorder(state[1])


# --- dill --------------------------------------------------------------------------------------


def _create_array(args: tuple[Any, ...]) -> NDArray[Any]:
    _require(len(args) in (3, 4) and isinstance(args[0], Global) and args[0].key in _RECONSTRUCT)
    _require(type(args[1]) is tuple)
    _require(len(args) == 3 or args[3] is None or (type(args[3]) is dict and not args[3]))
    _require(type(args[2]) is tuple and all(type(part) is not str for part in args[2]))
    target = _reconstruct(args[1])
    decode_state(target, args[2])
    if target.array is None:
        raise DecodeError
    return target.array


_TYPES = {
    "ComplexType": "complex",
    "complex": "complex",
    "SetType": "set",
    "set": "set",
    "FrozenSetType": "frozenset",
    "frozenset": "frozenset",
    "BytesType": "bytes",
    "bytes": "bytes",
    "ByteArrayType": "bytearray",
    "bytearray": "bytearray",
}
_PARTIAL = Global("functools", "partial")  # only its name is used


def _load_type(args: tuple[Any, ...]) -> Global:
    _require(len(args) == 1 and type(args[0]) is str)
    if args[0] == "PartialType":
        return _PARTIAL
    _require(args[0] in _TYPES)
    return Global("builtins", _TYPES[args[0]])


# --- the standard library ----------------------------------------------------------------------


def _encode(args: tuple[Any, ...]) -> bytes | bytearray:
    _require(len(args) == 2 and type(args[0]) is str and type(args[1]) is str and args[1] in ("latin1", "latin-1"))
    return _data(args[0])


def _complex(args: tuple[Any, ...]) -> complex:
    _require(len(args) in (1, 2) and all(type(part) in (int, float) for part in args))
    try:
        return complex(*args)
    except OverflowError:
        raise DecodeError from None


def _items(args: tuple[Any, ...]) -> list[Any] | tuple[Any, ...]:
    if not args:
        return ()
    _require(len(args) == 1 and type(args[0]) in (list, tuple))
    return args[0]  # type: ignore[no-any-return]


def _set(args: tuple[Any, ...]) -> set[Any]:
    return {hashable(item) for item in _items(args)}


def _frozenset(args: tuple[Any, ...]) -> frozenset[Any]:
    return frozenset(_set(args))


def _bytes(args: tuple[Any, ...]) -> bytes | bytearray:
    if len(args) == 1 and type(args[0]) in (list, tuple):
        _require(all(type(item) is int and 0 <= item < 256 for item in args[0]))
        return bytes(args[0])
    if len(args) == 2:
        return _encode(args)
    _require(not args or type(args[0]) in (bytes, bytearray))
    return args[0] if args else b""


def _bytearray(args: tuple[Any, ...]) -> bytearray:
    content = _bytes(args)
    _require(len(content) <= _MAX_COPY)
    return bytearray(content)


def _list(args: tuple[Any, ...]) -> list[Any]:
    return list(_items(args))


def _tuple(args: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_items(args))


def _dict(args: tuple[Any, ...]) -> dict[Any, Any]:
    if len(args) == 1 and type(args[0]) is dict:
        return dict(args[0])
    pairs = _items(args)
    _require(all(type(pair) in (list, tuple) and len(pair) == 2 for pair in pairs))
    return {hashable(pair[0]): pair[1] for pair in pairs}


def _defaultdict(args: tuple[Any, ...]) -> dict[Any, Any]:
    return _dict(args[1:])


def _deque(args: tuple[Any, ...]) -> list[Any]:
    _require(len(args) <= 2)
    return list(_items(args[:1]))


def _slice(args: tuple[Any, ...]) -> slice:
    _require(1 <= len(args) <= 3 and all(part is None or type(part) is int for part in args))
    return slice(*args)


def _range(args: tuple[Any, ...]) -> range:
    _require(1 <= len(args) <= 3 and all(type(part) is int for part in args) and (len(args) < 3 or args[2] != 0))
    return range(*args)


def _date_and_time(cls: Callable[..., Any]) -> Decoder:
    def decode(args: tuple[Any, ...]) -> Any:
        if args and type(args[0]) is str:
            args = (bytes(_data(args[0])), *args[1:])
        _require(all(type(a) in (int, bytes, str) or isinstance(a, datetime.tzinfo | datetime.timedelta) for a in args))
        try:
            return cls(*args)
        except (TypeError, ValueError, OverflowError):
            raise DecodeError from None

    return decode


def _path(cls: type[pathlib.PurePath]) -> Decoder:
    def decode(args: tuple[Any, ...]) -> str:
        _require(all(type(part) is str for part in args) and sum(map(len, args)) <= _MAX_PATH)
        return str(cls(*args))  # a pure path, which does not access the file system

    return decode


DECODERS: dict[tuple[str, str], Decoder] = {
    ("numpy", "dtype"): _dtype,
    ("dill._dill", "_create_array"): _create_array,
    ("dill._dill", "_load_type"): _load_type,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): _dict,
    ("collections", "Counter"): _dict,
    ("collections", "defaultdict"): _defaultdict,
    ("collections", "deque"): _deque,
}
for _core in ("numpy.core", "numpy._core"):
    DECODERS[f"{_core}.multiarray", "_reconstruct"] = _reconstruct
    DECODERS[f"{_core}.multiarray", "scalar"] = _scalar
    DECODERS[f"{_core}.numeric", "_frombuffer"] = _frombuffer
for _module in ("builtins", "__builtin__"):
    for _name, _decoder in {
        "complex": _complex,
        "set": _set,
        "frozenset": _frozenset,
        "bytes": _bytes,
        "bytearray": _bytearray,
        "list": _list,
        "tuple": _tuple,
        "dict": _dict,
        "slice": _slice,
        "range": _range,
        "xrange": _range,
    }.items():
        DECODERS[_module, _name] = _decoder
for _cls in (datetime.date, datetime.time, datetime.datetime, datetime.timedelta, datetime.timezone):
    DECODERS["datetime", _cls.__name__] = _date_and_time(_cls)
for _module in ("pathlib", "pathlib._local"):
    for _name in ("Path", "PosixPath", "PurePath", "PurePosixPath"):
        DECODERS[_module, _name] = _path(pathlib.PurePosixPath)
    for _name in ("WindowsPath", "PureWindowsPath"):
        DECODERS[_module, _name] = _path(pathlib.PureWindowsPath)
