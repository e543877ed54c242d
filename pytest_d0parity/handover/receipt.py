"""The receipt of a verification: what was checked, against which log, when, and with which result."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ..evidence.artifacts import ReportError, write_artifact
from ..evidence.model import UNSHOWN, Verdict
from ..util.files import describe_os_error
from ..util.markdown import escape, table
from ..util.records import as_dict
from ..util.text import counted, listed, more_than, printable, valid_utf8
from .bundle_reader import LOG_FILE
from .verification import FINE, CheckedFile

if TYPE_CHECKING:
    from ..attest.attestation import Attested
    from ..evidence.drift import Difference, Finding
    from ..scenario.thresholds import Level


T = TypeVar("T")

RECEIPT = "dose_parity_receipt"

_UNSIGNED = (
    "the signature covers the log, and what that holds the SHA-256 of; all else is as the manifest says, which anybody "
    "can write"
)
_ROWS = 40  # shown on a terminal
_MOST_LITTER = 5
_WORDS = {"not_checked": "not checked"}
_SENTENCES = {
    "match": "everything that was checked is as the log says",
    "within_thresholds": "some values differ from the log, none beyond its threshold",
    "drift": "not everything is as the log says",
    "incomplete": "not everything could be checked, so parity is not shown",
}


@dataclass(frozen=True, kw_only=True)
class LogIdentity:
    """The log that files were checked against."""

    path: str
    sha256: str | None
    scenario_id: str | None
    timestamp: str | None
    verdict: str | None


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The result of a verification, to send back.

    Attributes
    ----------
    checked : str
        The folder of the files, or the bundle, as given.
    measured : bool
        Whether every value was measured again, and not only the bytes compared.
    compare : str
        The level of comparison: ``bytes``, or ``statistics``.
    thresholds : tuple of str
        Those that were given, and those of the project.
    differences : tuple of Difference
        The values that were compared and differ.
    findings : tuple of Finding
        Why these differ.
    problems : tuple of str
        What keeps the whole from being believed.
    not_looked_at : tuple of str
        What the log tells of, and this check was not about.
    litter : tuple of str
        Files that systems strew, which nobody has handed over.
    has_unchecked_signature : bool
        Whether a signature came along that was not checked.
    """

    receipt_version: int = 1
    verdict: Verdict
    timestamp: str
    tool: str
    log: LogIdentity
    checked: str
    measured: bool
    compare: Level = "bytes"
    thresholds: tuple[str, ...] = ()
    attestation: Attested | None = None
    files: tuple[CheckedFile, ...] = ()
    differences: tuple[Difference, ...] = ()
    findings: tuple[Finding, ...] = ()
    problems: tuple[str, ...] = ()
    not_looked_at: tuple[str, ...] = ()
    litter: tuple[str, ...] = ()
    has_unchecked_signature: bool = False

    @property
    def sentence(self) -> str:
        """The verdict in one line of plain text."""
        counts = Counter(each.outcome for each in self.files)
        tally = ", ".join(f"{count} {_WORDS.get(outcome, outcome)}" for outcome, count in counts.items())
        files = counted(len(self.files), "file")
        faulty = self.attestation is not None and self.attestation.faults
        found = "the attestation does not hold" if faulty else _SENTENCES[self.verdict]
        if self.verdict == "drift" and not faulty and counts.keys() <= {*FINE, "not_checked"}:
            found = "the whole contradicts itself"
        if any(each.name == LOG_FILE and each.outcome in ("changed", "damaged") for each in self.files):
            found = "the log itself was damaged or changed on the way: ask for it again"
        how = "; every value measured again" if self.measured else ""
        counted_files = f"{files} of {printable(self.checked)}: {tally or 'none'}{how}"
        return "; ".join([f"{self.verdict}: {found} ({counted_files})", *self._reservations()])

    def _reservations(self) -> Iterator[str]:
        """Yield what the verdict leaves open."""
        if self.has_unchecked_signature:
            is_read = self.log.sha256 is not None
            what = "was not checked" if is_read else "could not be checked, for the log cannot be read"
            yield f"a signature is there, and {what}"
        if self.log.verdict in UNSHOWN:
            yield f"the log's own verdict is {self.log.verdict}"

    def without_folders(self, paths: Iterable[str]) -> Receipt:
        """Return it as it is sent away: with the last part alone of absolute paths, wherever these stand in a text.

        Parameters
        ----------
        paths : iterable of str
            Those that the user gave, and what they led to; relative ones stay as they are.
        """
        parts = {
            spell(path).rstrip(os.sep): spell(os.path.basename(os.path.normpath(path)))
            for path in filter(os.path.isabs, paths)
            for spell in (valid_utf8, printable)
        }
        parts.pop("", None)  # the root of all folders tells nothing
        if not parts:
            return self
        any_path = "|".join(map(re.escape, sorted(parts, key=len, reverse=True)))  # a file before its folder
        pattern = re.compile(rf"(?<![\w./~-])(?:{any_path})(?![\w-]|\.\w)")  # and no part of a longer name
        return _with_texts(self, partial(pattern.sub, lambda found: parts[found[0]]))

    @property
    def remarks(self) -> list[str]:
        """What is wrong with the whole, why values differ, and what is wrong with the attestation, in sentences."""
        remarks = [*self.problems, *(finding.text() for finding in self.findings)]
        if self.attestation is not None:
            remarks += [f"{printable(self.attestation.path)}: {fault}" for fault in self.attestation.faults]
        return remarks

    def to_json(self) -> str:
        """Return it as strict JSON."""
        content = as_dict(self)
        if self.differences:
            from ..evidence.encoding import convert_for_json

            content["differences"] = convert_for_json(self.differences)
        return json.dumps(content, default=as_dict, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def to_markdown(self) -> str:
        """Return it as Markdown."""
        sections = [
            "# D0 Parity Receipt",
            f"**{self.verdict}**: {escape(self.sentence.partition(': ')[2])}.",
            "\n".join(f"- {escape(remark)}" for remark in self.remarks),
            table(["what", "value"], self._summary_rows()),
            "## Files",
            table(
                ["file", "outcome", "what", "SHA-256"],
                (
                    [each.name, _WORDS.get(each.outcome, each.outcome), each.remark, each.observed_sha256]
                    for each in self.files
                ),
            ),
            *self._differing_values(),
            "\n".join(f"- Not looked at: {escape(remark)}" for remark in self.not_looked_at),
            escape(self._litter_text()),
        ]
        return "\n\n".join(filter(None, sections)) + "\n"

    def to_text(self, *, faulty_only: bool = False) -> str:
        """Return it as plain text: the verdict, then the files, or those that differ, which come first."""
        files = sorted(self.files, key=lambda each: each.outcome == "same")
        if faulty_only:
            files = [each for each in files if each.outcome != "same"]
        width = max((len(printable(each.name)) for each in files[:_ROWS]), default=0)
        lines = [self.sentence, *self.remarks, *self._attestation_lines(), ""]
        for each in files[:_ROWS]:
            outcome = _WORDS.get(each.outcome, each.outcome)
            lines.append(f"{printable(each.name):{width}}  {outcome:12}  {printable(each.remark)}".rstrip())
        lines += more_than(_ROWS, len(files), "files")
        if self.differences and self.measured:
            from ..reports.difference_table import difference_table

            lines += ["", difference_table(self.differences)]
        lines += [f"not looked at: {remark}" for remark in self.not_looked_at]
        return "\n".join([*lines, *filter(None, [self._litter_text()])])

    def _litter_text(self) -> str:
        """Name the files that systems strew; empty if there are none."""
        if not self.litter:
            return ""
        return f"left aside, for systems strew such files: {listed(self.litter, _MOST_LITTER)}"

    def _attestation_lines(self) -> list[str]:
        if self.attestation is None or self.attestation.faults:
            return []
        is_bundle = any(each.name == LOG_FILE for each in self.files)
        return [f"attested: {self.attestation.text}", *([_UNSIGNED] if is_bundle and self.attestation.key_id else [])]

    def _summary_rows(self) -> list[Sequence[Any]]:
        facts: list[Sequence[Any]] = [
            ["checked", self.checked],
            ["against the log", self.log.path],
            ["SHA-256 of the log", self.log.sha256],
            ["scenario", self.log.scenario_id],
            ["made at", self.log.timestamp],
            ["its own verdict", self.log.verdict],
            ["how", "every compared value measured again" if self.measured else "sizes and SHA-256"],
            ["level", self.compare],
            ["thresholds", self.thresholds],
        ]
        if self.attestation is not None:
            facts += [
                ["attestation", self.attestation.path],
                ["SHA-256 of the attestation", self.attestation.sha256],
                ["it attests", "nothing that holds" if self.attestation.faults else self.attestation.text],
            ]
        return [*facts, ["checked at", self.timestamp], ["by", self.tool]]

    def _differing_values(self) -> list[str]:
        if not self.differences:
            return []
        from ..reports.difference_table import difference_markdown

        return ["## Values That Differ", difference_markdown(self.differences)]


def _with_texts(record: T, change: Callable[[str], str]) -> T:
    """Return a record with each of its texts changed, also in the records that it holds."""
    changed: Any = record
    if isinstance(record, str):
        changed = change(record)
    elif isinstance(record, tuple):
        changed = tuple(_with_texts(each, change) for each in record)
    elif is_dataclass(record) and not isinstance(record, type):
        changed = replace(
            record, **{each.name: _with_texts(getattr(record, each.name), change) for each in fields(record)}
        )
    return cast(T, changed)


def remove_receipt(folder: str) -> None:
    """Remove the receipt of an earlier verification, so that it is not taken for the one of this.

    Raises
    ------
    ReportError
        If it cannot be removed.
    """
    for ending in ("json", "md"):
        path = os.path.join(folder, f"{RECEIPT}.{ending}")
        try:
            os.unlink(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise ReportError(f"{printable(path)} cannot be removed: {describe_os_error(error)}") from None


def write_receipt(receipt: Receipt, folder: str) -> str:
    """Write a receipt as JSON and as Markdown.

    Parameters
    ----------
    folder : str
        A folder that is there.

    Returns
    -------
    str
        The path of the JSON.

    Raises
    ------
    ReportError
        If it cannot be written.
    """
    path = os.path.join(folder, RECEIPT)
    write_artifact(f"{path}.json", receipt.to_json().encode())
    write_artifact(f"{path}.md", receipt.to_markdown().encode())
    return f"{path}.json"
