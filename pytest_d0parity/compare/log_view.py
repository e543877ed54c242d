"""What a log on disk says, beyond the values that are compared: for those who show it."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from ..evidence.encoding import convert_for_json
from ..evidence.file import LogError, LogFile
from ..evidence.model import Difference, EvidenceLog, Histograms, Problem, Reference, Scan
from ..evidence.probe_archive import Probes, probe_name, read_probes
from ..scenario.sweep import dose_of
from ..util.text import printable
from .values import BUILT_IN, NUMBERS, Named, Values, values_of_file

_Verdict = Literal["recorded", "match", "within_thresholds", "drift", "incomplete"]

_SUBJECTS = {"file": "file", "arrays": "arrays", "photon_dose": "photons", "probe": "probe", "params": "params"}


@dataclass(frozen=True, kw_only=True)
class RecordedDataset:
    """One dataset of a log.

    Attributes
    ----------
    dose : float or None
        In photons per pattern, as the name says.
    dose_text : str or None
        As the name spells it.
    values : dict
        Those that are compared, by name.
    histograms : Histograms
    scans : tuple of Scan
    probe : str or None
        Name of its probe in `probes.npz`.
    """

    dose: float | None
    dose_text: str | None
    values: Named
    histograms: Histograms = field(default_factory=Histograms)
    scans: tuple[Scan, ...] = ()
    probe: str | None = None


@dataclass(frozen=True)
class RecordedCheck:
    """One check of a log: its id, the dataset that it is about, if any, and its outcome."""

    id: str
    dataset: str | None = None
    outcome: str = "unknown"

    @property
    def subject(self) -> str | None:
        """What a check of our own is about: a part of a dataset, ``params.<flag>``, ``params`` or ``metrics.<name>``.

        None for the users' own checks.
        """
        kind, _, part = self.id.removeprefix(f"{BUILT_IN}test_").removesuffix("]").partition("[")
        if not self.id.startswith(f"{BUILT_IN}test_"):
            return None
        if kind == "stage":
            return part.rpartition("-")[2]
        if kind in ("flag", "metric"):
            return f"{'params' if kind == 'flag' else 'metrics'}.{part}"
        return _SUBJECTS.get(kind)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A log of any version.

    Attributes
    ----------
    path, sha256 : str
        Of the log; empty where it is not on the disk yet.
    metadata : dict
    values : Values
        Those that are compared.
    datasets : dict of str to RecordedDataset
        By file name, in the order of the log.
    problems : tuple of Problem
        Those of the whole first.
    reference : Reference or None
    drift : tuple of Difference
    verdict : str
    checks : tuple of RecordedCheck
    probes : Probes
    """

    path: str
    sha256: str
    metadata: Mapping[str, Any]
    values: Values
    datasets: Mapping[str, RecordedDataset]
    problems: tuple[Problem, ...]
    reference: Reference | None
    drift: tuple[Difference, ...]
    verdict: str
    checks: tuple[RecordedCheck, ...]
    probes: Probes

    @property
    def tally(self) -> Counter[str]:
        """How many checks have which outcome."""
        return Counter(check.outcome for check in self.checks)


def recorded(log: EvidenceLog, probes: Probes) -> Recorded:
    """Take what a log in memory says."""
    return _recorded(LogFile("", "", log.schema_version, convert_for_json(log)), probes)


def recorded_file(file: LogFile, folder: str | None = None) -> Recorded:
    """Take what a log from disk says, and the probes that lie beside it.

    Parameters
    ----------
    file : LogFile
    folder : str, optional
        Where its probes lie; without it they are not read.

    Raises
    ------
    LogError
        If something in it is of another kind than in an evidence log; it says what and where.
    """
    return _recorded(file, Probes({}) if folder is None else read_probes(folder))


def _recorded(file: LogFile, probes: Probes) -> Recorded:
    values = values_of_file(file)
    content = file.content
    try:
        entries = {entry["filename"]: entry for entry in content["datasets"]}
        problems = _list(content, "problems")
        for entry in entries.values():
            problems += _list(entry, "problems")
        return Recorded(
            path=file.path,
            sha256=file.sha256,
            metadata=msgspec.convert(content.get("metadata") or {}, dict[str, Any]),
            values=values,
            datasets={name: _dataset(entry, values.datasets[name]) for name, entry in entries.items()},
            problems=msgspec.convert(problems, tuple[Problem, ...]),
            reference=msgspec.convert(content.get("reference"), Reference | None),
            drift=msgspec.convert([_difference(each) for each in _list(content, "drift")], tuple[Difference, ...]),
            verdict=msgspec.convert(content.get("verdict", "recorded"), _Verdict),
            checks=msgspec.convert(_list(content, "checks"), tuple[RecordedCheck, ...]),
            probes=probes,
        )
    except msgspec.ValidationError as error:
        raise LogError(f"log {printable(file.path)} is no evidence log: {error}") from None


def _list(content: Mapping[str, Any], name: str) -> list[Any]:
    entries = content.get(name) or []
    if not isinstance(entries, list):
        raise msgspec.ValidationError(f"{name} is no list")
    return list(entries)


def _dataset(entry: Mapping[str, Any], values: Named) -> RecordedDataset:
    crc32, size = values.get("arrays.probeGuess.crc32"), values.get("arrays.probeGuess.size_bytes")
    name = str(entry["filename"])
    return RecordedDataset(
        dose=dose_of(os.path.basename(name)),
        dose_text=msgspec.convert(entry.get("photon_dose"), str | None),
        values=values,
        histograms=_histograms(entry.get("histograms") or {}),
        scans=msgspec.convert([_numbers(scan) for scan in _list(entry, "scans")], tuple[Scan, ...]),
        probe=probe_name(crc32, size) if isinstance(crc32, str) and isinstance(size, int) else None,
    )


def _histograms(entry: Any) -> Histograms:
    histograms = msgspec.convert(entry, Histograms)
    for each in (histograms.raw, histograms.normalized, histograms.grouped):
        if each is not None:
            bins = list(itertools.pairwise(each.edges))
            drawn = bins and len(bins) == len(each.counts) and all(low <= high for low, high in bins)
            if not (drawn and each.edges[0] < each.edges[-1] and min(each.counts) >= 0):
                raise msgspec.ValidationError("a histogram needs ascending edges, and a count between any two")
    return histograms


def _difference(entry: Any) -> Any:
    # Expected and observed may be texts that look like numbers; the distance is none.
    if not isinstance(entry, dict) or not isinstance(entry.get("distance"), str):
        return entry
    return {**entry, "distance": NUMBERS.get(entry["distance"], entry["distance"])}


def _numbers(scan: Any) -> Any:
    if not isinstance(scan, dict):
        return scan
    return {key: NUMBERS.get(value, value) if isinstance(value, str) else value for key, value in scan.items()}
