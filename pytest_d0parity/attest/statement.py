"""A log as an in-toto Statement v1 about the results of its tests.

Source: the in-toto Attestation Framework, ``Statement/v1``, and its predicate ``test-result/v0.1``.
"""

from __future__ import annotations

import os
from typing import Any

from ..comparison.difference import MISSING, PRESENT, dataset_at
from ..evidence.artifacts import LOG, STATEMENT, write_artifact
from ..evidence.dataset import Problem
from ..evidence.drift import Difference
from ..evidence.encoding import json_text
from ..evidence.file import LogError, LogFile, read_log
from ..evidence.model import EvidenceLog
from ..util.files import is_sha256
from ..util.records import ABSENT
from ..util.text import printable

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"
PASSED, WARNED, FAILED = "PASSED", "WARNED", "FAILED"

# The tests of a log that was made without pytest; those of datasets have their names.
_SWEEP, _RUN = "datasets", "baseline_run"
_BY_OUTCOME = {"passed": PASSED, "skipped": WARNED}  # all other outcomes count as failed


def statement_of(file: LogFile) -> dict[str, Any]:
    """Return the statement that a log attests.

    Returns
    -------
    dict
        The Statement. Its subjects are the log, the datasets and the attachments; the configuration is the params and
        the reference; the tests are the checks of the log, or, where it was made without any, each dataset, the set of
        them, and the baseline run. A test that was skipped, or that the log warns of, is warned of. The same log gives
        the same.

    Raises
    ------
    LogError
        If it is no evidence log, or does not hold the SHA-256 of its params.
    """
    log = file.log
    tests = _tests(log)
    return {
        "_type": STATEMENT_TYPE,
        "subject": [
            _resource(LOG, file.sha256),
            *(_resource(each.filename, each.sha256) for each in log.datasets if is_sha256(each.sha256)),
            *(_resource(f"attachments/{each.name}", each.sha256) for each in log.attachments),
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "result": result_of(log),
            "configuration": _configuration(file),
            "passedTests": [name for name, result in tests.items() if result == PASSED],
            "warnedTests": [name for name, result in tests.items() if result == WARNED],
            "failedTests": [name for name, result in tests.items() if result == FAILED],
        },
    }


def statement_text(file: LogFile) -> str:
    """Return the statement of a log as JSON: see `statement_of`."""
    return json_text(statement_of(file))


def _resource(name: str, sha256: Any) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": sha256}}


def _configuration(file: LogFile) -> list[dict[str, Any]]:
    resources, metadata = [], file.log.metadata
    if is_sha256(metadata.params_sha256):
        resources.append(_resource("params.dill", metadata.params_sha256))
    elif metadata.baseline_params is not None and metadata.params_sha256 is ABSENT:
        raise LogError(
            f"log {printable(file.path)} is of schema version {file.log.schema_version}, which does not hold the "
            "SHA-256 of the params: record the sweep again"
        )
    reference = file.log.reference
    if reference is not None:
        if not is_sha256(reference.sha256):
            raise LogError(f"log {printable(file.path)} holds no SHA-256 of its reference: record the sweep again")
        resources.append(_resource("reference.json", reference.sha256))
    return resources


def result_of(log: EvidenceLog) -> str:
    """Return the result that a log attests: ``PASSED``, ``WARNED`` or ``FAILED``."""
    found = set(_tests(log).values())
    if FAILED in found or log.verdict in ("drift", "incomplete") or log.has_errors:
        return FAILED
    return WARNED if WARNED in found or any(not problem.accepted for problem in log.all_problems) else PASSED


def _tests(log: EvidenceLog) -> dict[str, str]:
    if log.checks:
        return {check.id: _BY_OUTCOME.get(check.outcome, FAILED) for check in log.checks}
    filenames = [dataset.filename for dataset in log.datasets]
    tests = dict.fromkeys([_SWEEP, *filenames], PASSED)
    if log.metadata.baseline_params is not None or log.attachments:
        tests[_RUN] = PASSED
    for problem in (each for each in log.all_problems if not each.accepted):
        name = _test_of_problem(problem, filenames)
        if tests.get(name) != FAILED:
            tests[name] = FAILED if problem.severity == "error" else WARNED
    for difference in log.drift:
        if difference.verdict == "drift":
            tests[_test_of_difference(difference, filenames)] = FAILED
    return tests


def _test_of_problem(problem: Problem, filenames: list[str]) -> str:
    if problem.where.partition(":")[0] in ("baseline_params", "attachments"):
        return _RUN
    return dataset_at(f"{problem.where}:", filenames) or _SWEEP


def _test_of_difference(difference: Difference, filenames: list[str]) -> str:
    if {difference.expected, difference.observed} == {PRESENT, MISSING}:
        return _SWEEP
    return dataset_at(difference.where, filenames) or _RUN


def write_statement(folder: str) -> None:
    """Write the statement of the log in a folder beside it, not signed.

    Raises
    ------
    LogError
        If the log cannot be read.
    ReportError
        If the statement cannot be written.
    """
    text = statement_text(read_log(os.path.join(folder, LOG)))
    write_artifact(os.path.join(folder, STATEMENT), text.encode())
