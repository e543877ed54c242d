"""The results of a verification."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..evidence.model import SHOWN

if TYPE_CHECKING:
    from ..evidence.drift import Difference, Finding
    from ..evidence.model import Verdict


Outcome = Literal["same", "repacked", "agrees", "changed", "damaged", "contradicted", "missing", "extra", "not_checked"]


FINE = ("same", "repacked", "agrees")
_DRIFT = ("changed", "damaged", "contradicted", "missing", "extra")


@dataclass(frozen=True, kw_only=True)
class CheckedFile:
    """The result for one file.

    Attributes
    ----------
    outcome : str
        ``same``: the bytes are those of the log. ``repacked``: other bytes, and the same in them. ``agrees``: other
        bytes, and the statistics within their thresholds, at the level ``statistics``. ``changed``: other bytes.
        ``damaged``: other bytes, in which not everything can be read.
        ``contradicted``: the bytes of the log, which says of them what they do not hold. ``missing``, ``extra``;
        ``not_checked``: for a reason that `remark` gives.
    remark : str
        A sentence without its end.
    arrays : tuple of str
        Those that are not as in the log.
    """

    name: str
    outcome: Outcome
    remark: str = ""
    arrays: tuple[str, ...] = ()
    expected_sha256: str | None = None
    observed_sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The results for all files.

    Attributes
    ----------
    differences : tuple of Difference
        Values that differ from the log, where they were looked at; the worst first.
    findings : tuple of Finding
        Why they differ, where every value was measured anew.
    problems : tuple of str
        What keeps the whole from being believed, in words.
    contradictions : tuple of str
        What is wrong with the whole, though each file may be right.
    litter : tuple of str
        Files that systems strew, which are nobody's fault.
    """

    files: tuple[CheckedFile, ...]
    differences: tuple[Difference, ...] = ()
    findings: tuple[Finding, ...] = ()
    problems: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    litter: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Tell the verdict: the files may fill pages."""
        counts = Counter(each.outcome.replace("_", " ") for each in self.files)
        return f"<Verification {self.verdict}: {', '.join(f'{n} {outcome}' for outcome, n in counts.items())}>"

    def __bool__(self) -> bool:
        """Whether all is as the log says."""
        return self.verdict in SHOWN

    def _repr_html_(self) -> str:
        from ..evidence.shown import html_table

        rows = [[each.name, each.outcome.replace("_", " "), each.remark] for each in self.files]
        return html_table(
            "; ".join([repr(self).strip("<>"), *self.problems, *self.contradictions]), ["file", "outcome", "what"], rows
        )

    @property
    def is_complete(self) -> bool:
        """Whether all files were checked."""
        checked = [each for each in self.files if each.outcome != "not_checked"]
        return len(checked) == len(self.files) and not self.problems

    @property
    def verdict(self) -> Verdict:
        """The worst result of all files, and of the whole."""
        if self.contradictions or any(each.outcome in _DRIFT for each in self.files):
            return "drift"
        if not self.is_complete:
            return "incomplete"
        within = any(each.outcome == "agrees" for each in self.files)
        within = within or any(each.verdict == "within_thresholds" for each in self.differences)
        return "within_thresholds" if within else "match"


class VerificationInterrupted(KeyboardInterrupt):
    """Raised on Ctrl-C; `verification` holds the results so far."""

    def __init__(self, verification: Verification) -> None:
        super().__init__()
        self.verification = verification
