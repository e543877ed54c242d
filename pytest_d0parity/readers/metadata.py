"""The metadata that today's programs write into an NPZ file: a JSON text, read to its leaves."""

from __future__ import annotations

from dataclasses import dataclass

from ..util.text import listed
from .json_object import JsonError, parse_json_object
from .params.leaves import MAX_LEAVES, leaves_of

NAMES = ("_metadata", "metadata_json")  # of the arrays that hold it
MAX_TEXT = 4 << 20  # characters

Scalar = bool | int | float | str | None


@dataclass(frozen=True)
class Metadata:
    """What a JSON text holds.

    Attributes
    ----------
    values : dict of str to scalar
        Its leaves by dotted names: see `leaves.Leaves`.
    remarks : tuple of str
        What could not be read or taken over, in sentences that follow the name of the array.
    """

    values: dict[str, Scalar]
    remarks: tuple[str, ...] = ()


def parse_metadata(text: str) -> Metadata:
    """Read metadata from a JSON text. What is no JSON object is told in a remark."""
    if len(text) > MAX_TEXT:
        return Metadata({}, (f"is a text of {len(text):,} characters; at most {MAX_TEXT:,} are read as metadata",))
    try:
        content, twice = parse_json_object(text)
    except JsonError as error:
        return Metadata({}, (f"{error}; it is recorded as text",))
    leaves = leaves_of(content)
    remarks = []
    if twice or leaves.twice:
        names = listed([*dict.fromkeys((*twice, *leaves.twice))], 3)
        remarks.append(f"says these more than once, and all are recorded, with numbers: {names}")
    if leaves.left_out:
        remarks.append(f"holds more than {MAX_LEAVES:,} values, or very long names; {leaves.left_out_text} left out")
    return Metadata(leaves.values, tuple(remarks))
