"""Whether the datasets of a sweep differ in their dose alone: which arrays are the same in all of a split."""

from __future__ import annotations

import math
import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import fields

from ...evidence.dataset import Dataset, SharedArray, Split
from ...statistics.records import PartStats
from ...util.text import valid_utf8

_ROLES = ("xcoords", "ycoords", "scan_index", "probeGuess", "objectGuess")
_SPLIT = re.compile(r"(?<![a-z])(train|test|valid|val)(?![a-z])", re.IGNORECASE)
_TOLERANCE = 1e-6  # relative, for a factor between two probes


def sweep_record(datasets: Sequence[Dataset]) -> tuple[Split, ...]:
    """Return for each split of two datasets or more which arrays are the same in all of them."""
    splits: dict[str, list[Dataset]] = {}
    for dataset in datasets:
        splits.setdefault(_split_of(dataset), []).append(dataset)
    return tuple(
        Split(name=name, datasets=len(members), arrays=dict(_shared_arrays(members)))
        for name, members in sorted(splits.items())
        if len(members) > 1
    )


def _split_of(dataset: Dataset) -> str:
    found = _SPLIT.findall(posixpath.basename(dataset.filename))
    return found[-1].lower() if found else ""


def _shared_arrays(datasets: Sequence[Dataset]) -> Iterator[tuple[str, SharedArray]]:
    for role in _ROLES:
        having = [dataset for dataset in datasets if dataset.roles.get(role, "") in dataset.arrays]
        if len(having) < 2:
            continue
        found = {valid_utf8(dataset.filename): dataset.arrays[dataset.roles[role]].crc32 for dataset in having}
        (most, _), *_ = Counter(found.values()).most_common(1)
        differ = tuple(name for name, crc32 in found.items() if crc32 != most)
        factors = role == "probeGuess" and bool(differ) and _are_multiples(having)
        yield role, SharedArray(same=not differ, differ=differ, up_to_a_factor=True if factors else None)


def _are_multiples(datasets: Sequence[Dataset]) -> bool:
    """Whether the probes are the same up to one factor each, as far as their statistics tell."""
    probes = [dataset.probe for dataset in datasets if dataset.probe is not None]
    if len(probes) < len(datasets):  # one could not be measured
        return False
    first = probes[0]
    return all(
        first.l2_norm > 0
        and probe.shape == first.shape
        and _are_close(probe.phase, first.phase, 1.0)
        and _are_close(probe.amplitude, first.amplitude, probe.l2_norm / first.l2_norm)
        for probe in probes[1:]
    )


def _are_close(one: PartStats, other: PartStats, factor: float) -> bool:
    floor = _TOLERANCE * max(abs(one.max), abs(one.min))
    return all(
        math.isclose(getattr(one, item.name), getattr(other, item.name) * factor, rel_tol=_TOLERANCE, abs_tol=floor)
        for item in fields(PartStats)
        if not item.name.endswith("_count")
    )
