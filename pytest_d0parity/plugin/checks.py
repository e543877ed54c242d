"""The checks: parity as parametrized tests, collected by the plugin and never by anybody else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any

import pytest

from ..compare.difference import MISSING
from ..evidence.model import Problem
from ..readers.params.baseline import METRICS
from ..util.text import printable
from .check_spec import FLAGS, PARTS, STAGES, CheckSpec
from .session import PARITY, ParitySession, drift_message

Check = Callable[[], None]


def test_datasets(parity_check: Check) -> None:
    """The sweep holds the datasets that the reference holds, each dose once."""
    parity_check()


def test_file(parity_filename: str, parity_check: Check) -> None:
    """The file can be read, and has the bytes of the reference's, or was repacked."""
    parity_check()


def test_arrays(parity_filename: str, parity_check: Check) -> None:
    """Each array can be read, and has the shape, dtype and CRC-32 of the reference's."""
    parity_check()


def test_stage(parity_filename: str, parity_stage: str, parity_check: Check) -> None:
    """A stage holds finite values, and has the statistics of the reference's."""
    parity_check()


def test_photon_dose(parity_filename: str, parity_check: Check) -> None:
    """As many photons are counted in the data as the name claims, and as in the reference."""
    parity_check()


def test_probe(parity_filename: str, parity_part: str, parity_check: Check) -> None:
    """The probe has the amplitude, phase and norm of the reference's."""
    parity_check()


def test_flag(parity_flag: str, parity_check: Check) -> None:
    """A flag of probe or intensity scale is that of the reference."""
    parity_check()


def test_params(parity_check: Check) -> None:
    """The baseline run had the parameters of the reference."""
    parity_check()


def test_metric(parity_metric: str, parity_check: Check) -> None:
    """The baseline run reached the metric of the reference."""
    parity_check()


def spec_of(item: pytest.Function) -> CheckSpec:
    """Give the subject of one of the checks above."""
    params: dict[str, Any] = item.callspec.params if hasattr(item, "callspec") else {}
    own = {name: params[name] for name in _own_parameters(item.function)}
    kind: Any = item.originalname.removeprefix("test_")
    filename = own.pop("parity_filename", None)
    return CheckSpec(kind, filename, next(iter(own.values()), ""))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize the checks over what there is to check."""
    parity = metafunc.config.stash[PARITY]
    known = parity.comparator.values.whole if parity.comparator else {}
    metrics = [name.split(".")[1] for name in known if name.startswith("metrics.")]
    values: dict[str, Any] = {
        "parity_filename": parity.filename_params(),
        "parity_stage": STAGES,
        "parity_part": PARTS,
        "parity_flag": FLAGS,
        "parity_metric": list(dict.fromkeys([*METRICS, *metrics])),
    }
    for name in _own_parameters(metafunc.function):
        metafunc.parametrize(name, values[name])


def _own_parameters(function: Callable[..., object]) -> list[str]:
    """Give the names of a check's own parameters: not those that a fixture of the user's brings along."""
    return [name for name in signature(function).parameters if name != "parity_check"]


@pytest.fixture
def parity_check(request: pytest.FixtureRequest) -> Check:
    """Record the values of the check that asks, compare them, and tell what belongs to it."""
    parity = request.config.stash[PARITY]
    item: pytest.Function = request.node

    def run() -> None:
        __tracebackhide__ = True
        _run(parity, item, spec_of(item))

    return run


def _run(parity: ParitySession, item: pytest.Function, spec: CheckSpec) -> None:
    __tracebackhide__ = True
    values = spec.values(parity.data)
    parity.record(item, values)
    problems = spec.problems(parity.data)
    table = ""
    if parity.comparator is not None:
        drifted = spec.compare(parity.data, parity.comparator).drifted
        if any(problem.severity == "error" for problem in problems):
            drifted = tuple(row for row in drifted if row.observed != MISSING)  # the problem itself tells why
        if drifted:
            about = f"{printable(spec.dataset)}: " if spec.dataset else ""
            table = f"{about}{drift_message(drifted, parity.comparator, f'{spec.dataset}:')}"
    wrong = values or any(problem.severity == "error" for problem in problems)
    if table or (problems and wrong):
        pytest.fail("\n\n".join(filter(None, [_sentences(problems), table])), pytrace=False)
    if not values:
        pytest.skip(_sentences(problems) or _nothing(parity, spec))
    if parity.comparator is not None and spec.dataset is not None and not parity.expects(spec.dataset):
        pytest.skip(f"the reference has no {printable(spec.dataset)}, which d0parity::test_datasets tells")


def _sentences(problems: Sequence[Problem]) -> str:
    return "\n".join(f"{printable(problem.where)}: {printable(problem.message)}" for problem in problems)


def _nothing(parity: ParitySession, spec: CheckSpec) -> str:
    if parity.scenario.baseline_params is None:
        return "the scenario names no baseline params"
    return f"the baseline params hold no {spec.part or 'parameters'}"
