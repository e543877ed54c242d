"""``d0parity verify``: check files against a log, or a bundle."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ..scenario.options import add_comparison_options, split_names
from ..util.text import printable, valid_utf8
from .arguments import DONE, DRIFT, UNREADABLE, add_terminal_options

if TYPE_CHECKING:
    from ..attest.attestation import Attested
    from ..evidence.file import LogFile
    from ..handover.receipt import LogIdentity
    from ..handover.remeasure import Remeasurement
    from ..handover.submission import Submission
    from ..handover.verification import Verification
    from ..scenario.pyproject import Project
    from ..scenario.thresholds import Level, Threshold
    from .terminal import Terminal


_CODES = {"match": DONE, "within_thresholds": DONE, "drift": DRIFT, "incomplete": UNREADABLE}


def add_verify(parser: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser.description = (
        "Check that the files are those of a log: each one there, with the size and the SHA-256 that the log says, "
        "and no other dataset beside them; or that a bundle holds what its manifests and log say, and nothing else; or "
        "read a receipt that came back."
    )
    parser.add_argument(
        "log",
        metavar="LOG|BUNDLE|RECEIPT",
        help="the evidence log, a bundle (a folder, .tar or .tar.gz), or a receipt that came back",
    )
    parser.add_argument(
        "--log", dest="sent", metavar="LOG|BUNDLE", help="the log that a receipt should be about, or the bundle with it"
    )
    parser.add_argument(
        "--dataset-root", metavar="DIR", help="folder of the files that are checked (the one that the log names)"
    )
    parser.add_argument(
        "--baseline-params", metavar="FILE", help="a params.dill that is checked as well; nothing in it is run"
    )
    parser.add_argument(
        "--attach",
        action="append",
        default=[],
        metavar="FILE",
        help="an attachment of the log (where the log names it, if it is there); may be repeated",
    )
    parser.add_argument(
        "--limit-datasets",
        type=split_names,
        metavar="A.npz,B.npz",
        help="the datasets that were handed over, where these are not all",
    )
    parser.add_argument(
        "--measure", action="store_true", help="measure every value again, and compare it with the one in the log"
    )
    add_comparison_options(parser.add_argument)
    parser.add_argument(
        "--attestation", metavar="FILE", help="check this attestation of the log as well (the one in the bundle)"
    )
    parser.add_argument(
        "--public-key",
        metavar="KEY",
        help="public key, in PEM, of whoever should have signed the attestation; for a receipt, the one that it should "
        "have been checked by",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="write a receipt to send back, into this folder; without it, nothing is written",
    )
    add_terminal_options(parser)
    parser.set_defaults(run=_verify)


def _verify(options: argparse.Namespace, terminal: Terminal) -> int:
    from ..evidence.artifacts import prepare_folder
    from ..evidence.siblings import strangers_beside
    from ..handover.bundle_reader import bag_around, is_bundle
    from ..handover.receipt import remove_receipt
    from ..handover.submission import OptionError, check_submitted_attestation, open_submission
    from ..scenario.pyproject import find_project

    project, output, path = find_project("."), options.output, options.log
    if output is not None:
        remove_receipt(output)
    if not is_bundle(path):
        if (code := _read_back(options, terminal)) is not None:
            return code
        if options.dataset_root is None and (bag := bag_around(path)) is not None:
            terminal.hint(f"{printable(path)} lies in a bundle, so that the bundle is checked: {printable(bag)}")
            path = bag
    if options.sent is not None:
        raise OptionError(f"--log is for a receipt that came back, and {printable(options.log)} is none")
    with open_submission(
        path,
        output,
        dataset_root=options.dataset_root,
        baseline_params=options.baseline_params,
        attachments=options.attach,
        limit_datasets=options.limit_datasets,
        has_key=bool(options.public_key) and options.attestation is None,
    ) as submission:
        file = None if is_bundle(path) else submission.file
        if file is not None and (found := strangers_beside(file)):
            terminal.note(found)
        attested = check_submitted_attestation(submission, options.attestation, options.public_key)
        if output is not None:
            prepare_folder(output)
        return _check(submission, attested, options, project, output, terminal)


def _read_back(options: argparse.Namespace, terminal: Terminal) -> int | None:
    """Tell what a receipt says; None if there is none to read.

    Raises
    ------
    OptionError
        If it is not said which log it should be about.
    """
    from ..handover.returned_receipt import read_back, receipt_content
    from ..handover.sent import read_sent
    from ..handover.submission import OptionError, read_public_key

    content = receipt_content(options.log)
    if content is None:
        return None
    if options.sent is None:
        raise OptionError(f"{printable(options.log)} is a receipt: name the log that you sent, by --log LOG")
    given = {
        f"--{name.replace('_', '-')}": getattr(options, name)
        for name in ("dataset_root", "baseline_params", "attach", "measure", "attestation", "output")
    }
    if extra := [name for name, value in given.items() if value]:
        raise OptionError(
            f"{', '.join(extra)}: a receipt is only read, beside --log, --public-key and --limit-datasets"
        )
    key_id = None if options.public_key is None else read_public_key(options.public_key).keyid
    returned = read_back(content, read_sent(options.sent), key_id=key_id, limit_datasets=options.limit_datasets)
    terminal.say_always(returned.to_text())
    return _CODES[returned.verdict]


def _check(
    submission: Submission,
    attested: Attested | None,
    options: argparse.Namespace,
    project: Project,
    output: str | None,
    terminal: Terminal,
) -> int:
    from ..handover.receipt import Receipt, write_receipt
    from ..handover.verification import VerificationInterrupted
    from ..scenario.scenario import level_of
    from ..util.provenance import TOOL, timestamp

    scenario_id = None if submission.file is None else submission.file.log.metadata.scenario_id
    level = level_of(project, str(scenario_id), options.compare)
    measured = _is_measured(options, level) and submission.file is not None
    thresholds = _thresholds(str(scenario_id), options, level, project)
    make_remeasurement = partial(_remeasurement, submission.file, thresholds, level)
    interrupted: VerificationInterrupted | None = None
    try:
        verification = _verification(submission, measured, make_remeasurement, terminal)
    except VerificationInterrupted as interrupt:
        verification, interrupted = interrupt.verification, interrupt
    receipt = Receipt(
        verdict="drift" if attested is not None and attested.faults else verification.verdict,
        timestamp=timestamp(),
        tool=TOOL,
        log=_identity(submission, options.log),
        checked=valid_utf8(submission.checked),
        measured=measured,
        compare=level,
        thresholds=tuple(f"{each.pattern}:{each.text}" for each in thresholds),
        attestation=attested,
        files=verification.files,
        differences=verification.differences,
        findings=verification.findings,
        problems=verification.problems + verification.contradictions,
        not_looked_at=submission.not_looked_at,
        litter=verification.litter,
        has_unchecked_signature=submission.has_unchecked_signature and attested is None,
    )
    say = terminal.say if _CODES[receipt.verdict] == DONE else terminal.say_always
    say(receipt.to_text(faulty_only=options.quiet))
    datasets = {each.name for each in submission.expected_files if each.kind == "dataset"}
    if not submission.is_bundle and any(e.outcome == "changed" and e.name in datasets for e in receipt.files):
        both = [shlex.quote(printable(path)) for path in (options.log, submission.checked)]
        terminal.say(f"Why: d0parity compare {' '.join(both)}")
    if output is not None:
        sent = receipt.without_folders(_paths(options, submission, attested))
        terminal.say(f"\nSend back {printable(write_receipt(sent, output))}.")
    if interrupted is not None:
        raise interrupted
    return _CODES[receipt.verdict]


def _verification(
    submission: Submission, measured: bool, make_remeasurement: Callable[[], Remeasurement], terminal: Terminal
) -> Verification:
    from ..handover.verify import verify

    check = partial(verify, submission, make_remeasurement, listener=terminal)
    if not measured:
        return check()
    from ..capture.local_pool import LocalPool, pool_size

    sizes = {
        expected.name: expected.size_bytes or 0 for expected in submission.expected_files if expected.kind == "dataset"
    }
    # Started before anything else is imported, so that workers and this process import at the same time.
    with LocalPool(pool_size(None, sizes), terminal.note) as pool:
        for problem in make_remeasurement().warnings():
            terminal.problem(problem)
        return check(executor=pool)


def _is_measured(options: argparse.Namespace, level: Level) -> bool:
    return options.measure or level == "statistics"


def _thresholds(scenario_id: str, options: argparse.Namespace, level: Level, project: Project) -> tuple[Threshold, ...]:
    """Return the thresholds of the project for the log's scenario, and those of the command line.

    Raises
    ------
    OptionError
        If there is one on the command line that nothing is held against.
    """
    from ..handover.submission import OptionError
    from ..scenario.scenario import thresholds_of
    from ..scenario.thresholds import parse_threshold

    for text in () if _is_measured(options, level) else options.threshold or ():
        if not parse_threshold(text).may_cover("sha256"):
            raise OptionError(f"--threshold {printable(text)} is for a value: add --measure, which compares values")
    return thresholds_of(project, scenario_id, options.threshold)


def _remeasurement(file: LogFile | None, thresholds: Sequence[Threshold], level: Level) -> Remeasurement:
    """Return what compares files with the values in the log.

    Raises
    ------
    LogError
        If it cannot be read.
    """
    from ..handover.remeasure import Remeasurement

    return Remeasurement(file, thresholds, level)


def _paths(options: argparse.Namespace, submission: Submission, attested: Attested | None) -> list[str]:
    """Return the paths that may stand in a receipt: those that were given, and those that were found by them."""
    given = [options.log, options.dataset_root, options.baseline_params, *options.attach, options.attestation]
    found = [submission.checked, None if attested is None else attested.path]
    return [path for path in [*given, *found] if path is not None]


def _identity(submission: Submission, path: str) -> LogIdentity:
    from ..handover.receipt import LogIdentity

    file = submission.file
    if file is None:
        return LogIdentity(path=valid_utf8(path), sha256=None, scenario_id=None, timestamp=None, verdict=None)

    def text(value: object) -> str | None:
        return value if isinstance(value, str) else None

    return LogIdentity(
        path=valid_utf8(file.path),
        sha256=file.sha256,
        scenario_id=text(file.log.metadata.scenario_id),
        timestamp=text(file.log.metadata.timestamp),
        verdict=file.log.verdict if file.log.schema_version else None,  # logs of version 0 have none
    )
