"""What a params file may honestly call, decoded by code of ours.

Each decoder gets arguments of types that it checks before it touches them, and raises `Undecodable`
when they are not what the real callable would get from an honest file.
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

from .placeholders import ArrayShell, DtypeShell, Global, Thing, TupleKey

_DTYPE = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248]|c(?:8|16)|[SU][0-9]{1,6}|[?bhilqBHILQefdFD])")
_SCALAR_TYPE = re.compile(r"bool_?|u?int(?:8|16|32|64)|float(?:16|32|64)|complex(?:64|128)")
_RECONSTRUCT = {("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct")}
_MAX_DIMENSIONS = 32
_MAX_BYTES = 1 << 60
_MAX_CODE_POINT = 0x10FFFF
_MAX_KEY_BITS = 60  # larger integers hash alike at will
_MAX_KEY_TEXT = 4096  # longer keys take long to compare
_MAX_PATH = 1 << 16

Decoder = Callable[[tuple[Any, ...]], Any]


class Undecodable(ValueError):  # noqa: N818 - never leaves this package
    """Arguments that an honest file would not hold; the call becomes a placeholder."""


def _need(condition: bool) -> None:
    if not condition:
        raise Undecodable


def hashable(key: Any) -> Any:
    """Return a key that is cheap to hash and compare: the value itself, or a thing that holds it.

    Scalars and short flat tuples of scalars stay what they are, NumPy scalars become plain ones.
    Anything else is hashed by identity, since hashing a nested tuple can take for ever.
    """
    if isinstance(key, np.generic):
        key = key.item()
    if _is_cheap(key):
        return key
    if type(key) is tuple and len(key) <= 16 and all(_is_cheap(item) for item in key):
        return TupleKey(key)
    return key if isinstance(key, Thing | Global) else Thing(f"a {type(key).__name__} used as a key", [key])


def _is_cheap(value: Any) -> bool:
    if type(value) is int:
        return value.bit_length() <= _MAX_KEY_BITS
    if type(value) in (str, bytes):
        return len(value) <= _MAX_KEY_TEXT
    return value is None or type(value) in (bool, float)


# --- NumPy -------------------------------------------------------------------------------------


def _dtype(args: tuple[Any, ...]) -> DtypeShell:
    _need(len(args) >= 1 and type(args[0]) is str and _DTYPE.fullmatch(args[0]) is not None)
    return DtypeShell("numpy.dtype", dtype=np.dtype(args[0]))


def _dtype_of(value: Any) -> np.dtype[Any]:
    if isinstance(value, Global):  # numpy.float32 and its like, named instead of described
        module, name = value.key
        _need(module == "numpy" and _SCALAR_TYPE.fullmatch(name) is not None)
        return np.dtype(name)
    if type(value) is str:
        value = _dtype((value,))
    if not isinstance(value, DtypeShell) or value.dtype is None:
        raise Undecodable
    return value.dtype


def _shape(value: Any) -> tuple[int, ...]:
    if type(value) is int:
        value = (value,)
    _need(type(value) is tuple and len(value) <= _MAX_DIMENSIONS)
    _need(all(type(length) is int and 0 <= length < 1 << 48 for length in value))
    return value  # type: ignore[no-any-return]


def _data(value: Any) -> bytes | bytearray:
    if type(value) is str:  # Python 2 had one type for text and bytes
        try:
            return value.encode("latin-1")
        except UnicodeEncodeError:
            raise Undecodable from None
    _need(type(value) in (bytes, bytearray))
    return value  # type: ignore[no-any-return]


def _array(shape: Any, dtype: Any, fortran: Any, data: Any) -> NDArray[Any]:
    shape, dtype, data = _shape(shape), _dtype_of(dtype), _data(data)
    _need(dtype.itemsize > 0 and math.prod(shape) * dtype.itemsize == len(data))
    # NumPy multiplies the lengths of an empty array all the same.
    _need(math.prod(max(length, 1) for length in shape) * dtype.itemsize < _MAX_BYTES)
    _need(type(fortran) in (bool, int))
    if dtype.kind == "U":
        points = np.frombuffer(data, np.dtype(np.uint32).newbyteorder(dtype.byteorder))
        _need(not points.size or int(points.max()) <= _MAX_CODE_POINT)
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _reconstruct(args: tuple[Any, ...]) -> ArrayShell:
    _need(len(args) == 3 and isinstance(args[0], Global) and args[0].key == ("numpy", "ndarray"))
    return ArrayShell("numpy.ndarray")


def _scalar(args: tuple[Any, ...]) -> Any:
    _need(len(args) == 2)
    return _array((), args[0], False, args[1])[()]


def _frombuffer(args: tuple[Any, ...]) -> NDArray[Any]:
    _need(3 <= len(args) <= 5)
    order = args[3] if len(args) > 3 else "C"
    _need(type(order) is str and order in ("C", "F", "K"))
    array = _array(args[2], args[1], order == "F", args[0])
    if order != "K":
        return array
    axes = args[4] if len(args) > 4 else ()
    _need(type(axes) is tuple and all(type(axis) is int for axis in axes))
    _need(sorted(axes) == list(range(array.ndim)))
    return array.transpose(axes)


def decode_state(shell: DtypeShell | ArrayShell, state: Any) -> None:
    """Apply a pickled state to a dtype or array.

    Parameters
    ----------
    shell : DtypeShell or ArrayShell
        What is being built.
    state : object
        As the file gives it.

    Raises
    ------
    Undecodable
        If it is not the state of a plain numeric dtype or array.
    """
    _need(type(state) is tuple)
    if isinstance(shell, ArrayShell):
        _need(len(state) in (4, 5))
        shell.array = _array(*state[-4:])
        return
    _need(len(state) >= 5 and type(state[1]) is str and state[1] in ("<", ">", "|", "="))
    _need(shell.dtype is not None and all(part is None for part in state[2:5]))
    if shell.dtype is not None and state[1] in "<>":
        shell.dtype = shell.dtype.newbyteorder(state[1])


# --- dill --------------------------------------------------------------------------------------


def _create_array(args: tuple[Any, ...]) -> NDArray[Any]:
    _need(len(args) in (3, 4) and isinstance(args[0], Global) and args[0].key in _RECONSTRUCT)
    _need(type(args[1]) is tuple)
    _need(len(args) == 3 or args[3] is None or (type(args[3]) is dict and not args[3]))
    _need(type(args[2]) is tuple and all(type(part) is not str for part in args[2]))
    shell = _reconstruct(args[1])
    decode_state(shell, args[2])
    if shell.array is None:
        raise Undecodable
    return shell.array


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
_PARTIAL = Global("functools", "partial")  # not that it would be called: for its name


def _load_type(args: tuple[Any, ...]) -> Global:
    _need(len(args) == 1 and type(args[0]) is str)
    if args[0] == "PartialType":
        return _PARTIAL
    _need(args[0] in _TYPES)
    return Global("builtins", _TYPES[args[0]])


# --- the standard library ----------------------------------------------------------------------


def _encode(args: tuple[Any, ...]) -> bytes | bytearray:
    _need(len(args) == 2 and type(args[0]) is str and type(args[1]) is str and args[1] in ("latin1", "latin-1"))
    return _data(args[0])


def _complex(args: tuple[Any, ...]) -> complex:
    _need(len(args) in (1, 2) and all(type(part) in (int, float) for part in args))
    try:
        return complex(*args)
    except OverflowError:
        raise Undecodable from None


def _items(args: tuple[Any, ...]) -> list[Any] | tuple[Any, ...]:
    if not args:
        return ()
    _need(len(args) == 1 and type(args[0]) in (list, tuple))
    return args[0]  # type: ignore[no-any-return]


def _set(args: tuple[Any, ...]) -> set[Any]:
    return {hashable(item) for item in _items(args)}


def _frozenset(args: tuple[Any, ...]) -> frozenset[Any]:
    return frozenset(_set(args))


def _bytes(args: tuple[Any, ...]) -> bytes | bytearray:
    if len(args) == 1 and type(args[0]) in (list, tuple):
        _need(all(type(item) is int and 0 <= item < 256 for item in args[0]))
        return bytes(args[0])
    if len(args) == 2:
        return _encode(args)
    _need(not args or type(args[0]) in (bytes, bytearray))
    return args[0] if args else b""


def _bytearray(args: tuple[Any, ...]) -> bytearray:
    return bytearray(_bytes(args))


def _list(args: tuple[Any, ...]) -> list[Any]:
    return list(_items(args))


def _tuple(args: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_items(args))


def _dict(args: tuple[Any, ...]) -> dict[Any, Any]:
    if len(args) == 1 and type(args[0]) is dict:
        return dict(args[0])
    pairs = _items(args)
    _need(all(type(pair) in (list, tuple) and len(pair) == 2 for pair in pairs))
    return {hashable(pair[0]): pair[1] for pair in pairs}


def _defaultdict(args: tuple[Any, ...]) -> dict[Any, Any]:
    return _dict(args[1:])


def _deque(args: tuple[Any, ...]) -> list[Any]:
    _need(len(args) <= 2)
    return list(_items(args[:1]))


def _slice(args: tuple[Any, ...]) -> slice:
    _need(1 <= len(args) <= 3 and all(part is None or type(part) is int for part in args))
    return slice(*args)


def _range(args: tuple[Any, ...]) -> range:
    _need(1 <= len(args) <= 3 and all(type(part) is int for part in args) and (len(args) < 3 or args[2] != 0))
    return range(*args)


def _date_and_time(cls: Callable[..., Any]) -> Decoder:
    def decode(args: tuple[Any, ...]) -> Any:
        if args and type(args[0]) is str:
            args = (bytes(_data(args[0])), *args[1:])
        _need(all(type(a) in (int, bytes, str) or isinstance(a, datetime.tzinfo | datetime.timedelta) for a in args))
        try:
            return cls(*args)
        except (TypeError, ValueError, OverflowError):
            raise Undecodable from None

    return decode


def _path(cls: type[pathlib.PurePath]) -> Decoder:
    def decode(args: tuple[Any, ...]) -> str:
        _need(all(type(part) is str for part in args) and sum(map(len, args)) <= _MAX_PATH)
        return str(cls(*args))  # pure: touches no file system

    return decode


TABLE: dict[tuple[str, str], Decoder] = {
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
    TABLE[f"{_core}.multiarray", "_reconstruct"] = _reconstruct
    TABLE[f"{_core}.multiarray", "scalar"] = _scalar
    TABLE[f"{_core}.numeric", "_frombuffer"] = _frombuffer
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
        TABLE[_module, _name] = _decoder
for _cls in (datetime.date, datetime.time, datetime.datetime, datetime.timedelta, datetime.timezone):
    TABLE["datetime", _cls.__name__] = _date_and_time(_cls)
for _module in ("pathlib", "pathlib._local"):
    for _name in ("Path", "PosixPath", "PurePath", "PurePosixPath"):
        TABLE[_module, _name] = _path(pathlib.PurePosixPath)
    for _name in ("WindowsPath", "PureWindowsPath"):
        TABLE[_module, _name] = _path(pathlib.PureWindowsPath)
