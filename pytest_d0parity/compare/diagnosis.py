"""Where drift starts, in sentences."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from ..evidence.model import Difference
from ..util.text import listed, printable, valid_utf8
from .difference import MISSING, PRESENT

# In the order of the pipeline: a part drifts because an earlier one does.
_PARTS = {
    "raw": "it starts in raw, the stored diff3d itself",
    "normalized": "it starts in normalized: raw agrees, so the normalisation differs",
    "order": "{} while the statistics agree: in order, dtype or shape",
    "grouped": "it starts in grouped: raw and normalized agree, so look at scan_index",
    "photons": "it is in the photon count alone: every stage agrees",
    "probe": "it is in the probe alone: the diffraction data agree",
    "arrays": "it is in arrays that are not measured: every statistic agrees",
    "file": "the bytes of the file differ, and nothing else that was compared",
}
# The values that are computed from an array: they drift with it, unless only its order, dtype or shape has changed.
_FOLLOWS = {"diff3d": "raw", "probeGuess": "probe", "scan_index": "grouped"}
_MAX_NAMES = 3


@dataclass
class _Drift:
    """The parts of one dataset in which something drifts."""

    parts: set[str] = field(default_factory=set)
    arrays: set[str] = field(default_factory=set)
    lost: bool = True
    hashes: tuple[object, object] | None = None

    def add(self, name: str, difference: Difference) -> None:
        part = name.partition(".")[0]
        if part in ("sha256", "size_bytes"):
            part = "file"
        elif part == "arrays" and (array := name.split(".")[1:2]) and array[0] in _FOLLOWS:
            self.arrays.add(array[0])
            return
        else:
            self.lost = self.lost and difference.observed == MISSING
        self.parts.add(part)
        if name == "sha256":
            self.hashes = difference.expected, difference.observed

    @property
    def unexplained(self) -> list[str]:
        """The measured arrays whose checksums differ while their statistics agree."""
        return [array for array, part in _FOLLOWS.items() if array in self.arrays and part not in self.parts]

    @property
    def first(self) -> str:
        parts = self.parts | {"order"} if self.unexplained else self.parts
        return next((part for part in _PARTS if part in parts), "order")

    @property
    def meaning(self) -> str:
        arrays = self.unexplained or ["a measured array"]
        return _PARTS[self.first].format(f"{' and '.join(arrays)} differ{'s' * (len(arrays) == 1)}")


def diagnose(differences: Iterable[Difference], filenames: Sequence[str], *, complete: bool = True) -> str:
    """Return where drift starts, in sentences.

    Parameters
    ----------
    filenames : sequence of str
        The datasets of the log.
    complete : bool
        Whether everything was compared. Otherwise no part is said to agree.

    Returns
    -------
    str
        Empty where nothing drifts.
    """
    names = [valid_utf8(name) for name in filenames]
    known = frozenset(names)
    by_dataset: dict[str, _Drift] = {}
    there, here, others = [], [], []
    for difference in differences:
        if difference.verdict != "drift":
            continue
        dataset = dataset_at(difference.where, known)
        if dataset is not None:
            by_dataset.setdefault(dataset, _Drift()).add(difference.where.removeprefix(f"{dataset}:"), difference)
        elif (difference.expected, difference.observed) == (PRESENT, MISSING):
            there.append(difference.where)
        elif (difference.expected, difference.observed) == (MISSING, PRESENT):
            here.append(difference.where)
        else:
            others.append(difference.where)

    sentences = [f"In the reference alone: {listed(there, _MAX_NAMES)}."] if there else []
    sentences += [f"Not in the reference: {listed(here, _MAX_NAMES)}."] if here else []
    sentences += _swapped(by_dataset)
    starts: dict[tuple[str, str], list[str]] = {}
    for name in names:
        if name in by_dataset:
            starts.setdefault((by_dataset[name].first, by_dataset[name].meaning), []).append(name)
    for (part, meaning), starting in sorted(starts.items(), key=lambda start: [*_PARTS].index(start[0][0])):
        lost = [name for name in starting if by_dataset[name].lost and part in ("raw", "probe")]
        kept = [name for name in starting if name not in lost]
        if lost:
            sentences.append(f"{_who(lost, names)}; what the reference has of it could not be measured here.")
        if kept:
            sentences.append(f"{_who(kept, names)}{f'; {meaning}' if complete else ''}.")
    if others:
        agree = "" if by_dataset or there or here or not complete else "The datasets agree. "
        sentences.append(f"{agree}Drifting beside the datasets: {listed(others, _MAX_NAMES)}.")
    return " ".join(sentences)


def _swapped(by_dataset: dict[str, _Drift]) -> list[str]:
    """Return a sentence for each file whose bytes the reference has under another name."""
    expected = {drift.hashes[0]: name for name, drift in by_dataset.items() if drift.hashes}
    return [
        f"{printable(name)} is the file that the reference calls {printable(expected[drift.hashes[1]])}."
        for name, drift in by_dataset.items()
        if drift.hashes and drift.hashes[1] != MISSING and drift.hashes[1] is not None and drift.hashes[1] in expected
    ]


def dataset_at(where: str, names: Collection[str]) -> str | None:
    """Return the dataset with which a place begins, as in ``data_p1e5.npz:raw.mean``; None if there is none."""
    end = where.rfind(":")
    while end > 0:
        if where[:end] in names:
            return where[:end]
        end = where.rfind(":", 0, end)
    return None


def _who(starting: Sequence[str], names: Sequence[str]) -> str:
    if len(starting) == len(names):
        return "Every dataset drifts" if len(names) > 1 else f"{printable(names[0])} drifts"
    verb = "drifts" if len(starting) == 1 else "drift"
    return f"{len(starting)} of {len(names)} datasets {verb} ({listed(starting, _MAX_NAMES)})"
