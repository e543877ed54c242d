"""Tables for programs: the statistics as CSV (RFC 4180, UTF-8), and SHA256SUMS."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from ..evidence.artifacts import LOG_SHA256
from ..evidence.dataset import Dataset
from ..evidence.encoding import convert_for_json
from ..evidence.model import EvidenceLog
from ..statistics.records import PartStats

# The first columns are those that other tools already read, in their order.
_PART = ("min", "max", "mean", "p50")
_MORE = ("std", "p01", "p05", "p95", "p99")
_PROBE = [
    "filename",
    "photon_dose",
    *(f"{part}_{name}" for part in ("amp", "phase") for name in _PART),
    "l2_norm",
    *(f"{part}_{name}" for part in ("amp", "phase") for name in _MORE),
    LOG_SHA256,
]
_STAGE = [
    "filename",
    "photon_dose",
    "stage",
    *("min", "max", "mean", "std", "median", "p01", "p10", "p90", "p99", "nonzero_fraction", "count"),
    *("nan_count", "inf_count", "n_unique_scans", "n_patterns"),
    LOG_SHA256,
]


def probe_table(log: EvidenceLog, log_sha256: str) -> str:
    """Return a row for each dataset: the statistics of amplitude and phase, the L2 norm, and which log this is of.

    Returns
    -------
    str
        CSV. A value that was not measured is an empty cell.
    """
    rows = (_name(dataset) | _probe(dataset) for dataset in log.datasets)
    return _csv(_PROBE, (row | {LOG_SHA256: log_sha256} for row in rows))


def stage_table(log: EvidenceLog, log_sha256: str) -> str:
    """Return a row for each measured stage of each dataset, which says which log this is of.

    Returns
    -------
    str
        CSV.
    """
    return _csv(
        _STAGE,
        (
            _name(dataset) | {"stage": stage, LOG_SHA256: log_sha256} | vars(stats)
            for dataset in log.datasets
            for stage, stats in vars(dataset.stats).items()
            if stats is not None
        ),
    )


def _name(dataset: Dataset) -> dict[str, Any]:
    return {"filename": dataset.filename, "photon_dose": dataset.photon_dose}


def _probe(dataset: Dataset) -> dict[str, Any]:
    probe = dataset.probe
    if probe is None:
        return {}
    return {"l2_norm": probe.l2_norm} | _part("amp", probe.amplitude) | _part("phase", probe.phase)


def _part(prefix: str, stats: PartStats) -> dict[str, float]:
    return {f"{prefix}_{name}": getattr(stats, name) for name in _PART + _MORE}


def _csv(columns: list[str], rows: Iterable[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(convert_for_json(row) for row in rows)
    return text.getvalue()


def checksums(log: EvidenceLog) -> bytes:
    """Return ``SHA256SUMS``, which ``sha256sum -c`` reads in the dataset root: a line for each dataset.

    Returns
    -------
    bytes
        A name with a backslash or a line break is escaped as coreutils does, which marks its line
        by a leading backslash.
    """
    lines = []
    for dataset in log.datasets:
        if dataset.sha256 is not None:
            name = dataset.filename.encode("utf-8", "surrogateescape")
            escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
            mark = b"\\" if escaped != name else b""
            lines.append(mark + dataset.sha256.encode() + b"  " + escaped + b"\n")
    return b"".join(lines)
