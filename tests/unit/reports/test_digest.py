"""The digest as a code host shows it, the checksums, the history."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pytest_d0parity import EvidenceLog
from pytest_d0parity.evidence.artifacts import prepare_folder
from pytest_d0parity.evidence.model import Dataset
from pytest_d0parity.reports.history import HistoryError, append_to_history
from pytest_d0parity.reports.writer import write_reports
from pytest_d0parity.util.atomic import write_atomically
from pytest_d0parity.util.files import sha256_file
from tests.support.command import LOG, d0parity
from tests.support.logs import renamed
from tests.support.parity import PAGE, PROBES, Parity


def render(markdown: str) -> str:
    return str(MarkdownIt("gfm-like").render(markdown))


def digest(log: EvidenceLog, folder: Path) -> str:
    prepare_folder(str(folder))
    write_reports(log, str(folder))
    return (folder / "dose_parity_log.md").read_text(encoding="utf-8")


def tables(html: str) -> list[list[list[str]]]:
    return [
        [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in re.findall(r"<tr>(.*?)</tr>", table, re.S)]
        for table in re.findall(r"<table>(.*?)</table>", html, re.S)
    ]


def test_the_digest_holds_what_the_contract_names(log: EvidenceLog, tmp_path: Path) -> None:
    text = digest(log, tmp_path)
    for needed in (
        "inbox/README_prepare_d0_response.md",
        "## Verdict",
        "## Metadata",
        "## Baseline Parameters",
        "## Baseline Metrics",
        "## Probe Flags",
        "## Datasets",
        "## Stage-Level Stats by Dataset",
        "### data_p1e9.npz (photon dose: 1e9)",
        "## Probe Percentiles by Dataset",
        "## Drift",
        "max scaling",
        "legacy value",
        "(amplitude,\n  phase)",
        "| frc50 | 6 | NaN |",
        log.datasets[0].sha256 or "",
    ):
        assert needed in text
    assert text.count("#### Grouped Intensity") == 3


def test_every_row_of_every_table_has_its_columns(log: EvidenceLog, tmp_path: Path) -> None:
    found = tables(render(digest(log, tmp_path)))
    assert len(found) == 4 + 1 + 3 * 3 + 3
    for table in found:
        assert {len(row) for row in table} == {len(table[0])}


HOSTILE = [
    "a|b.npz",
    "a\nb.npz",
    "<script>alert(1)</script>.npz",
    "<!-- .npz",
    "`a`.npz",
    "*a* _b_ __c__ ~~d~~.npz",
    "[a](http://x).npz",
    "![a](x).npz",
    "http://example.org/x.npz",
    "www.example.org",
    "user@example.org",
    "a\\|b.npz",
    "&amp;&lt;.npz",
    "# a",
    "\x1b[31m.npz",
    "caf\udce9.npz",
    "| --- |",
    "$a$",
    "a#1 @team",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_text(log: EvidenceLog, tmp_path: Path, name: str) -> None:
    html = render(digest(renamed(log, name), tmp_path / "hostile"))
    plain = render(digest(renamed(log, "plain.npz"), tmp_path / "plain"))
    shape = re.compile(r"<(/?\w+)")
    assert shape.findall(html) == shape.findall(plain)
    for table in tables(html):
        assert {len(row) for row in table} == {len(table[0])}


# Without dots: this renderer, unlike code hosts, makes a link of any "name.com".
@given(st.text(st.characters(codec="utf-8", exclude_characters="."), min_size=1, max_size=30))
def test_no_text_breaks_the_digest(log: EvidenceLog, text: str) -> None:
    from pytest_d0parity.reports.digest import to_markdown

    html = render(to_markdown(renamed(log, text)))
    plain = render(to_markdown(renamed(log, "plain")))
    shape = re.compile(r"<(/?\w+)")
    assert shape.findall(html) == shape.findall(plain)


@pytest.mark.parametrize("name", HOSTILE)
def test_csv_survives_any_name(log: EvidenceLog, tmp_path: Path, name: str) -> None:
    digest(renamed(log, name), tmp_path)
    for table in ("probe_stats.csv", "stage_stats.csv"):
        rows = list(csv.reader(io.StringIO((tmp_path / table).read_text(encoding="utf-8"))))
        assert {len(row) for row in rows} == {len(rows[0])}


def test_a_dataset_without_values_has_an_empty_row(log: EvidenceLog, tmp_path: Path) -> None:
    nothing = Dataset(filename="data_p1e2.npz", path="data_p1e2.npz", photon_dose="1e2")
    text = digest(dataclasses.replace(log, datasets=(nothing,), total_datasets=1), tmp_path)
    assert text.count("Not measured.") == 3
    rows = list(csv.DictReader(io.StringIO((tmp_path / "probe_stats.csv").read_text(encoding="utf-8"))))
    assert (rows[0]["filename"], rows[0]["amp_min"]) == ("data_p1e2.npz", "")
    assert (tmp_path / "SHA256SUMS").read_bytes() == b""


@pytest.mark.parametrize("name", [b"a b", b"a\\b", b"a\nb", b"a\rb", b"\xff\xfe", b"a\\n", b"*a", b" a"])
def test_sha256sum_reads_any_name(log: EvidenceLog, tmp_path: Path, name: bytes) -> None:
    file = tmp_path / os.fsdecode(name)
    file.write_bytes(b"content")
    named = dataclasses.replace(log.datasets[0], filename=os.fsdecode(name), sha256=sha256_file(file))
    output = tmp_path / "output"
    digest(dataclasses.replace(log, datasets=(named,)), output)
    subprocess.run(["sha256sum", "--strict", "-c", output / "SHA256SUMS"], cwd=tmp_path, check=True, timeout=120)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    target.chmod(0o640)

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space"):
            write_atomically(target, b"new")
    assert (target.read_text(), [entry.name for entry in tmp_path.iterdir()]) == ("old", ["file"])
    write_atomically(target, b"new")
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("new", 0o640)


# --- the history -------------------------------------------------------------------------------

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
    append_to_history(str(plan), log, "out")
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
    append_to_history(str(plan), log, "one")
    append_to_history(str(plan), log, "two")
    text = plan.read_text()
    assert text.startswith("# Plan\n\n### [SIM] D0 parity evidence\n- Attempts History:\n  - ")
    assert text.count("### [SIM]") == 1
    assert text.index("`one`") < text.index("`two`")
    html = render(text)
    assert html.count("<li>") == 3


def test_a_section_without_a_list_gets_one(log: EvidenceLog, tmp_path: Path) -> None:
    plan = tmp_path / "fix_plan.md"
    plan.write_text("## SIM\nText.\n\n---\n\n## Next\n")
    append_to_history(str(plan), log, "out")
    assert plan.read_text().startswith("## SIM\nText.\n- Attempts History:\n  - *")
    assert plan.read_text().endswith("\n\n---\n\n## Next\n")


def test_a_heading_may_hold_the_history(log: EvidenceLog, tmp_path: Path) -> None:
    plan = tmp_path / "fix_plan.md"
    plan.write_text("## SIM\n\n### Attempts History\n\n- first\n\n### Notes\nx\n")
    append_to_history(str(plan), log, "out")
    lines = plan.read_text().splitlines()
    assert lines[4] == "- first"
    assert lines[5].startswith("- *")
    assert lines[6:] == ["", "### Notes", "x"]


def test_line_endings_and_odd_bytes_are_kept(log: EvidenceLog, tmp_path: Path) -> None:
    plan = tmp_path / "fix_plan.md"
    plan.write_bytes(b"# Plan \xff\r\n\r\n```\r\n# SIM\r\n```\r\n")
    append_to_history(str(plan), log, "out")
    data = plan.read_bytes()
    assert data.startswith(b"# Plan \xff\r\n\r\n```\r\n# SIM\r\n```\r\n\r\n### [SIM]")
    assert b"\n" not in data.replace(b"\r\n", b"")


def test_a_history_that_is_not_there_is_told(log: EvidenceLog, tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=r"nowhere\.md cannot be brought up to date: there is no such file"):
        append_to_history(str(tmp_path / "nowhere.md"), log, "out")


# --- without the extra -------------------------------------------------------------------------


EXTRA = "dose_parity_report.html needs the extra 'report': python -m pip install 'pytest-d0parity[report]'"


def test_without_the_extra_all_else_is_written_and_one_line_says_how_to_get_it(sweep: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / PAGE).write_text("of another log")
    done = d0parity("log", "--dataset-root", sweep, "--baseline-params", sweep / "params.dill", "--output", output)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines().count(f"note: {EXTRA}") == 1
    others = {LOG, PROBES, "dose_parity_log.md", "probe_stats.csv", "stage_stats.csv", "SHA256SUMS"}
    assert {path.name for path in output.iterdir()} == others
    done = d0parity("report", output / LOG)
    assert (done.returncode, done.stderr) == (1, f"error: {EXTRA}\n")


def test_the_plugin_without_the_extra(pytester: pytest.Pytester, pair: Path, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    result = Parity(pytester, pair, tmp_path / "root").run(inprocess=False)
    assert result.ret == 0
    assert result.stdout.lines.count(f"note: {EXTRA}") == 1
    assert not (pytester.path / "out" / PAGE).exists()
    assert (pytester.path / "out" / PROBES).exists()
