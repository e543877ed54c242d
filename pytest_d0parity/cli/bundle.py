"""``d0parity bundle``: pack a log and its files."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from ..util.errors import ParityError, UsageError
from ..util.extras import missing_extra
from ..util.text import counted, printable
from .arguments import DONE, add_terminal_options

if TYPE_CHECKING:
    from ..handover.bundle_plan import Plan
    from .terminal import Terminal


_ARCHIVES = (".bz2", ".xz", ".zst", ".zip", ".7z")


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser.description = (
        "Put a log and all that it tells of (datasets, params, digest, page, reference) into a bag (BagIt, RFC 8493), "
        "which is checked by 'd0parity verify', by bagit.py, and by sha256sum alone. Needs the extra 'bundle'."
    )
    parser.add_argument("log", metavar="LOG", help="the evidence log")
    parser.add_argument(
        "--output", metavar="DIR|FILE.tar[.gz]", required=True, help="a folder or tar that is not there yet"
    )
    parser.add_argument("--dataset-root", metavar="DIR", help="folder of the datasets (the one that the log names)")
    parser.add_argument("--baseline-params", metavar="FILE", help="the params.dill (the one that the log names)")
    parser.add_argument(
        "--attach",
        action="append",
        default=[],
        metavar="FILE",
        help="an attachment (where the log names it); may be repeated",
    )
    parser.add_argument(
        "--contact", metavar="ADDRESS", help="to whom the receipt is to be sent, for the bundle's README"
    )
    parser.add_argument("--reference", metavar="LOG", help="the reference (the one that the log names)")
    add_terminal_options(parser)
    parser.set_defaults(run=_bundle)


def _bundle(options: argparse.Namespace, terminal: Terminal) -> int:
    if not options.output or options.output.lower().endswith(_ARCHIVES):
        raise UsageError(f"--output {printable(options.output)}: a bundle is a folder, a .tar or a .tar.gz")
    if missing := missing_extra("bagit", "bundle"):
        raise ParityError(f"to make a bundle, {missing}")
    from ..handover.bundle_reader import ATTESTATION_FILE
    from ..handover.bundle_writer import make_bundle

    target = options.output.rstrip(os.sep) or options.output
    plan = _plan(options, terminal)
    make_bundle(plan, target, terminal, contact=options.contact)
    terminal.say(
        f"{printable(target)} is made: {counted(len(plan.items), 'file')}, {plan.size:,} bytes, of the log "
        f"{plan.file.sha256}"
    )
    signed = any(item.name == ATTESTATION_FILE for item in plan.items)
    terminal.say(f"Check it: d0parity verify {printable(target)}{' --public-key public.pem' if signed else ''}")
    return DONE


def _plan(options: argparse.Namespace, terminal: Terminal) -> Plan:
    """Find the files for the bundle.

    Raises
    ------
    LogError, BundleError
        If something cannot go into it.
    """
    from ..evidence.expected_files import attachment_of_log, params_of_log, reference_of_log, root_of_log
    from ..evidence.file import read_log
    from ..evidence.model import UNSHOWN
    from ..handover.bundle_plan import plan_bundle

    file = read_log(options.log)
    root = root_of_log(file, options.dataset_root)
    params = params_of_log(file, options.baseline_params)
    attachments = {each.name: attachment_of_log(file, each.name, options.attach) for each in file.log.attachments}
    plan = plan_bundle(file, root, params, reference_of_log(file, options.reference), attachments)
    if file.log.verdict in UNSHOWN:
        terminal.note(f"the log's own verdict is {file.log.verdict}, so that the bundle hands over no proof of parity")
    for name in plan.missing:
        terminal.note(f"there is no {name} beside the log, so the bundle is made without")
    return plan
