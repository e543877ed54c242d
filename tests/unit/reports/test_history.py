"""The history: a list of runs in a file of the user's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from pytest_d0parity import EvidenceLog
from pytest_d0parity.reports.history import HistoryError, append_to_history

PLAN = """\
# Fix Plan

## Active

### [OTHER-1] Something else
- Attempts History:
  - *2026-01-01:* not ours

### [SIM] Dose parity
- Status: pending
- Attempts History:
  - *2026-01-02:* first
    continued
- Exit criteria: parity

### [SIM-2] Not ours either
- Attempts History:
"""


def entry_line(text: str) -> int:
    (line,) = (number for number, line in enumerate(text.splitlines()) if "(D0 parity)" in line)
    return line


def test_a_run_is_appended_to_the_history_of_its_scenario(log: EvidenceLog, tmp_path: Path) -> None:
    plan = tmp_path / "fix_plan.md"
    plan.write_text(PLAN)
    append_to_history(str(plan), log, "out", print)
    lines = plan.read_text().splitlines()
    number = entry_line(plan.read_text())
    assert lines[number - 1] == "    continued"
    assert lines[number + 1] == "- Exit criteria: parity"
    assert re.fullmatch(
        r"  - \*[-0-9]+T[:0-9]+Z \(D0 parity\):\* 3 datasets of `.*`, verdict recorded, 0 errors, .*", lines[number]
    )
    assert [line for line in lines if "(D0 parity)" not in line] == PLAN.splitlines()


def test_a_second_run_comes_after_the_first(log: EvidenceLog, tmp_path: Path) -> None:
    plan = tmp_path / "fix_plan.md"
    plan.write_text("# Plan\n")
    append_to_history(str(plan), log, "one", print)
    append_to_history(str(plan), log, "two", print)
    text = plan.read_text()
    assert text.startswith("# Plan\n\n### [SIM] D0 parity evidence\n- Attempts History:\n  - ")
    assert text.count("### [SIM]") == 1
    assert text.index("`one`") < text.index("`two`")
    html = MarkdownIt("gfm-like").render(text)
    assert html.count("<li>") == 3


def test_a_section_without_a_list_gets_one(log: EvidenceLog, tmp_path: Path) -> None:
    plan = tmp_path / "fix_plan.md"
    plan.write_text("## SIM\nText.\n\n---\n\n## Next\n")
    append_to_history(str(plan), log, "out", print)
    assert plan.read_text().startswith("## SIM\nText.\n- Attempts History:\n  - *")
    assert plan.read_text().endswith("\n\n---\n\n## Next\n")


def test_a_heading_may_hold_the_history(log: EvidenceLog, tmp_path: Path) -> None:
    plan = tmp_path / "fix_plan.md"
    plan.write_text("## SIM\n\n### Attempts History\n\n- first\n\n### Notes\nx\n")
    append_to_history(str(plan), log, "out", print)
    lines = plan.read_text().splitlines()
    assert lines[4] == "- first"
    assert lines[5].startswith("- *")
    assert lines[6:] == ["", "### Notes", "x"]


def test_line_endings_and_odd_bytes_are_kept(log: EvidenceLog, tmp_path: Path) -> None:
    plan = tmp_path / "fix_plan.md"
    plan.write_bytes(b"# Plan \xff\r\n\r\n```\r\n# SIM\r\n```\r\n")
    append_to_history(str(plan), log, "out", print)
    data = plan.read_bytes()
    assert data.startswith(b"# Plan \xff\r\n\r\n```\r\n# SIM\r\n```\r\n\r\n### [SIM]")
    assert b"\n" not in data.replace(b"\r\n", b"")


def test_a_history_that_is_not_there_is_told(log: EvidenceLog, tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=r"nowhere\.md cannot be brought up to date: there is no such file"):
        append_to_history(str(tmp_path / "nowhere.md"), log, "out", print)
