"""Pickles made by hand, for the tests of the params reader."""

from __future__ import annotations

import pickle
import struct
from typing import Any


def text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def integer(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def value(thing: Any) -> bytes:
    """Opcodes that push a plain value."""
    return pickle.dumps(thing, 2)[2:-1]


def name(module: str, qualname: str) -> bytes:
    return text(module) + text(qualname) + b"\x93"


def old_name(module: str, qualname: str) -> bytes:
    return f"c{module}\n{qualname}\n".encode()


def args(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def call(function: bytes, *arguments: bytes) -> bytes:
    return function + args(*arguments) + b"R"


def wrap(payload: bytes) -> bytes:
    """``{"good": 7, "bad": <payload>}``, with plain keys on both sides of it."""
    return b"\x80\x04}(" + text("good") + integer(7) + text("bad") + payload + text("after") + integer(8) + b"u."


class Foreign:
    """Pickles as a call of a global that is not there to be imported, as a tensor does."""

    def __init__(self, module: str, qualname: str, *arguments: Any) -> None:
        self.global_name = module, qualname
        self.arguments = arguments


class _Pickler(pickle._Pickler):  # the Python one: its opcodes can be written one by one
    def save(self, obj: Any, save_persistent_id: bool = True) -> Any:
        if isinstance(obj, Foreign):
            module, qualname = obj.global_name
            self.write(f"c{module}\n{qualname}\n".encode())
            self.save(obj.arguments)
            self.write(pickle.REDUCE)
            return None
        return super().save(obj, save_persistent_id)


def dumps(thing: Any, protocol: int = 4) -> bytes:
    """Pickle something that may hold `Foreign` objects."""
    import io

    file = io.BytesIO()
    _Pickler(file, protocol).dump(thing)
    return file.getvalue()
