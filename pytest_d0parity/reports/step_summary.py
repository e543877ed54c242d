"""The summary of a step in a CI system: verdict and drift, in the Markdown file that the system shows."""

from __future__ import annotations

import os

from ..evidence.model import EvidenceLog
from ..util.markdown import escape
from .outcome import outcome_of

VARIABLE = "GITHUB_STEP_SUMMARY"
_PROBLEMS = 20


def step_summary_file() -> str | None:
    """Which file the CI system shows; None where there is no such system."""
    return os.environ.get(VARIABLE) or None


def step_summary(log: EvidenceLog) -> str:
    """Give verdict, drift and problems of a log as Markdown."""
    problems = [f"- {p.severity}: {escape(p.where)}: {escape(p.message)}" for p in log.all_problems[:_PROBLEMS]]
    if len(log.all_problems) > _PROBLEMS:
        problems.append(f"- ... and {len(log.all_problems) - _PROBLEMS} more problems")
    parts = [
        f"### D0 parity: {escape(log.metadata.scenario_id)}",
        outcome_of(log).told_as("markdown"),
        "\n".join(problems),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"
