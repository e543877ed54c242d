"""The digest as a code host shows it, the CSV tables, the checksums."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pytest_d0parity import EvidenceLog
from pytest_d0parity.evidence.artifacts import prepare_folder
from pytest_d0parity.evidence.dataset import Dataset
from pytest_d0parity.reports.writer import Artifacts, write_artifacts
from pytest_d0parity.util.files import sha256_file
from tests.support.logs import renamed


def render(markdown: str) -> str:
    return str(MarkdownIt("gfm-like").render(markdown))


def digest(log: EvidenceLog, folder: Path) -> str:
    prepare_folder(str(folder))
    write_artifacts(Artifacts(log), str(folder), {}, print)
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
    assert len(found) == 5 + 1 + 3 + 3 * 3 + 3  # of all datasets, and of each
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

    html = render(to_markdown(renamed(log, text), ""))
    plain = render(to_markdown(renamed(log, "plain"), ""))
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
