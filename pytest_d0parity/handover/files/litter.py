"""Litter: files that operating systems strew into folders, and that nobody has handed over."""

from __future__ import annotations

_NAMES = frozenset({".ds_store", "thumbs.db", "desktop.ini", ".directory", ".localized", "icon\r"})
_FOLDERS = frozenset({"__macosx", ".spotlight-v100", ".trashes", ".fseventsd", "$recycle.bin"})


def is_litter(name: str) -> bool:
    """Whether a file, by its path with slashes, is one that a system strews.

    Examples
    --------
    >>> is_litter("data/.DS_Store"), is_litter("data/datasets/._data_p1e3.npz"), is_litter("data_p1e3.npz")
    (True, True, False)
    """
    *folders, last = name.casefold().split("/")
    return last in _NAMES or last.startswith("._") or not _FOLDERS.isdisjoint(folders)
