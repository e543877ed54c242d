"""What NPZ files a folder holds, and what they look like."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..evidence.artifacts import LOG_SHA256
from ..readers.npz import Member, NpzFile
from ..readers.zip_member import NpzError
from ..scenario.dose import DoseClaim, claims_of_metadata, claims_of_name
from ..scenario.layout import Layout
from ..scenario.sweep import find_sweep
from ..statistics.blocks import is_measurable
from ..util.files import describe_os_error
from ..util.text import text_as_name
from .dataset.axes import find_pixel_axes
from .dataset.other_arrays import metadata_of_member
from .dataset.positions import lengths_of
from .dataset.roles import PATTERNS, PROBE, Roles, find_roles


@dataclass(frozen=True)
class ScannedFile:
    """What the headers of one NPZ file tell.

    Attributes
    ----------
    name : str
        Relative to the folder, with slashes.
    members : dict of str to Member
        The headers of its arrays.
    roles : dict of str to str
        Which array plays which role, by convention or, of patterns and probe, as they look.
    frames : tuple of int
        (n, h, w) of the patterns; empty without.
    claims : tuple of DoseClaim
        What its name and its metadata say about the dose; first what counts.
    defect : str
        Why it cannot be read, in words; empty if it can.
    """

    name: str
    members: Mapping[str, Member] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    frames: tuple[int, ...] = ()
    claims: tuple[DoseClaim, ...] = ()
    defect: str = ""

    @property
    def kind(self) -> tuple[object, ...]:
        """What files of one kind have in common: names and types of their arrays, and the sizes of the patterns."""
        arrays = tuple((name, str(member.dtype), len(member.shape)) for name, member in self.members.items())
        return (arrays, self.frames[1:], self.defect)


def scan_folder(root: str, shown_as: str | None = None) -> list[ScannedFile]:
    """Look at all NPZ files below a folder, by their headers.

    Raises
    ------
    SweepError
        If the folder cannot be listed.
    """
    sweep = find_sweep(root, Layout(datasets=("**/*.npz",)), shown_as)
    files = (_scan(root, name) for name in sweep.claims)
    return [file for file in files if LOG_SHA256 not in file.members]  # which pictures beside a log have


def _scan(root: str, name: str) -> ScannedFile:
    try:
        with NpzFile(os.path.join(root, text_as_name(name))) as npz:
            names = [*npz.members, *npz.broken]
            roles = _as_they_look(npz.members, find_roles(names, {}))
            patterns = npz.members.get(roles.names.get(PATTERNS, ""))
            metadata = [metadata_of_member(npz, member) for member in npz.members.values()]
    except NpzError as error:
        return ScannedFile(name, defect=str(error))
    except OSError as error:
        return ScannedFile(name, defect=f"it cannot be read: {describe_os_error(error)}")
    leaves = {key: value for found in metadata for key, value in found.items()}
    claims = (*claims_of_name(name), *claims_of_metadata(leaves))
    frames = () if patterns is None else _frames_of(patterns, npz.members, roles)
    return ScannedFile(name, npz.members, roles.names, frames, claims)


def _as_they_look(members: Mapping[str, Member], roles: Roles) -> Roles:
    """Add patterns and probe where no convention tells them: the largest real stack, a complex frame."""
    names = dict(roles.names)
    free = {name: member for name, member in members.items() if name not in names.values()}
    stacks = [each for each in free.values() if _is_real(each) and len(each.shape) > 2 and each.size]
    if PATTERNS not in names and stacks:
        names[PATTERNS] = max(stacks, key=lambda member: member.size).name
    patterns = members.get(names.get(PATTERNS, ""))
    if PROBE not in names and patterns is not None:
        frame = _frames_of(patterns, members, roles)[1:]
        probes = [name for name, each in free.items() if each.dtype.kind == "c" and each.shape[-2:] == frame]
        if len(probes) == 1:
            names[PROBE] = probes[0]
    return Roles(names)


def _is_real(member: Member) -> bool:
    return is_measurable(member.dtype) and member.dtype.kind not in "bc"


def _frames_of(patterns: Member, members: Mapping[str, Member], roles: Roles) -> tuple[int, ...]:
    if not patterns.shape or not is_measurable(patterns.dtype):
        return ()
    axes = find_pixel_axes(patterns.shape, None, lengths_of(members, roles)).axes
    pixels = patterns.shape[axes.start : axes.stop]
    frames = 1
    for length in (*patterns.shape[: axes.start], *patterns.shape[axes.stop :]):
        frames *= length
    return (frames, *pixels)
