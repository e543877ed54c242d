"""The scan index and the positions of a file: one entry for each pattern, or for each group of patterns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...readers.npz import Member, NpzFile
from ...readers.zip_member import NpzError
from ...statistics.scans import ScanIndexError, check_scan_index
from ...statistics.stack import Stack
from .measurement import Measurement
from .roles import SCAN_INDEX, Roles

_POSITIONS = re.compile(r"/?([xy]?coords|positions?|scan_index)(_.*)?")


def are_positions(name: str, roles: Roles) -> bool:
    """Whether an array has an entry for each pattern, by its role or its name."""
    return roles.role_of(name) in (SCAN_INDEX, "xcoords", "ycoords") or _POSITIONS.fullmatch(name) is not None


def lengths_of(members: Mapping[str, Member], roles: Roles) -> set[int]:
    """Return the lengths of the scan index and of the positions."""
    return {member.shape[0] for name, member in members.items() if member.shape and are_positions(name, roles)}


def read_scan_index(
    npz: NpzFile, result: Measurement, roles: Roles, stack: Stack, groups: int | None
) -> NDArray[Any] | None:
    """Return the scan of each pattern in the order of the stream; all are of one scan where there is no index.

    Parameters
    ----------
    groups : int or None
        The number of groups of patterns, for each of which there may be one entry.

    Returns
    -------
    (n,) ndarray of int, or None
        None where it cannot be used, which is among the problems then.
    """
    n_frames = stack.shape[0]
    name = roles.names.get(SCAN_INDEX)
    if name is None:
        return np.zeros(n_frames, np.int64) if SCAN_INDEX not in roles.absent else None
    if name in npz.broken:
        return None
    member = npz.members[name]
    try:
        # Checked by its header first, so that an index of absurd length is never read.
        length = groups if groups and member.size == groups and n_frames % groups == 0 else n_frames
        check_scan_index(member.dtype, member.size, length)
        index = npz.read(member).reshape(-1)
    except ScanIndexError as error:
        kind = "wrong_length" if "entries" in str(error) else "not_integral"
        result.warning(kind, name, f"it {error}; the grouped stage is not measured")
        return None
    except NpzError as error:
        result.error(name, f"it {str(error).removeprefix('it ')}; the grouped stage is not measured")
        return None
    return stack.in_stream_order(np.repeat(index, n_frames // max(length, 1)))
