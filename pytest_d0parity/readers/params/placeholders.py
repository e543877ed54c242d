"""What the stack machine works with: inert stand-ins for whatever a pickle would call or build."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MAX_NAME = 200  # characters of a name that are kept for people


class Refusal(ValueError):  # noqa: N818 - what it is, in the words of the design
    """Why a file cannot be read; the reader adds its name."""


@dataclass(frozen=True, eq=False)
class Placeholder:
    """Something in a params file that would have been code, kept as a name and inert arguments.

    Attributes
    ----------
    qualname : str
        ``module.qualname`` of what the file wanted to call, or a short description.
    arguments : tuple
        What it would have been called with, and its state; plain values and other placeholders.
    """

    qualname: str
    arguments: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"<{self.qualname}>"


class Global:
    """A name in the file: two strings, never looked up.

    Attributes
    ----------
    key : (str, str)
        Module and name, as they stand in the file.
    qualname : str
        Both, printable and short.
    """

    def __init__(self, module: str, name: str) -> None:
        self.key = module, name
        # Cut first: a file may name the same megabyte a million times.
        text = f"{module[:_MAX_NAME]}.{name[:_MAX_NAME]}"
        text = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
        self.qualname = text if len(text) <= _MAX_NAME else text[:_MAX_NAME] + "…"


@dataclass(eq=False)
class Thing:
    """An object that the machine does not understand, while it is being built.

    Attributes
    ----------
    qualname : str
        What would have been called.
    parts : list
        The arguments of the call, then whatever was done to the result.
    shown_as : int
        How many of the parts are arguments.
    is_partial : bool
        Whether it is a ``functools.partial``, whose state holds the arguments.
    """

    qualname: str
    parts: list[Any] = field(default_factory=list)
    shown_as: int = 0
    is_partial: bool = False


@dataclass(eq=False)
class DtypeShell(Thing):
    """A dtype; its state tells the byte order. None when that state is not a plain dtype's."""

    dtype: np.dtype[Any] | None = None


@dataclass(eq=False)
class ArrayShell(Thing):
    """An array; its state brings shape, dtype and bytes. None until then."""

    array: NDArray[Any] | None = None


class TupleKey:
    """A tuple as a key while the machine runs.

    Tuples of numbers can be made to hash alike at will; text cannot, since its hash is salted anew
    in every process.
    """

    def __init__(self, value: tuple[Any, ...]) -> None:
        self.value = value
        self._hash = hash(repr(value))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TupleKey) and self.value == other.value
