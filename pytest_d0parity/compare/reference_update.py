"""The reference, brought up to date with what was observed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..evidence.encoding import convert_for_json, json_text
from ..evidence.file import LogError, LogFile, read_log
from ..evidence.model import Difference, EvidenceLog, Reference
from ..scenario.sweep import sort_by_dose
from ..util.atomic import write_atomically
from ..util.files import describe_os_error
from ..util.text import printable
from .comparator import Comparator
from .values import has_run, values_of_file


@dataclass(frozen=True, kw_only=True)
class ReferenceUpdate:
    """What an update changed.

    Attributes
    ----------
    path : str
        As given.
    is_new : bool
        Whether there was no reference before.
    is_written : bool
        Whether anything was to be written at all.
    changes : tuple of Difference
        From the old reference to the new one, the largest first.
    kept : tuple of str
        Datasets, parameters and metrics that were in the reference and were not observed now.
    """

    path: str
    is_new: bool
    is_written: bool
    changes: tuple[Difference, ...]
    kept: tuple[str, ...]


def update_reference(path: str, shown_as: str, log: EvidenceLog) -> ReferenceUpdate:
    """Accept what a log holds as the reference. What it does not hold stays as it was.

    Parameters
    ----------
    path : str
        The reference; made with its folder where there is none.
    shown_as : str
        What to call it.
    log : EvidenceLog
        What was observed.

    Returns
    -------
    ReferenceUpdate

    Raises
    ------
    LogError
        If the reference that is there cannot be read or replaced.
    """
    old = read_log(path, shown_as) if os.path.lexists(path) else None
    content = _accepted(convert_for_json(log))
    kept: tuple[str, ...] = ()
    changes: tuple[Difference, ...] = ()
    if old is not None:
        before = values_of_file(old)
        observed = {dataset["filename"] for dataset in content["datasets"]}
        kept = tuple(name for name in before.datasets if name not in observed)
        for part in ("baseline_params", "metrics"):
            if content[part]:
                kept += tuple(f"{part}: {name}" for name in old.content.get(part) or {} if name not in content[part])
        if set(before.datasets) - observed and old.version < log.schema_version:
            raise LogError(
                f"log {printable(shown_as)} is of an older schema, which cannot hold these datasets beside new ones: "
                f"{', '.join(map(printable, kept))}; observe the whole sweep, or write to another file"
            )
        content = _merged(old.content, content)
        after = values_of_file(LogFile(shown_as, "", log.schema_version, content))
        changes = Comparator(Reference(path=shown_as, sha256=old.sha256), before).compare(after).differences
        if not changes and old.version == log.schema_version:
            return ReferenceUpdate(path=shown_as, is_new=False, is_written=False, changes=(), kept=kept)
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        write_atomically(path, json_text(content).encode())
    except OSError as error:
        raise LogError(f"reference {printable(shown_as)} cannot be written: {describe_os_error(error)}") from None
    return ReferenceUpdate(path=shown_as, is_new=old is None, is_written=True, changes=changes, kept=kept)


def _accepted(log: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a log into a reference: what a session did not get to is no fault of the values."""
    problems = [problem for problem in log["problems"] if problem["severity"] != "error"]
    return {**log, "verdict": "recorded", "problems": problems}


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    datasets = _by(old["datasets"], "filename") | _by(new["datasets"], "filename")
    observed = [check for check in new["checks"] if has_run(check)]
    checks = _by(new["checks"], "id") | _by(old.get("checks") or (), "id") | _by(observed, "id")
    return {
        **new,
        "baseline_params": {**(old.get("baseline_params") or {}), **new["baseline_params"]},
        "metrics": {**(old.get("metrics") or {}), **new["metrics"]},
        "datasets": [datasets[name] for name in sort_by_dose(datasets)],
        "total_datasets": len(datasets),
        "checks": list(checks.values()),
    }


def _by(records: Iterable[Mapping[str, Any]], key: str) -> dict[str, Any]:
    return {record[key]: record for record in records}
