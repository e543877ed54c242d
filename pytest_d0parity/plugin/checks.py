"""The built-in checks: parametrized tests that only the plugin collects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any

import pytest

from ..comparison.comparator import Comparator
from ..comparison.difference import MISSING
from ..comparison.values import Named
from ..evidence.dataset import Problem
from ..evidence.drift import Difference
from ..readers.params.baseline import FLAGS, METRICS
from ..statistics.records import STAGES
from ..util.text import listed, printable, quoted, valid_utf8
from .check_spec import PARTS, CheckSpec
from .recording import record_built_in
from .run_store import RunData
from .session import DRIFTED, PARITY, SEEN, SPEC, ParitySession, drift_message, names_of

Check = Callable[[], None]

# Stands where there is no attachment, since pytest makes a skipped test of an empty list; it is not collected.
NO_ATTACHMENT = CheckSpec("attachment")


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
    """As many photons are counted in the data as was told, and as in the reference."""
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


def test_attachment(parity_attachment: str, parity_check: Check) -> None:
    """A file that belongs to the baseline run is that of the reference."""
    parity_check()


def spec_of(item: pytest.Function) -> CheckSpec:
    """Return what one of the checks above is about."""
    params: dict[str, Any] = item.callspec.params if hasattr(item, "callspec") else {}
    own = {name: params[name] for name in _parameters(item.function)}
    kind: Any = item.originalname.removeprefix("test_")
    filename = own.pop("parity_filename", None)
    return CheckSpec(kind, filename, next(iter(own.values()), ""))


def dataset_params(data: RunData) -> list[Any]:
    """Return the datasets as parameters of a test; if there is none, a single one that is skipped."""
    names = data.selection.filenames
    if not names:
        skipped = pytest.mark.skip(reason="the sweep holds no dataset; d0parity::test_datasets tells why")
        return [pytest.param(None, id="none", marks=skipped)]
    return [pytest.param(name, id=printable(name)) for name in names]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize the checks over datasets, stages, parts of the probe, flags, metrics and attachments."""
    parity = metafunc.config.stash[PARITY]
    expected = parity.comparator.values.whole if parity.comparator else {}
    metrics = [name.split(".")[1] for name in expected if name.startswith("metrics.")]
    values: dict[str, Any] = {
        "parity_filename": dataset_params(parity.data),
        "parity_stage": STAGES,
        "parity_part": PARTS,
        "parity_flag": FLAGS,
        "parity_metric": list(dict.fromkeys([*METRICS, *metrics])),
        "parity_attachment": _attachments(parity, expected) or [NO_ATTACHMENT.part],
    }
    for name in _parameters(metafunc.function):
        metafunc.parametrize(name, values[name])


def _attachments(parity: ParitySession, expected: Named) -> list[str]:
    """Return the names of the attachments of the scenario and of the reference."""
    trusted = [name for name in expected if name.startswith("attachments.")]
    return list(
        dict.fromkeys(
            [
                *(file.name for file in parity.scenario.attached_files),
                *(name.removeprefix("attachments.").removesuffix(".sha256") for name in trusted),
            ]
        )
    )


def _parameters(function: Callable[..., object]) -> list[str]:
    """Return the names that a check is parametrized by; those that a fixture of the user's adds are not among them."""
    return [name for name in signature(function).parameters if name != "parity_check"]


@pytest.fixture
def parity_check(request: pytest.FixtureRequest) -> Check:
    """Return the function that a check calls: it records the check's values and compares them."""
    parity = request.config.stash[PARITY]
    item: pytest.Function = request.node

    def run() -> None:
        __tracebackhide__ = True
        _run(parity, item, item.stash[SPEC])

    return run


def _run(parity: ParitySession, item: pytest.Function, spec: CheckSpec) -> None:
    __tracebackhide__ = True
    item.stash[SEEN] = spec.dataset
    values = spec.values(parity.data)
    record_built_in(item, values)
    problems = spec.problems(parity.data)
    has_errors = any(problem.severity == "error" for problem in problems)
    drifted = _drifted(parity, spec, has_errors)
    if drifted and not has_errors:
        item.stash[DRIFTED] = names_of(drifted, f"{spec.dataset}:")
    if drifted or problems:
        pytest.fail("\n\n".join(filter(None, [_sentences(problems), _told(parity, spec, drifted)])), pytrace=False)
    if not values:
        pytest.skip(_reason_without_values(parity, spec))
    if reason := _left_out(parity, spec):
        pytest.skip(reason)
    if spec.kind == "photon_dose" and (reason := _not_judged(parity, values)):
        pytest.skip(reason)
    if spec.dataset is not None and _is_new(parity.comparator, spec.dataset):
        pytest.skip(f"the reference has no {printable(spec.dataset)}, which d0parity::test_datasets tells")


def _drifted(parity: ParitySession, spec: CheckSpec, has_errors: bool) -> Sequence[Difference]:
    """Return how the values drift."""
    if parity.comparator is None:
        return ()
    drifted = spec.compare(parity.data, parity.comparator).drifted
    if has_errors:  # the error says why a value is missing
        drifted = tuple(difference for difference in drifted if difference.observed != MISSING)
    return drifted


def _told(parity: ParitySession, spec: CheckSpec, drifted: Sequence[Difference]) -> str:
    """Describe how the values drift; empty if they do not."""
    if parity.comparator is None or not drifted:
        return ""
    about = f"{printable(spec.dataset)}: " if spec.dataset else ""
    return f"{about}{drift_message(drifted, parity.comparator, f'{spec.dataset}:')}"


def _left_out(parity: ParitySession, spec: CheckSpec) -> str:
    """Return why nothing of a check was compared; empty if something was, or nothing could be."""
    if parity.comparator is None or spec.kind == "datasets":
        return ""
    comparison = spec.compare(parity.data, parity.comparator)
    if comparison.compared or not comparison.not_compared:
        return ""
    reasons = dict.fromkeys(f"{item.name} ({item.why})" for item in comparison.not_compared)
    return f"not compared: {listed([*reasons], 3)}"


def _not_judged(parity: ParitySession, values: Named) -> str:
    """Return why a dose was not judged; empty if it was."""
    if values.get("photons.quantized") is not True:
        return (
            "no photons can be counted in it: neither the values nor their squares are multiples of one number, as in "
            "data that was normalised or processed"
        )
    if parity.comparator is None and values.get("photons.expected") is None:
        return "nothing tells its dose, so that there is nothing to hold the counted photons against"
    return ""


def _is_new(comparator: Comparator | None, filename: str) -> bool:
    """Whether there is a reference, and it lacks a dataset."""
    return comparator is not None and valid_utf8(filename) not in comparator.values.datasets


def _sentences(problems: Sequence[Problem]) -> str:
    return "\n".join(f"{quoted(problem.where)}: {printable(problem.message)}" for problem in problems)


def _reason_without_values(parity: ParitySession, spec: CheckSpec) -> str:
    if spec.dataset is not None:
        return "there is nothing of it in the file, which is accepted"
    if spec.kind == "attachment":
        return f"the scenario names no attachment {printable(spec.part)}"
    if parity.scenario.baseline_params is None:
        return "the scenario names no baseline params"
    return f"the baseline params hold no {spec.part or 'parameters'}"
