"""The origin of drift: one sentence that says where it starts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from .drift import PRESENT
from .evidence import Difference
from .text import printable, valid_utf8

__all__ = ["explain_origin"]

# In the order of the pipeline: what comes later drifts because of what comes before it.
_PARTS = {
    "raw": "it starts in raw, the stored diff3d itself",
    "normalized": "it starts in normalized: raw agrees, so the normalisation differs",
    "grouped": "it starts in grouped: raw and normalized agree, so look at scan_index",
    "photons": "it is in the photon count alone: every stage agrees",
    "probe": "it is in the probe alone: the diffraction data agree",
    "arrays": "it is in arrays that are not measured: every statistic agrees",
    "file": "it is in the bytes of the file alone: every array agrees",
}
_SHOWN = 3


def explain_origin(differences: Iterable[Difference], filenames: Sequence[str]) -> str:
    """Say where the drift starts.

    Parameters
    ----------
    differences : iterable of Difference
    filenames : sequence of str
        The datasets of the log.

    Returns
    -------
    str
        Empty where nothing drifts.
    """
    drifted = [difference for difference in differences if difference.verdict == "drift"]
    names = [valid_utf8(name) for name in filenames]
    known = frozenset(names)
    one_sided = [d.where for d in drifted if PRESENT in (d.expected, d.observed)]
    parts: dict[str, set[str]] = {}
    others = []
    for difference in drifted:
        dataset = _dataset(difference.where, known)
        if dataset is not None:
            parts.setdefault(dataset, set()).add(_part(difference.where.removeprefix(f"{dataset}:")))
        elif difference.where not in one_sided:
            others.append(difference.where)

    sentences = [f"One side alone holds {_listed(one_sided)}."] if one_sided else []
    for part, meaning in _PARTS.items():
        starting = [name for name in names if part in parts.get(name, ()) and part == _first(parts[name])]
        if starting:
            sentences.append(f"{_who(starting, names)}; {meaning}.")
    if others:
        agree = "" if parts or one_sided else "The datasets agree. "
        sentences.append(f"{agree}Drifting beside the datasets: {_listed(others)}.")
    return " ".join(sentences)


def _dataset(where: str, names: Collection[str]) -> str | None:
    """Give the longest of the names that stands before a colon."""
    end = where.rfind(":")
    while end > 0:
        if where[:end] in names:
            return where[:end]
        end = where.rfind(":", 0, end)
    return None


def _part(name: str) -> str:
    part = name.partition(".")[0]
    return "file" if part in ("sha256", "size_bytes") else part


def _first(parts: set[str]) -> str:
    return next(part for part in _PARTS if part in parts)


def _who(starting: Sequence[str], names: Sequence[str]) -> str:
    if len(starting) == len(names):
        return "Every dataset drifts" if len(names) > 1 else f"{printable(names[0])} drifts"
    verb = "drifts" if len(starting) == 1 else "drift"
    return f"{len(starting)} of {len(names)} datasets {verb} ({_listed(starting)})"


def _listed(names: Sequence[str]) -> str:
    text = ", ".join(map(printable, names[:_SHOWN]))
    return f"{text} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else text
