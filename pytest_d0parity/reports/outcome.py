"""The outcome of a comparison in words: verdict, where drift starts, and the worst differences."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from ..comparison.diagnosis.pair import ONE_SIDE
from ..comparison.difference import MISSING, is_rounding
from ..comparison.levels import is_about_bytes
from ..comparison.values import BUILT_IN
from ..evidence.drift import Difference, Finding, NotCompared
from ..evidence.encoding import convert_for_json
from ..evidence.model import SHOWN, EvidenceLog, Verdict
from ..evidence.shown import html_table
from ..scenario.options import for_pytest
from ..util.markdown import escape
from ..util.text import counted, listed, more_than, printable, valid_utf8
from .difference_table import difference_cells, difference_markdown, difference_table, merged

_BASELINE = ("params", "metrics")
_UNREAD = ("missing", "damaged")  # proofs that a file could not be read: each of its values is missing then
TO_REVIEW = 200  # rows of a table that somebody reads before a reference is changed
_MOST_FINDINGS = 12
_MOST_LEFT_OUT = 5  # names of what was left out for one reason; of others, how many there are


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of a comparison.

    Attributes
    ----------
    verdict : str
        As in the log.
    differences : tuple of Difference
        The worst first.
    filenames : tuple of str
        Datasets of the log.
    findings : tuple of Finding
        Why they differ.
    reference : str or None
        Which log it was compared with.
    left_out : tuple of str
        What the reference has, and this run did not look at.
    not_compared : tuple of NotCompared
        What both have, and a level or a limit leaves out.
    compared : int
        Number of values that were compared; 0 where a log does not say.
    verified : bool
        Whether the CRC-32 of every array was looked at in the files themselves, and not only in two logs.
    from_cache : int
        Number of datasets whose values were known from the cache.
    checks, failed : int
        Number of the checks of a session, and of those that did not pass, for whatever reason.
    notes : tuple of str
        What was not looked at, in sentences.
    errors : int
        How many things could not be read or measured.
    """

    verdict: Verdict
    differences: tuple[Difference, ...]
    filenames: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    reference: str | None
    left_out: tuple[str, ...] = ()
    not_compared: tuple[NotCompared, ...] = ()
    compared: int = 0
    verified: bool = True
    from_cache: int = 0
    checks: int = 0
    failed: int = 0
    notes: tuple[str, ...] = ()
    errors: int = 0

    def __repr__(self) -> str:
        """Tell the verdict: the differences may fill pages."""
        return f"<Outcome {self.verdict}: {self.sentence}>"

    def __bool__(self) -> bool:
        """Whether there is parity, so that ``assert compare(a, b)`` says what it seems to say."""
        return self.verdict in SHOWN

    def _repr_html_(self) -> str:
        columns = ["value", "reference", "observed", "difference", "allowed", "verdict"]
        rows = [[*difference_cells(each)[:5], each.verdict.replace("_", " ")] for each in self.rows]
        return html_table("; ".join([f"{self.verdict}: {self.sentence}", *self.remarks, *self.notes]), columns, rows)

    @property
    def sentence(self) -> str:
        """The verdict in one line of plain text, and how much of it rests on what the cache says."""
        # What a comparison found says nothing of checks that failed for another reason.
        failed = f"; {self.failed} of {counted(self.checks, 'check')} failed" if self.failed else ""
        return f"{self._judgement}{failed}{self.known}"

    @property
    def known(self) -> str:
        """How many datasets were known from the cache, as the end of a sentence; empty if none was."""
        known = f"; {self.from_cache} of {counted(len(self.filenames), 'dataset')} from the cache"
        return known if self.from_cache else ""

    @property
    def _judgement(self) -> str:
        if self.reference is None and self.verdict == "incomplete":
            return "not everything that was planned was checked, so parity is not shown"
        if self.reference is None:
            return "these are the values; nothing was compared"
        reference = f"reference {printable(self.reference)}"
        match self.verdict:
            case "match" if self._count("repacked"):
                return f"every array and every other value equals the {reference}"
            case "match":
                return f"every compared value equals the {reference}"
            case "within_thresholds":
                return self._within(self._count("within_thresholds"), reference)
            case "drift":
                return self._beyond(reference)
        found = f"; {self._beyond(reference)}" if self._count("drift") else ""
        return f"not everything was compared with the {reference}, so parity is not shown{found}"

    def _beyond(self, reference: str) -> str:
        """Say what drifts: values, and apart from them what is not here at all."""
        drifted, unread = self._count("drift"), self._unread()
        absent = {each.root: None for each in self.findings if each.proof == ONE_SIDE and each.root in _BASELINE}
        left = drifted - self.readable()[0]._count("drift") if unread or absent else 0
        limit = "its threshold" if drifted - left == 1 else "their thresholds"
        beyond = f"{_values(drifted - left)} from the {reference} beyond {limit}"
        if unread:
            datasets = counted(len(unread), "dataset")
            what = f"{datasets} of the {reference} could not be read or measured here, or not whole"
        elif absent:
            is_new = all(each.expected == MISSING for each in self.differences if _root_of(each) in absent)
            what = f"{' and '.join(absent)} are {'here, and not in' if is_new else 'not here, but in'} the {reference}"
        else:
            return beyond
        return f"{what}; {beyond}" if drifted > left else what

    def _within(self, count: int, reference: str) -> str:
        agree = f"{_values(count)} from the {reference}, none beyond its threshold{self._by_sigma()}"
        if not count:
            agree = f"every compared value equals the {reference}"
        differing = [item for item in self.not_compared if item.differ]
        if any(is_about_bytes(item.name) for item in differing):
            return f"the statistics agree within their thresholds; the bytes differ: {agree}"
        if differing:
            return f"{agree}; what was left out differs"
        return agree

    def _by_sigma(self) -> str:
        """Return how many values lie within their limits in standard errors, and which one the farthest."""
        judged = [each for each in self.differences if each.sigma is not None and each.distance is not None]
        if not judged:
            return ""
        farthest = max(judged, key=lambda each: each.distance or 0.0)
        limits = ", ".join(dict.fromkeys(each.threshold for each in judged))
        limit = re.fullmatch(r"([0-9.e+-]+)sigma", farthest.threshold)
        errors = (farthest.distance or 0.0) * float(limit[1]) if limit else abs(farthest.sigma or 0.0)
        exact = max(self.compared - len(self.differences), 0)
        name = printable(farthest.where.rpartition(":")[2])
        return f": {len(judged)} within {limits} (farthest {name}, {errors:.1f}), {exact} exact"

    @property
    def remarks(self) -> list[str]:
        """Why they differ, which files were repacked, and what was left out, in plain sentences."""
        remarks = self.found(_MOST_FINDINGS)
        repacked = [d.where.rpartition(":")[0] for d in self.differences if d.verdict == "repacked"]
        if repacked:
            names = listed([*dict.fromkeys(repacked)], _MOST_LEFT_OUT)
            remarks.append(f"Repacked, which is no drift: {names} ({self._repacked_explanation()}).")
        remarks += [_left_out(why, self.not_compared) for why in dict.fromkeys(item.why for item in self.not_compared)]
        if self.left_out:
            names = listed(self.left_out, _MOST_LEFT_OUT)
            remarks.append(f"In the reference, and not looked at by this run: {names}.")
        return remarks

    def found(self, most: int) -> list[str]:
        """Return why they differ, in plain sentences: the first findings, and how many more there are."""
        told = [finding.text(len(self.filenames)) for finding in self.findings[:most]]
        return told + more_than(most, len(self.findings), "findings, in the log")

    @property
    def next_steps(self) -> list[str]:
        """What the findings advise, each in a sentence."""
        return [
            f"{text[0].upper()}{text[1:]}." for text in dict.fromkeys(each.advice for each in self.findings) if text
        ]

    def _repacked_explanation(self) -> str:
        if self.verified:
            return "other bytes, and every array in them the same"
        return (
            "other bytes, and by the checksums in both logs the same arrays; those of arrays that are not measured are "
            "verified by 'd0parity log --reference' and by pytest"
        )

    @property
    def headline(self) -> str:
        """The verdict and its sentence in one line of Markdown."""
        errors = f" {counted(self.errors, 'thing')} could not be read: see the problems." if self.errors else ""
        return f"**{self.verdict.replace('_', ' ')}**: {escape(self.sentence)}.{errors}"

    def text(self) -> str:
        """Return remarks and table as plain text; empty if there are none."""
        shown, note = self.readable()
        return "\n".join([*self.remarks, *shown._tables(difference_table), *note])

    def readable(self) -> tuple[Outcome, list[str]]:
        """Return the outcome without the values of files that could not be read, and of what one side alone has.

        And a line on these, if there are any.
        """
        unread, one_sided = self._unread(), [each for each in self.findings if each.proof == ONE_SIDE]
        # Params and metrics belong to no dataset.
        told = {name for each in one_sided for name in each.datasets or (each.root,)}
        shown = tuple(
            each
            for each in self.differences
            if not (MISSING in (each.expected, each.observed) and _dataset_of(each) in unread)
            and not (MISSING in (each.expected, each.observed) and (_dataset_of(each) or _root_of(each)) in told)
        )
        left = len(self.differences) - len(shown)
        note = f"Not listed: {counted(left, 'value')} of what one side alone has, or could not be read."
        return replace(self, differences=shown), [note] if left else []

    def _unread(self) -> set[str]:
        """Return the datasets that could not be read, or not whole."""
        return {name for finding in self.findings if finding.proof in _UNREAD for name in finding.datasets}

    def render(self, format: str) -> str:  # noqa: A002 - the name of the option
        """Return everything, verdict first, as ``table``, ``markdown`` or ``json``."""
        match format:
            case "json":
                return json.dumps(convert_for_json(self._content()), indent=2, ensure_ascii=False)
            case "markdown":
                return "\n\n".join(filter(None, [self.headline, self.markdown(TO_REVIEW)]))
        return "\n".join(filter(None, [f"{self.verdict}: {self.sentence}", self.text()]))

    def _content(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict,
            "reference": self.reference,
            "drifted": self._count("drift"),
            "within_thresholds": self._count("within_thresholds"),
            "notes": self.notes,
            "findings": self.findings,
            "left_out": self.left_out,
            "not_compared": self.not_compared,
            "differences": self.differences,
        }

    def markdown(self, most: int = 20) -> str:
        """Return remarks and table, of so many rows at most, as Markdown."""
        shown, note = self.readable()
        render = partial(difference_markdown, most=most)
        return "\n\n".join([*map(escape, (*self.remarks, *self.notes)), *shown._tables(render), *note])

    def _tables(self, render: Callable[[Sequence[Difference]], str]) -> list[str]:
        drifted, within = (
            [each for each in self.listed if each.verdict == verdict] for verdict in ("drift", "within_thresholds")
        )
        parts = [render(drifted)] if drifted else []
        if within and drifted:  # which is what matters then
            parts.append(f"Within their thresholds, and not listed here: {counted(len(within), 'value')}.")
        elif within:
            parts += ["Within the thresholds:", render(within)]
        return [*parts, self.rounding] if self.rounding else parts

    @property
    def rounding(self) -> str:
        """How many differences are not listed, since they are rounding; empty if there is none."""
        count = len(self.differences) - len(self.listed)
        return f"Not listed: {_values(count)} by rounding, a part in 1e10 at most." if count else ""

    @cached_property
    def rows(self) -> list[Difference]:
        """The rows of a table of differences."""
        return merged(self.listed)

    @cached_property
    def listed(self) -> tuple[Difference, ...]:
        """The differences that are more than rounding."""
        return tuple(difference for difference in self.differences if not is_rounding(difference))

    def _count(self, verdict: str) -> int:
        return sum(difference.verdict == verdict for difference in self.differences)


