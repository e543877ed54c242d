"""Logs that are odd."""

from __future__ import annotations

import dataclasses

from pytest_d0parity import EvidenceLog
from pytest_d0parity.evidence.dataset import Problem


def renamed(log: EvidenceLog, name: str) -> EvidenceLog:
    """The same log, but for a hostile name in every place that takes text from outside."""
    dataset = dataclasses.replace(
        log.datasets[0], filename=name, path=name, problems=(Problem(severity="warning", where=name, message=name),)
    )
    return dataclasses.replace(
        log,
        datasets=(dataset, *log.datasets[1:]),
        baseline_params=log.baseline_params | {"label": name},
        metadata=dataclasses.replace(log.metadata, scenario_id=name, dataset_root=name),
    )
