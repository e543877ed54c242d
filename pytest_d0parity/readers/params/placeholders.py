"""What the stack machine works with: inert stand-ins for whatever a pickle would import, call or build."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MAX_NAME = 200  # characters of a name that are kept


class UnreadableError(ValueError):
    """A params file cannot be read. The message is the reason, without the name of the file."""


@dataclass(frozen=True, eq=False)
class Placeholder:
    """A call in a params file that was not executed: its name and its arguments.

    Attributes
    ----------
    qualname : str
        ``module.qualname`` of the function or class, or a short description.
    arguments : tuple
        The arguments of the call and the state of the object; plain values and other placeholders.
    """

    qualname: str
    arguments: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"<{self.qualname}>"


class Global:
    """A function or class named in the file; the name is never looked up.

    Attributes
    ----------
    key : (str, str)
        Module and name as in the file.
    qualname : str
        ``module.name``, printable and shortened.
    """

    def __init__(self, module: str, name: str) -> None:
        self.key = module, name
        # Shorten first: a file may use the same very long name a million times.
        text = f"{module[:_MAX_NAME]}.{name[:_MAX_NAME]}"
        text = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
        self.qualname = text if len(text) <= _MAX_NAME else text[:_MAX_NAME] + "…"


@dataclass(eq=False)
class OpaqueObject:
    """An object of an unknown class or function, while its parts are collected.

    Attributes
    ----------
    qualname : str
        ``module.qualname`` of the function or class, or a short description.
    parts : list
        The arguments of the call, then the states and items that were applied to the object.
    n_arguments : int
        How many of the parts are arguments of the call.
    is_partial : bool
        Whether it is a ``functools.partial``, whose state also holds arguments.
    """

    qualname: str
    parts: list[Any] = field(default_factory=list)
    n_arguments: int = 0
    is_partial: bool = False


@dataclass(eq=False)
class UnfinishedDtype(OpaqueObject):
    """A dtype, whose byte order comes with its state. `dtype` is None after a state that is not supported."""

    dtype: np.dtype[Any] | None = None


@dataclass(eq=False)
class UnfinishedArray(OpaqueObject):
    """An array, whose shape, dtype and bytes come with its state. `array` is None until then."""

    array: NDArray[Any] | None = None


class TupleKey:
    """A tuple used as a key, hashed by its text.

    A hostile file can hold many tuples of numbers with the same hash, which makes a dictionary slow. The
    hashes of texts cannot be predicted, since Python salts them in every process.
    """

    def __init__(self, value: tuple[Any, ...]) -> None:
        self.value = value
        self._hash = hash(repr(value))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TupleKey) and self.value == other.value
