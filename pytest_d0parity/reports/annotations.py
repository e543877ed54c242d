"""The annotations of a run in GitHub Actions: the workflow commands that make them."""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..comparison.values import BUILT_IN
from ..evidence.model import Check, EvidenceLog
from ..util.text import counted, printable
from .outcome import outcome_of

_MAX_ANNOTATIONS = 10  # that GitHub shows of a step
_MOST_FINDINGS = 5  # in the first of them


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What a test that failed says.

    Attributes
    ----------
    message : str
        Its first line.
    drifted : str
        The names of what drifted, a few of them; empty if it failed for another reason.
    place : tuple of (str, int) or None
        The file of the test, relative to the root with forward slashes, and its line from 1; None if it has none.
    """

    message: str
    drifted: str = ""
    place: tuple[str, int] | None = None


_UNKNOWN = Failure(message="it failed; the log of the run says why")


def github_annotations(log: EvidenceLog, errors: Sequence[str], failures: Mapping[str, Failure]) -> list[str]:
    """Return the workflow commands that annotate a run that failed; none if it did not fail.

    The first tells the verdict and why, since GitHub shows few; the others tell of the checks that failed, those of one
    dataset that fail for the same cause together.

    Parameters
    ----------
    log : EvidenceLog
        With its checks.
    errors : sequence of str
        Why parity is not shown, and what could not be written.
    failures : mapping of str to Failure
        What the checks that failed say, by their ids.
    """
    failed = [(check, failures.get(check.id, _UNKNOWN)) for check in log.checks if check.outcome in ("failed", "error")]
    if not (failed or errors or log.verdict == "drift"):
        return []
    told = [_error("d0parity", _verdict(log, errors)), *_grouped(failed)]
    return told[:_MAX_ANNOTATIONS]


def _verdict(log: EvidenceLog, errors: Sequence[str]) -> list[str]:
    """Return the verdict, and what says why: the first findings, or else an error, or else what was left out."""
    outcome = outcome_of(log)
    reasons = outcome.found(_MOST_FINDINGS) or [*errors, *outcome.remarks][:1]
    return [f"{log.verdict}: {outcome.sentence}", *reasons]


def _grouped(failed: Sequence[tuple[Check, Failure]]) -> Iterator[str]:
    """Yield an annotation for each cause."""
    of_ours = {(check.dataset, failure.message) for check, failure in failed if check.id.startswith(BUILT_IN)}
    groups: dict[Hashable, list[tuple[Check, Failure]]] = {}
    for check, failure in failed:
        groups.setdefault(_cause(check, failure, of_ours), []).append((check, failure))
    for members in groups.values():
        yield _annotation(members)


def _cause(check: Check, failure: Failure, of_ours: Collection[Hashable]) -> Hashable:
    """Return what is the same for failures with one cause: that values drift has one in each check.

    Two tests of the users' may say the same for causes of their own, but not if our checks say it of a file as well.
    """
    said = check.dataset, failure.message
    if failure.drifted:
        return check.id
    return said if said in of_ours else (*said, failure.place)


def _annotation(members: Sequence[tuple[Check, Failure]]) -> str:
    """Return the annotation of checks that fail for one cause, at their place if they share it."""
    (check, failure), *others = members
    about = f" of {check.dataset}" if check.dataset else ""
    title = f"{counted(len(members), 'check')}{about}" if others else check.id
    place = failure.place if all(other.place == failure.place for _, other in others) else None
    drifted = [f"drifted: {failure.drifted}"] if failure.drifted else []
    return _error(title, [failure.message, *drifted], place)


def _error(title: str, lines: Sequence[str], place: tuple[str, int] | None = None) -> str:
    properties = {} if place is None else {"file": place[0], "line": str(place[1])}
    told = ",".join(f"{name}={_property(value)}" for name, value in [*properties.items(), ("title", title)])
    return f"::error {told}::{'%0A'.join(printable(line).replace('%', '%25') for line in lines)}"


def _property(value: str) -> str:
    return re.sub("[%:,]", lambda mark: f"%{ord(mark[0]):02X}", printable(value))
