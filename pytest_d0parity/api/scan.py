"""What a folder of NPZ files holds, for scripts and notebooks."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..capture.folder_scan import ScannedFile, scan_folder
from ..capture.suggested_table import suggest_table
from ..evidence.shown import html_table
from ..util.text import counted


@dataclass(frozen=True)
class Scan:
    """What a folder holds.

    Attributes
    ----------
    folder : str
        As given.
    files : tuple of ScannedFile
        What the headers of each NPZ file tell: `name`, `members`, `roles`, `frames`, `claims`, `defect`.
    table : str
        What would log it, for ``pyproject.toml``; empty where nothing looks like patterns.
    """

    folder: str
    files: tuple[ScannedFile, ...]
    table: str

    def __repr__(self) -> str:
        return f"<Scan {self.folder!r}: {counted(len(self.files), 'NPZ file')}>"

    def _repr_html_(self) -> str:
        rows = [[each.name, *_described(each)] for each in self.files]
        return html_table(repr(self), ["file", "frames", "roles", "dose", "defect"], rows)


def _described(file: ScannedFile) -> list[str]:
    roles = ", ".join(f"{role}: {name}" for role, name in file.roles.items())
    return ["x".join(map(str, file.frames)), roles, file.claims[0].spelled if file.claims else "", file.defect]


def scan(folder: str | os.PathLike[str]) -> Scan:
    """Look at all NPZ files below a folder, by their headers: nothing is measured, and nothing is run.

    Raises
    ------
    ParityError
        If the folder cannot be listed.
    """
    root = os.fspath(folder)
    files = scan_folder(root)
    return Scan(root, tuple(files), "\n".join(suggest_table(root, files)))
