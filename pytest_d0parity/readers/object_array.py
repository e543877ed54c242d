"""Arrays of Python objects, which are pickles, as far as they hold texts or nothing; nothing is unpickled."""

from __future__ import annotations

from typing import Any

from .params.machine import read_pickle
from .params.placeholders import UnfinishedArray, UnreadableError


def read_objects(pickle: bytes) -> list[str | None] | None:
    """Return the elements of a pickled array of Python objects.

    Parameters
    ----------
    pickle : bytes
        What stands behind the header of such an array in an NPZ file.

    Returns
    -------
    list of (str or None), or None
        None where it holds anything but texts and None, or cannot be read.
    """
    try:
        array = read_pickle(pickle)
    except UnreadableError:
        return None
    if not isinstance(array, UnfinishedArray) or array.qualname != "numpy.ndarray" or len(array.parts) != 1:
        return None
    state: Any = array.parts[0]
    if type(state) is not tuple or len(state) != 5 or type(state[4]) is not list:
        return None
    elements: list[Any] = state[4]
    return elements if all(element is None or type(element) is str for element in elements) else None