def outcome_of(log: EvidenceLog) -> Outcome:
    """Return the outcome that a log holds."""
    from_pytest = any(check.id.startswith(BUILT_IN) for check in log.checks)  # which calls its options otherwise
    return Outcome(
        verdict=log.verdict,
        differences=log.drift,
        filenames=tuple(valid_utf8(dataset.filename) for dataset in log.datasets),
        findings=tuple(replace(each, advice=for_pytest(each.advice)) for each in log.findings)
        if from_pytest
        else log.findings,
        reference=str(log.reference.path) if log.reference else None,
        left_out=log.reference.left_out if log.reference else (),
        not_compared=log.reference.not_compared if log.reference else (),
        compared=log.reference.compared if log.reference else 0,
        from_cache=len(log.metadata.from_cache),
        checks=len(log.checks),
        failed=sum(check.outcome in ("failed", "error") for check in log.checks),
        errors=sum(problem.severity == "error" for problem in log.all_problems),
    )


def _left_out(why: str, items: Sequence[NotCompared]) -> str:
    """Return which values were left out for one reason, in a sentence: first those that differ."""
    items = sorted((item for item in items if item.why == why), key=lambda item: not item.differ)
    names = [f"{item.name} ({_differing(item)})" if item.differ else item.name for item in items]
    return f"Not compared ({why}): {listed(names, _MOST_LEFT_OUT)}."


def _differing(item: NotCompared) -> str:
    if item.values == 1:
        return "differs"
    return f"{item.differ} of {item.values} differ" if item.differ > 1 else f"1 of {item.values} differs"


def _dataset_of(difference: Difference) -> str:
    return difference.where.rpartition(":")[0]


def _root_of(difference: Difference) -> str:
    return difference.where.partition(".")[0]


def _values(count: int) -> str:
    return "1 value differs" if count == 1 else f"{count} values differ"
