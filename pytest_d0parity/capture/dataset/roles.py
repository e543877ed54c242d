"""Which array of a file plays which role."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ...readers.npz import Member
from ...scenario.layout import ROLES
from ...util.text import listed, printable

PATTERNS, PROBE, SCAN_INDEX, OBJECT = "diff3d", "probeGuess", "scan_index", "objectGuess"
MEASURED = (PATTERNS, PROBE, SCAN_INDEX)  # as stages, or for them


@dataclass(frozen=True)
class Roles:
    """The arrays that play roles.

    Attributes
    ----------
    names : dict of str to str
        The name of the array, by its role.
    absent : tuple of str
        Roles that were told to be played by an array that is not there.
    """

    names: Mapping[str, str]
    absent: tuple[str, ...] = ()

    def role_of(self, name: str) -> str | None:
        """Return the role that an array plays; None if it plays none."""
        return next((role for role, array in self.names.items() if array == name), None)


def find_roles(names: Collection[str], told: Mapping[str, str]) -> Roles:
    """Find out which of the arrays in a file play roles.

    Parameters
    ----------
    names : collection of str
        Of the arrays; a slash at the beginning does not count.
    told : mapping of str to str
        The name of an array by its role. Roles that are not told are found by convention.
    """
    plain = {name.lstrip("/"): name for name in reversed([*names])}
    taken = {name.lstrip("/") for name in told.values()}
    found, absent = {}, []
    for role, aliases in ROLES.items():
        if role in told:
            if (name := told[role].lstrip("/")) in plain:
                found[role] = plain[name]
            else:
                absent.append(role)
            continue
        if candidates := [alias for alias in aliases if alias in plain and alias not in taken]:
            found[role] = plain[candidates[0]]
    return Roles(found, tuple(absent))


def rivals_of(role: str, roles: Roles, told: Mapping[str, str], members: Mapping[str, Member]) -> str:
    """Return a sentence on other arrays that could play a role by convention and hold something else; or nothing."""
    name = roles.names.get(role)
    if role in told or name is None or name not in members:
        return ""
    mine = members[name]
    others = [
        other
        for key, other in members.items()
        if key != name and key.lstrip("/") in ROLES[role] and key not in roles.names.values()
    ]
    different = [other for other in others if not _are_same(mine, other)]
    if not different:
        return ""
    what = ", ".join(f"{printable(other.name)} ({_described(other)})" for other in different)
    return (
        f"{printable(name)} ({_described(mine)}) is measured, but {what} could be the {role} as well and differs; say "
        f"which one is meant: --array {role}={printable(different[0].name)}, or arrays = {{{role} = …}} in the table"
    )


def _are_same(one: Member, other: Member) -> bool:
    return (one.shape, one.dtype, one.crc32) == (other.shape, other.dtype, other.crc32)


def _described(member: Member) -> str:
    return f"{'x'.join(map(str, member.shape)) or 'scalar'} {member.dtype}"


def what_is_there(names: Collection[str]) -> str:
    """Return the names of the arrays in a file, for a sentence."""
    return listed([*names], 20) or "nothing"
