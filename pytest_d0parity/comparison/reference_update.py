"""The reference, updated with what was observed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..evidence.dataset import Dataset, by_dose
from ..evidence.drift import Difference
from ..evidence.encoding import to_json
from ..evidence.file import LogError, LogFile, read_log
from ..evidence.model import Check, EvidenceLog
from ..scenario.thresholds import Threshold
from ..util.atomic import write_atomically
from ..util.files import describe_os_error
from ..util.text import listed, printable, valid_utf8
from .comparator import Comparator
from .difference import worst_first
from .values import ALL_PARAMS, has_run, values_of


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
        From the old reference to the new one, the largest first; those within their thresholds are changes as well.
    kept : tuple of str
        Datasets, parameters, metrics and attachments that were in the reference and were not observed now.
    """

    path: str
    is_new: bool
    is_written: bool
    changes: tuple[Difference, ...]
    kept: tuple[str, ...]


def update_reference(path: str, shown_as: str, log: EvidenceLog, thresholds: Sequence[Threshold]) -> ReferenceUpdate:
    """Write the values of a log into the reference. What the log does not hold stays as it was.

    Parameters
    ----------
    path : str
        The reference; made with its folder where there is none.
    shown_as : str
        What to call it in messages.
    log : EvidenceLog
        What was observed.
    thresholds : sequence of Threshold
        By which the changes are judged. All are written, whatever these allow.

    Raises
    ------
    LogError
        If the reference that is there cannot be read or replaced.
    """
    old = read_log(path, shown_as) if os.path.lexists(path) else None
    accepted = _as_reference(log)
    kept: tuple[str, ...] = ()
    changes: tuple[Difference, ...] = ()
    if old is not None:
        missing = _not_observed(old.log, accepted)
        kept = (*missing, *_parts_not_observed(old.log, accepted))
        if missing and old.log.schema_version < log.schema_version:
            raise LogError(
                f"log {printable(shown_as)} is of an older schema, which cannot hold these datasets beside new ones: "
                f"{', '.join(map(printable, kept))}; observe the whole sweep, or write to another file"
            )
        if unread := _params_that_would_be_lost(old.log, accepted):
            raise LogError(
                f"log {printable(shown_as)} is of an older schema, which holds no more of the params than an excerpt, "
                f"and not all of it was observed: {listed(unread, 3)}; observe all params, or "
                "write to another file"
            )
        accepted = _merge(old.log, accepted)
        changes = _changes(old, accepted, thresholds)
        if not changes and old.log.schema_version == log.schema_version:
            return ReferenceUpdate(path=shown_as, is_new=False, is_written=False, changes=(), kept=kept)
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        write_atomically(path, to_json(accepted).encode())
    except OSError as error:
        raise LogError(f"reference {printable(shown_as)} cannot be written: {describe_os_error(error)}") from None
    return ReferenceUpdate(path=shown_as, is_new=old is None, is_written=True, changes=changes, kept=kept)


def _changes(old: LogFile, new: EvidenceLog, thresholds: Sequence[Threshold]) -> tuple[Difference, ...]:
    """Return all that differs, as the thresholds judge it. They leave out what is to be ignored, which is kept here."""
    values = values_of(new)
    judged = {each.where: each for each in Comparator.of(old, thresholds).compare(values).differences}
    found = Comparator.of(old).compare(values).differences
    return tuple(sorted((judged.get(each.where) or _ignored(each) for each in found), key=worst_first))


def _ignored(difference: Difference) -> Difference:
    return replace(difference, threshold="ignore", distance=None, verdict="within_thresholds")


def _as_reference(log: EvidenceLog) -> EvidenceLog:
    """Turn a log into a reference: what a session did not get to is no fault of the values."""
    problems = tuple(problem for problem in log.problems if problem.severity != "error")
    return replace(log, verdict="recorded", problems=problems)


def _not_observed(old: EvidenceLog, new: EvidenceLog) -> tuple[str, ...]:
    """Return the datasets of the old reference that were not observed now."""
    observed = _datasets(new)
    return tuple(name for name in _datasets(old) if name not in observed)


def _params_that_would_be_lost(old: EvidenceLog, new: EvidenceLog) -> list[str]:
    """Return the parameters that would no longer be compared: a log of today compares none of the excerpt."""
    if old.schema_version >= ALL_PARAMS:
        return []
    return [name for name in old.baseline_params if name not in new.baseline_params]


def _parts_not_observed(old: EvidenceLog, new: EvidenceLog) -> Iterator[str]:
    """Yield params and metrics of the old reference that were not observed, though others were; and attachments."""
    for part in ("params", "metrics"):
        before, now = getattr(old, part), getattr(new, part)
        if now:
            yield from (f"{part}: {name}" for name in before if name not in now)
    attached = [each.name for each in new.attachments]
    yield from (f"attachments: {each.name}" for each in old.attachments if each.name not in attached)


def _merge(old: EvidenceLog, new: EvidenceLog) -> EvidenceLog:
    """Put what was observed into the old reference; what was not stays."""
    datasets = _datasets(old) | _datasets(new)
    checks = _checks(new.checks) | _checks(old.checks) | _checks(filter(has_run, new.checks))
    return replace(
        new,
        params={**old.params, **new.params},
        baseline_params={**old.baseline_params, **new.baseline_params},
        metrics={**old.metrics, **new.metrics},
        datasets=by_dose(datasets.values()),
        total_datasets=len(datasets),
        attachments=tuple({each.name: each for each in (*old.attachments, *new.attachments)}.values()),
        checks=tuple(checks.values()),
    )


def _datasets(log: EvidenceLog) -> dict[str, Dataset]:
    return {valid_utf8(dataset.filename): dataset for dataset in log.datasets}


def _checks(checks: Iterable[Check]) -> dict[str, Check]:
    return {valid_utf8(check.id): check for check in checks}
