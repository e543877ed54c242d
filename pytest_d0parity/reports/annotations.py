"""The annotations of a run in GitHub Actions: the workflow commands that make them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ..evidence.model import Check, EvidenceLog
from ..util.text import counted, printable
from .outcome import outcome_of

_MAX_ANNOTATIONS = 10  # that GitHub shows of a step


def github_annotations(log: EvidenceLog, errors: Sequence[str], messages: Mapping[str, str]) -> list[str]:
    """Return the workflow commands that annotate a run that failed; none if it did not fail.

    The first tells the verdict and why, since GitHub shows few; the others tell of the checks that failed, those of one
    dataset that say the same together.

    Parameters
    ----------
    log : EvidenceLog
        With its checks.
    errors : sequence of str
        Why parity is not shown, and what could not be written.
    messages : mapping of str to str
        What the checks that failed say, by their ids.
    """
    failed = [check for check in log.checks if check.outcome in ("failed", "error")]
    if not (failed or errors or log.verdict == "drift"):
        return []
    told = [_error("d0parity", *_verdict(log, errors)), *_grouped(failed, messages)]
    return told[:_MAX_ANNOTATIONS]


def _verdict(log: EvidenceLog, errors: Sequence[str]) -> list[str]:
    """Return the verdict, and the first that says why: a finding, or else an error, or else what was left out."""
    outcome = outcome_of(log)
    reasons = outcome.remarks if outcome.findings else [*errors, *outcome.remarks]
    return [f"{log.verdict}: {outcome.sentence}", *reasons[:1]]


def _grouped(failed: Sequence[Check], messages: Mapping[str, str]) -> Iterator[str]:
    groups: dict[tuple[str | None, str], list[str]] = {}
    for check in failed:
        said = messages.get(check.id, "it failed; the log of the run says why")
        groups.setdefault((check.dataset, said), []).append(check.id)
    for (dataset, said), ids in groups.items():
        about = f" of {dataset}" if dataset else ""
        yield _error(ids[0] if len(ids) == 1 else f"{counted(len(ids), 'check')}{about}", said)


def _error(title: str, *lines: str) -> str:
    name = re.sub("[%:,]", lambda mark: f"%{ord(mark[0]):02X}", printable(title))
    return f"::error title={name}::{'%0A'.join(printable(line).replace('%', '%25') for line in lines)}"
