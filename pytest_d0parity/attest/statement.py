"""A log as a statement that others understand: an in-toto Statement v1 about the result of its tests.

Source: the in-toto Attestation Framework, ``Statement/v1``, and its predicate ``test-result/v0.1``.
"""

from __future__ import annotations

import os
from typing import Any

from ..compare.diagnosis import dataset_at
from ..compare.difference import MISSING, PRESENT
from ..compare.log_view import Recorded, recorded_file
from ..evidence.artifacts import LOG, STATEMENT, write_artifact
from ..evidence.encoding import json_text
from ..evidence.expected_files import is_sha256
from ..evidence.file import LogError, LogFile, read_log
from ..evidence.model import Difference, Problem
from ..util.text import printable

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"
PASSED, WARNED, FAILED = "PASSED", "WARNED", "FAILED"

# What a log is about that was made without tests; its datasets go by their names.
_SWEEP, _RUN = "datasets", "baseline_run"
_BY_OUTCOME = {"passed": PASSED, "skipped": WARNED}  # all others have failed, or were planned and did not run


def statement_of(log: LogFile) -> dict[str, Any]:
    """Say what a log attests.

    Parameters
    ----------
    log : LogFile

    Returns
    -------
    dict
        The Statement. Its subjects are the log and the datasets; the configuration is the params and the reference;
        the tests are the checks of the log, or, where it was made without any, each dataset, the set of them, and the
        baseline run. A test that was skipped, or that the log warns of, is warned of. The same log gives the same.

    Raises
    ------
    LogError
        If it is no evidence log, or does not hold the SHA-256 of its params.
    """
    run = recorded_file(log)
    tests = _tests(run)
    return {
        "_type": STATEMENT_TYPE,
        "subject": [
            _resource(LOG, log.sha256),
            *(_resource(name, each.values["sha256"]) for name, each in run.datasets.items() if _is_hashed(each.values)),
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "result": _result(run, tests),
            "configuration": _configuration(log, run),
            "passedTests": [name for name, result in tests.items() if result == PASSED],
            "warnedTests": [name for name, result in tests.items() if result == WARNED],
            "failedTests": [name for name, result in tests.items() if result == FAILED],
        },
    }


def statement_text(log: LogFile) -> str:
    """Write the statement of a log as JSON: see `statement_of`."""
    return json_text(statement_of(log))


def _is_hashed(values: Any) -> bool:
    return is_sha256(values.get("sha256"))


def _resource(name: str, sha256: Any) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": sha256}}


def _configuration(log: LogFile, run: Recorded) -> list[dict[str, Any]]:
    resources = []
    sha256 = log.metadata.get("params_sha256")
    if is_sha256(sha256):
        resources.append(_resource("params.dill", sha256))
    elif log.metadata.get("baseline_params") is not None and "params_sha256" not in log.metadata:
        raise LogError(
            f"log {printable(log.path)} is of schema version {log.version}, which does not hold the SHA-256 of the "
            "params: record the sweep again"
        )
    if run.reference is not None:
        resources.append(_resource("reference.json", run.reference.sha256))
    return resources


def _result(run: Recorded, tests: dict[str, str]) -> str:
    found = set(tests.values())
    if FAILED in found or run.verdict in ("drift", "incomplete") or run.values.has_errors:
        return FAILED
    return WARNED if WARNED in found or run.problems else PASSED


def _tests(run: Recorded) -> dict[str, str]:
    if run.checks:
        return {check.id: _BY_OUTCOME.get(check.outcome, FAILED) for check in run.checks}
    tests = dict.fromkeys([_SWEEP, *run.datasets], PASSED)
    if run.metadata.get("baseline_params") is not None:
        tests[_RUN] = PASSED
    for problem in run.problems:
        name = _test_of_problem(problem, run)
        if tests.get(name) != FAILED:
            tests[name] = FAILED if problem.severity == "error" else WARNED
    for difference in run.drift:
        if difference.verdict == "drift":
            tests[_test_of_difference(difference, run)] = FAILED
    return tests


def _test_of_problem(problem: Problem, run: Recorded) -> str:
    if problem.where.partition(":")[0] == "baseline_params":
        return _RUN
    return dataset_at(f"{problem.where}:", run.datasets) or _SWEEP


def _test_of_difference(difference: Difference, run: Recorded) -> str:
    if {difference.expected, difference.observed} == {PRESENT, MISSING}:
        return _SWEEP
    return dataset_at(difference.where, run.datasets) or _RUN


def write_statement(folder: str) -> None:
    """Write what the log in a folder attests, not signed, as an in-toto statement beside it.

    Raises
    ------
    LogError
        If the log cannot be read.
    ReportError
        If the statement cannot be written.
    """
    text = statement_text(read_log(os.path.join(folder, LOG)))
    write_artifact(os.path.join(folder, STATEMENT), text.encode())
