"""The annotations of a run in GitHub Actions."""

from __future__ import annotations

import dataclasses

from pytest_d0parity import EvidenceLog
from pytest_d0parity.evidence.drift import Finding
from pytest_d0parity.reports.annotations import github_annotations


def test_the_first_tells_of_five_findings(log: EvidenceLog) -> None:
    findings = tuple(
        Finding(root="params", proof="changed", datasets=(), sentence=f"reason {number}") for number in range(7)
    )
    (told,) = github_annotations(dataclasses.replace(log, verdict="drift", findings=findings), ["an error"], {})
    lines = told.split("%0A")[1:]
    assert lines == [*(f"reason {number}." for number in range(5)), "... and 2 more findings, in the log"]
