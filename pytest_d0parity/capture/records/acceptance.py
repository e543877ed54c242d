"""Entries of accepted warnings that fit none, and warnings that are accepted beside the datasets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ...evidence.dataset import Dataset, Problem
from ...scenario.layout import Layout, covers
from ...util.text import printable, valid_utf8


def accepted(layout: Layout, dataset: str, problem: Problem) -> Problem:
    """Mark a warning of a dataset that is known; ``params`` and ``datasets`` stand for those beside the datasets."""
    known = problem.severity == "warning" and layout.accepts(valid_utf8(dataset), problem.name)
    return replace(problem, accepted=True) if known else problem


def unused_acceptances(layout: Layout, problems: Iterable[Problem], datasets: Sequence[Dataset]) -> Iterator[Problem]:
    """Yield a remark for each entry that fits no warning of a run in which all datasets were measured."""
    there = [(valid_utf8(dataset.filename), problem.name) for dataset in datasets for problem in dataset.problems]
    there += [(_about(problem), problem.name) for problem in problems]
    for entry in layout.accept:
        if not any(covers(entry, dataset, name) for dataset, name in there):
            yield Problem(
                severity="warning",
                name="accept_unused",
                where="accept",
                message=f"{printable(entry)} fits no warning of this run; if what it was about is mended, take it out",
            )


def _about(problem: Problem) -> str:
    return problem.where.partition(":")[0].replace("baseline_params", "params").replace("baseline_metrics", "params")
