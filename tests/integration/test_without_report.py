"""Without the extra ``report``: everything but the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import LOG, d0parity
from tests.support.parity import PAGE, PROBES, Parity

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
