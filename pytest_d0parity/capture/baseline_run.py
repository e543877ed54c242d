"""The params file of the baseline run, as the log holds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..evidence.model import Problem, Scalar
from ..readers.params.baseline import read_baseline
from ..readers.params.reader import ParamsError, read_params
from ..scenario.scenario import Scenario
from ..util.text import printable


@dataclass(frozen=True)
class BaselineRun:
    """What the params file of the baseline run holds.

    Attributes
    ----------
    read : str or None
        How it was read: ``safe``, ``trusted``, or None if no file was read.
    sha256 : str or None
        SHA-256 of the file.
    recovered : dict of str to str
        See `Metadata.params_recovered`.
    parameters, metrics : dict
        As in the log.
    problems : tuple of Problem
        What could not be read, or looks wrong.
    """

    read: Literal["safe", "trusted"] | None = None
    sha256: str | None = None
    recovered: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Scalar] = field(default_factory=dict)
    metrics: dict[str, tuple[Scalar, Scalar]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def read_baseline_run(scenario: Scenario) -> BaselineRun:
    """Read the params file of a scenario. Return an empty record if it names none."""
    if scenario.params_path is None or scenario.baseline_params is None:
        return BaselineRun()
    try:
        params = read_params(scenario.params_path, trusted=scenario.trust_params, shown_as=scenario.baseline_params)
    except ParamsError as error:
        return BaselineRun(problems=(Problem(severity="error", where="baseline_params", message=str(error)),))
    baseline = read_baseline(params.values)
    return BaselineRun(
        read="trusted" if params.trusted else "safe",
        sha256=params.sha256,
        recovered=params.recovered,
        parameters=baseline.parameters,
        metrics=baseline.metrics,
        problems=tuple(
            Problem(
                severity="warning",
                where=f"baseline_params:{key}",
                message=f"{key} in {printable(scenario.baseline_params)} {remark}",
            )
            for key, remark in baseline.remarks
        ),
    )
