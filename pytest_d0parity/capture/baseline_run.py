"""The baseline run, as the log holds it: its params, its metrics, and the files that belong to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from ..comparison.difference import are_same
from ..evidence.dataset import Problem, Scalar
from ..evidence.model import Attachment, ParamValue
from ..readers.params.baseline import METRICS, Baseline, read_baseline, read_metrics
from ..readers.params.leaves import MAX_LEAVES, Leaves, leaves_of
from ..readers.params.reader import ParamsError, read_params
from ..scenario.scenario import Scenario
from ..util.text import listed, printable
from .attachments import read_attachments
from .records.params_record import params_record

_NAMES = {"error": "unreadable", "warning": "params_unknown"}


@dataclass(frozen=True)
class BaselineRun:
    """What the params file of the baseline run holds, and which files belong to the run.

    Attributes
    ----------
    read : str or None
        How it was read: ``safe``, ``trusted``, or None if no file was read.
    sha256 : str or None
        SHA-256 of the file.
    recovered : dict of str to str
        See `Metadata.params_recovered`.
    params, parameters, metrics : dict
        As in the log; `parameters` are its ``baseline_params``.
    attachments : tuple of Attachment
        As in the log.
    is_complete : bool
        Whether all that was named could be read and recorded.
    problems : tuple of Problem
        What could not be read, or looks wrong.
    """

    read: Literal["safe", "trusted"] | None = None
    sha256: str | None = None
    recovered: dict[str, str] = field(default_factory=dict)
    params: dict[str, Scalar | ParamValue] = field(default_factory=dict)
    parameters: dict[str, Scalar] = field(default_factory=dict)
    metrics: dict[str, tuple[Scalar, Scalar]] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()
    problems: tuple[Problem, ...] = ()
    is_complete: bool = True


def read_baseline_run(scenario: Scenario) -> BaselineRun:
    """Read the params and metrics of a scenario and hash its attachments; an empty record if it names none of these."""
    run = _read_metrics(scenario, _read_params(scenario))
    attachments, problems = read_attachments(scenario)
    problems = run.problems + problems
    whole = run.is_complete and not any(problem.severity == "error" for problem in problems)
    return replace(run, attachments=attachments, problems=problems, is_complete=whole)


def _read_metrics(scenario: Scenario, run: BaselineRun) -> BaselineRun:
    """Add what the file of metrics holds."""
    if scenario.metrics_path is None or scenario.baseline_metrics is None:
        return run
    shown_as = scenario.baseline_metrics
    try:
        metrics, remarks = read_metrics(read_params(scenario.metrics_path, shown_as=shown_as).values)
    except ParamsError as error:
        message = str(error).replace("params file", "metrics file", 1)
        return replace(run, problems=(*run.problems, _problem("error", "baseline_metrics", message)))
    problems = _remarks("baseline_metrics", shown_as, remarks)
    if not metrics and not remarks:
        message = f"{printable(shown_as)} holds none of {', '.join(METRICS)}: it may be the wrong file"
        problems.append(_problem("warning", "baseline_metrics", message))
    for name in metrics:
        if name in run.metrics and not all(map(are_same, metrics[name], run.metrics[name])):
            message = (
                f"{name} is another one in {printable(shown_as)} than in {printable(scenario.baseline_params or '')}"
            )
            problems.append(_problem("error", f"baseline_metrics:{name}", message))
    return replace(run, metrics={**metrics, **run.metrics}, problems=(*run.problems, *problems))


def _read_params(scenario: Scenario) -> BaselineRun:
    if scenario.params_path is None or scenario.baseline_params is None:
        return BaselineRun()
    shown_as = scenario.baseline_params
    try:
        params = read_params(scenario.params_path, trusted=scenario.trust_params, shown_as=shown_as)
    except ParamsError as error:
        return BaselineRun(problems=(_problem("error", "baseline_params", str(error)),))
    baseline, leaves = read_baseline(params.values), leaves_of(params.values)
    return BaselineRun(
        read="trusted" if params.trusted else "safe",
        sha256=params.sha256,
        recovered=params.recovered,
        params=params_record(leaves.values, without=baseline.taken),
        parameters=baseline.parameters,
        metrics=baseline.metrics,
        problems=tuple(_remarks("baseline_params", shown_as, baseline.remarks) + _problems(shown_as, baseline, leaves)),
        is_complete=not leaves.left_out,
    )


def _problems(shown_as: str, baseline: Baseline, leaves: Leaves) -> list[Problem]:
    """Return what looks wrong with the params as a whole."""
    problems = []
    name = printable(shown_as)
    if not baseline.is_known:
        message = (
            f"{name} holds none of the keys of a baseline run (N, gridsize, nphotons, …): it may be the wrong file"
        )
        problems.append(_problem("warning", "baseline_params", message))
    if leaves.twice:
        message = f"{name} says these more than once, and all are recorded, with numbers: {listed(leaves.twice, 3)}"
        problems.append(_problem("warning", "baseline_params", message))
    if leaves.left_out:
        message = (
            f"{name} holds more than the {MAX_LEAVES:,} values that are recorded, very long names or very deep "
            f"nesting: {leaves.left_out_text} left out, so that not everything is compared"
        )
        problems.append(_problem("error", "baseline_params", message))
    return problems


def _remarks(where: str, shown_as: str, remarks: Iterable[tuple[str, str]]) -> list[Problem]:
    return [
        _problem("warning", f"{where}:{key}", f"{key} in {printable(shown_as)} {remark}") for key, remark in remarks
    ]


def _problem(severity: Literal["error", "warning"], where: str, message: str) -> Problem:
    return Problem(severity=severity, name=_NAMES[severity], where=where, message=message)
