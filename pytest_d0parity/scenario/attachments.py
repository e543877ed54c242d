"""Attachments: files that belong to the baseline run and are not measured, as a scenario names them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..util.errors import UsageError
from ..util.text import name_as_text, printable, valid_utf8

_ROLE = re.compile(r"([A-Za-z][\w-]*)=(.*)", re.DOTALL)  # a file whose name looks so is given as ./a=b


class AttachmentError(UsageError, ValueError):
    """Attachments that cannot be told apart, or that are none."""


@dataclass(frozen=True)
class AttachedFile:
    """A file that is attached.

    Attributes
    ----------
    name : str
        The last part of its path, and as many before it as tell it from the others; with slashes.
    role : str or None
        What it is for, in the user's word.
    path : str
        As given.
    """

    name: str
    role: str | None
    path: str


def attached_files(texts: Sequence[str]) -> tuple[AttachedFile, ...]:
    """Read ``[ROLE=]FILE``, as options and tables give it.

    Raises
    ------
    AttachmentError
        If one names no file, or one file is named twice.

    Examples
    --------
    >>> [file.name for file in attached_files(["model=run/baseline_model.h5", "a/recon.dill", "b/recon.dill"])]
    ['baseline_model.h5', 'a/recon.dill', 'b/recon.dill']
    """
    pairs = [_split(text) for text in texts]
    names = _distinct_names([path for _, path in pairs])
    return tuple(AttachedFile(name, role, path) for name, (role, path) in zip(names, pairs, strict=True))


def _split(text: str) -> tuple[str | None, str]:
    found = _ROLE.fullmatch(text)
    role, path = (found[1], found[2]) if found else (None, text)
    if not path or "\0" in path or path.endswith(("/", os.sep)):
        raise AttachmentError(f"the attachment {printable(text)!r} names no file; give FILE or ROLE=FILE")
    return role, path


def _distinct_names(paths: Sequence[str]) -> Iterator[str]:
    parts = [[part for part in name_as_text(path).replace(os.sep, "/").split("/") if part != "."] for path in paths]
    twice = [path for number, path in enumerate(paths) if parts[number] in parts[:number]]
    if twice:
        raise AttachmentError(f"{printable(twice[0])} is attached twice; name it once")
    for mine in parts:
        others = [other for other in parts if other is not mine]
        depth = 1
        while any(other[-depth:] == mine[-depth:] for other in others) and depth < len(mine):
            depth += 1
        yield valid_utf8("/".join(mine[-depth:]).lstrip("/"))
