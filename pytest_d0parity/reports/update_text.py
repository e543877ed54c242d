"""What an update of the reference did, for the terminal and for the summary of a CI step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..comparison.reference_update import ReferenceUpdate
from ..util.markdown import escape
from ..util.text import counted, printable
from .difference_table import difference_markdown, difference_table
from .outcome import TO_REVIEW


def update_lines(update: ReferenceUpdate) -> Iterator[str]:
    """Yield what an update did as plain text."""
    yield _sentence(update)
    if update.changes:
        yield difference_table(update.changes)
    if update.kept:
        yield _kept(update)


def update_markdown(update: ReferenceUpdate | None, errors: Sequence[str]) -> str:
    """Return what an update did as Markdown.

    Parameters
    ----------
    update : ReferenceUpdate or None
        None if the reference was not to be updated after all.
    errors : sequence of str
        Why not, or what could not be written beside it.
    """
    parts = [escape(error) for error in errors]
    if update is not None:
        table = difference_markdown(update.changes, TO_REVIEW) if update.changes else ""
        kept = escape(_kept(update)) if update.kept else ""
        parts = [escape(_sentence(update)), table, kept, *parts]
    return "\n\n".join(filter(None, parts))


def _sentence(update: ReferenceUpdate) -> str:
    path = printable(update.path)
    if update.is_new:
        return f"Reference {path} is new: review it, and commit it."
    if not update.is_written:
        return f"Reference {path} is left as it was: no value changed."
    if not update.changes:
        return f"Reference {path} is updated; no value changed."
    return f"Reference {path} is updated; {counted(len(update.changes), 'value')} changed{_within(update)}:"


def _within(update: ReferenceUpdate) -> str:
    """Return how many of the changes are within their thresholds; empty if none is."""
    changes, within = len(update.changes), sum(each.verdict == "within_thresholds" for each in update.changes)
    limits = "its threshold" if within == 1 else "their thresholds"
    if within < changes:
        return f", {within} of them within {limits}" if within else ""
    return f", {'' if changes == 1 else 'all '}within {limits}"


def _kept(update: ReferenceUpdate) -> str:
    return f"Kept as they were, for they were not observed: {', '.join(map(printable, update.kept))}"
