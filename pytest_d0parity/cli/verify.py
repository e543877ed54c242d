"""``d0parity verify``: what the side that receives the files does with them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from ..options import add_threshold_option
from ..text import printable, valid_utf8
from .arguments import add_terminal_options
from .codes import DONE, DRIFT, INTERRUPTED, UNREADABLE, WRONG_USAGE

if TYPE_CHECKING:
    from ..claims import Claim
    from ..examination import Examiner
    from ..logfile import LogFile
    from ..project import Project
    from ..receipt import LogIdentity
    from ..terminal import Terminal
    from ..tree import Tree
    from ..verification import Verification

__all__ = ["add_verify"]


def add_verify(parser: argparse.ArgumentParser) -> None:
    """Make a parser that of ``verify``."""
    parser.description = (
        "Check that the files are those of a log: each one there, with the size and the SHA-256 that the log says, "
        "and none too many; and write a receipt to send back. Exit code 3 means that something differs."
    )
    parser.add_argument("log", metavar="LOG", help="the evidence log")
    parser.add_argument(
        "--dataset-root", metavar="DIR", help="folder of the files that are checked (the one that the log names)"
    )
    parser.add_argument(
        "--baseline-params", metavar="FILE", help="a params.dill that is checked as well; nothing in it is run"
    )
    parser.add_argument(
        "--measure", action="store_true", help="measure every value again, and compare it with the one in the log"
    )
    add_threshold_option(parser.add_argument)
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="where the receipt goes ($ARTIFACT_DIR, or plans/active/seed/reports/<UTC time>)",
    )
    add_terminal_options(parser)
    parser.set_defaults(run=_verify)


@dataclass(frozen=True, kw_only=True)
class _Delivery:
    """What was handed over: the log, where it can be read; what is said of the files; and the files."""

    log: LogFile | None
    claims: Sequence[Claim]
    tree: Tree
    checked: str
    belongs: Callable[[str], bool]
    problems: tuple[str, ...] = ()
    not_looked_at: tuple[str, ...] = ()


def _verify(options: argparse.Namespace) -> int:
    from ..artifacts import ReportError, prepare_folder
    from ..bundle import is_bundle
    from ..logfile import LogError
    from ..project import ProjectError, find_project
    from ..scenario import default_output
    from ..terminal import Terminal
    from ..tree import TreeError

    with Terminal(quiet=options.quiet, progress=options.progress) as terminal:
        try:
            project = find_project(".")
            output = options.output or default_output(project)
            delivery = _of_bundle(options, output) if is_bundle(options.log) else _of_log(options)
            prepare_folder(output)
            return _check(delivery, options, project, output, terminal)
        except (ProjectError, _UsageError) as error:
            terminal.error(str(error))
            return WRONG_USAGE
        except (LogError, TreeError, ReportError) as error:
            terminal.error(str(error))
            return UNREADABLE


class _UsageError(ValueError):
    """Options that do not go together."""


def _of_log(options: argparse.Namespace) -> _Delivery:
    """Find out what a log tells of, and where that is.

    Raises
    ------
    LogError, TreeError
        If the log or the folder cannot be read.
    """
    from ..claims import claims_of_log, claims_of_params, params_of_log, root_of_log
    from ..logfile import read_log
    from ..sweep import is_dataset
    from ..tree import Folder

    log = read_log(options.log)
    claims = claims_of_log(log)
    root = root_of_log(log, options.dataset_root)
    besides: dict[str, str] = {}
    not_looked_at: tuple[str, ...] = ()
    if options.baseline_params is not None and params_of_log(log, options.baseline_params):
        name = valid_utf8(options.baseline_params)
        claims += claims_of_params(log, name)
        besides = {name: options.baseline_params}
    elif claims_of_params(log, ""):
        not_looked_at = ("the params of the baseline run; name them by --baseline-params",)
    return _Delivery(
        log=log,
        claims=claims,
        tree=Folder(root, besides=besides),
        checked=root,
        belongs=is_dataset,
        not_looked_at=not_looked_at,
    )


def _of_bundle(options: argparse.Namespace, output: str) -> _Delivery:
    """Find out what a bundle holds.

    Raises
    ------
    TreeError
        If it is no bundle.
    """
    from ..bundle import read_bundle

    if options.dataset_root is not None or options.baseline_params is not None:
        raise _UsageError(
            "a bundle brings its datasets and params along: leave --dataset-root and --baseline-params out"
        )
    bundle = read_bundle(options.log)
    inside = os.path.realpath(options.log)
    if os.path.commonpath([inside, os.path.realpath(output)]) == inside:
        raise _UsageError(
            f"the receipt would become a part of the bundle; name another --output than {printable(output)}"
        )
    bundle = read_bundle(options.log)
    return _Delivery(
        log=bundle.log,
        claims=bundle.claims,
        tree=bundle.tree,
        checked=options.log,
        belongs=bundle.belongs,
        problems=bundle.problems,
    )


def _check(delivery: _Delivery, options: argparse.Namespace, project: Project, output: str, terminal: Terminal) -> int:
    from ..verification import VerificationInterrupted

    code = DONE
    try:
        verification = _verification(delivery, options, project, terminal)
    except VerificationInterrupted as interrupt:
        verification, code = interrupt.verification, INTERRUPTED
    verification = replace(verification, problems=delivery.problems + verification.problems)
    from ..provenance import TOOL, timestamp
    from ..receipt import Receipt, write_receipt

    receipt = Receipt(
        verdict=verification.verdict,
        timestamp=timestamp(),
        tool=TOOL,
        log=_identity(delivery, options.log),
        checked=valid_utf8(delivery.checked),
        measured=options.measure,
        thresholds=tuple(options.threshold or ()),
        files=verification.files,
        differences=verification.differences,
        problems=verification.problems,
        not_looked_at=delivery.not_looked_at,
    )
    path = write_receipt(receipt, output)
    (terminal.say if receipt.verdict in ("match", "within_thresholds") else terminal.insist)(receipt.to_text())
    terminal.say(f"Send back {printable(path)}.")
    if code == DONE and not verification.is_complete:
        return UNREADABLE
    return DRIFT if code == DONE and receipt.verdict == "drift" else code


def _verification(
    delivery: _Delivery, options: argparse.Namespace, project: Project, terminal: Terminal
) -> Verification:
    from ..verification import verify

    check = partial(
        verify,
        delivery.claims,
        delivery.tree,
        partial(_examiner, delivery.log, options.threshold, project),
        belongs=delivery.belongs,
        listener=terminal,
    )
    if not options.measure:
        return check()
    from ..crew import Crew, crew_size

    sizes = {claim.name: claim.size_bytes or 0 for claim in delivery.claims if claim.kind == "dataset"}
    # Before anything else is imported: the helpers do that at the same time as this process.
    with Crew(crew_size(None, sizes)) as crew:
        for problem in _examiner(delivery.log, options.threshold, project).warnings():
            terminal.problem(problem)
        return check(workforce=crew)


def _examiner(log: LogFile | None, thresholds: Sequence[str] | None, project: Project) -> Examiner:
    """Make one who knows the values in the log.

    Raises
    ------
    LogError
        If it cannot be read.
    """
    from ..examination import Examiner
    from ..logfile import LogError
    from ..scenario import thresholds_of

    if log is None:
        raise LogError("without its log, nothing is known of the values in a bundle")
    scenario_id = str(log.metadata.get("scenario_id"))
    return Examiner(log, thresholds_of(project, scenario_id, thresholds))


def _identity(delivery: _Delivery, path: str) -> LogIdentity:
    from ..receipt import LogIdentity

    log = delivery.log
    metadata = {} if log is None else log.metadata

    def text(value: object) -> str | None:
        return value if isinstance(value, str) else None

    return LogIdentity(
        path=valid_utf8(path if log is None else log.path),
        sha256=None if log is None else log.sha256,
        scenario_id=text(metadata.get("scenario_id")),
        timestamp=text(metadata.get("timestamp")),
        verdict=None if log is None else text(log.content.get("verdict")),
    )
