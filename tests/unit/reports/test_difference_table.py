"""Differences as rows."""

from __future__ import annotations

from typing import Any

from pytest_d0parity.evidence.drift import Difference
from pytest_d0parity.reports.difference_table import difference_markdown, difference_table
from pytest_d0parity.reports.outcome import Outcome

NAMES = ("min", "max", "mean", "median", "p01", "p10", "p90", "p99")


def difference(where: str, expected: Any = 1.0, observed: Any = 2.0, verdict: Any = "drift") -> Difference:
    distance = None if isinstance(expected, str) else 3.0
    return Difference(
        where=where, expected=expected, observed=observed, threshold="5%", distance=distance, verdict=verdict
    )


def outcome(*differences: Difference) -> Outcome:
    return Outcome(verdict="drift", differences=differences, filenames=("a.npz",), reference="r.json")


def test_statistics_over_one_scan_are_one_row() -> None:
    rows = [difference(f"a.npz:grouped.{name}") for name in NAMES]
    rows.append(difference("a.npz:grouped.std", 0.5, 0.7))
    lines = difference_table([difference("a.npz:raw.mean"), *rows, difference("b.npz:grouped.min")]).splitlines()
    assert [line.removeprefix("  ").split("  ")[0] for line in lines[1:]] == [
        *("a.npz:", "raw.mean", "grouped.* (8 alike)", "grouped.std", "b.npz:", "grouped.min"),
    ]


def test_a_text_that_looks_like_the_number_beside_it_is_quoted() -> None:
    assert '| "0" | 0.0 |' in difference_markdown([difference("params.a", "0", 0.0)])
    assert '| 1e5 | "1e5" |' not in difference_markdown([difference("params.a", "one", 2)])
    assert '| 3 | "3" |' in difference_markdown([difference("params.a", 3, "3")])


def test_rounding_is_counted_and_not_listed() -> None:
    tiny = difference("a.npz:raw.mean", 1.0, 1 + 1e-12, "within_thresholds")
    text = outcome(difference("a.npz:raw.max"), tiny).text()
    assert "raw.max" in text
    assert "raw.mean" not in text
    assert "Not listed: 1 value differs by rounding, a part in 1e10 at most." in text
    drifted = difference("a.npz:raw.mean", 1.0, 1 + 1e-12)  # beyond a threshold, it is listed
    assert "raw.mean" in outcome(drifted).text()
