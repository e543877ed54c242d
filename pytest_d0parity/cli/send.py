"""``d0parity bundle`` and ``d0parity attest``: what the side that sends the files does with them."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from ..util.text import printable
from .arguments import add_terminal_options, missing_extra
from .codes import DONE, UNREADABLE, WRONG_USAGE

if TYPE_CHECKING:
    from ..handover.bundle_plan import Plan
    from .terminal import Terminal


_ARCHIVES = (".gz", ".tgz", ".bz2", ".xz", ".zst", ".zip", ".7z")


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """Make a parser that of ``bundle``."""
    parser.description = (
        "Put a log and all that it tells of (datasets, params, digest, page, reference) into a bag (BagIt, RFC 8493), "
        "which is checked by 'd0parity verify', by bagit.py, and by sha256sum alone. Needs the extra 'bundle'."
    )
    parser.add_argument("log", metavar="LOG", help="the evidence log")
    parser.add_argument("--output", metavar="DIR|FILE.tar", required=True, help="a folder or tar that is not there yet")
    parser.add_argument("--dataset-root", metavar="DIR", help="folder of the datasets (the one that the log names)")
    parser.add_argument("--baseline-params", metavar="FILE", help="the params.dill (the one that the log names)")
    parser.add_argument("--reference", metavar="LOG", help="the reference (the one that the log names)")
    add_terminal_options(parser)
    parser.set_defaults(run=_bundle)


def add_attest(parser: argparse.ArgumentParser) -> None:
    """Make a parser that of ``attest``."""
    parser.description = (
        "Say what a log attests as an in-toto Statement v1 about the result of its tests; with a key, as a signed DSSE "
        "envelope, which needs the extra 'attest'. The key is read, and never written or printed."
    )
    parser.add_argument("log", metavar="LOG", help="the evidence log")
    parser.add_argument("--key", metavar="KEY.pem", help="private key that signs: Ed25519 or ECDSA, in PEM")
    parser.add_argument("--output", metavar="DIR", help="where it goes (beside LOG)")
    parser.set_defaults(run=_attest)


def _attest(options: argparse.Namespace) -> int:
    from ..attest.statement import statement_of
    from ..evidence.artifacts import ATTESTATION, STATEMENT, ReportError, prepare_folder, write_artifact
    from ..evidence.file import LogError, read_log
    from ..evidence.model import json_text
    from .terminal import Terminal

    with Terminal() as terminal:
        if options.key is not None and (missing := missing_extra("securesystemslib", "attest")):
            terminal.error(f"to sign, {missing}")
            return UNREADABLE
        from ..attest.signature import KeyFileError, load_signer, sign

        output = os.path.dirname(options.log) if options.output is None else options.output
        try:
            log = read_log(options.log)
            statement = statement_of(log)
            name, text, signed = STATEMENT, json_text(statement), "not signed"
            if options.key is not None:
                signer = load_signer(options.key)
                name, text = ATTESTATION, json_text(sign(text.encode(), signer))
                signed = f"signed by the key {signer.public_key.keyid}"
            prepare_folder(output or ".")
            write_artifact(path := os.path.join(output, name), text.encode())
        except (LogError, KeyFileError, ReportError) as error:
            terminal.error(str(error))
            return UNREADABLE
        terminal.say(f"{statement['predicate']['result']}: attested in {printable(path)}, {signed}")
    return DONE


def _bundle(options: argparse.Namespace) -> int:
    from ..evidence.file import LogError
    from .terminal import Terminal

    with Terminal(quiet=options.quiet, progress=options.progress) as terminal:
        if not options.output or options.output.lower().endswith(_ARCHIVES):
            terminal.error(
                f"--output {printable(options.output)}: a bundle is a folder or a plain .tar, for NPZ is compressed"
            )
            return WRONG_USAGE
        if missing := missing_extra("bagit", "bundle"):
            terminal.error(f"to make a bundle, {missing}")
            return UNREADABLE
        from ..handover.bundle_plan import BundleError
        from ..handover.bundle_writer import make_bundle
        from ..util.scratch import interruptible

        target = options.output.rstrip(os.sep) or options.output
        try:
            with interruptible():
                plan = _plan(options, terminal)
                make_bundle(plan, target, terminal)
        except LogError as error:
            terminal.error(str(error))
            return UNREADABLE
        except BundleError as error:
            for sentence in error.args:
                terminal.error(sentence)
            return UNREADABLE
        count = f"{len(plan.items)} file{'s' * (len(plan.items) != 1)}"
        terminal.say(f"{printable(target)} is made: {count}, {plan.size:,} bytes, of the log {plan.log.sha256}")
        terminal.say(f"Check it: d0parity verify {printable(target)}")
    return DONE


def _plan(options: argparse.Namespace, terminal: Terminal) -> Plan:
    """Find out what goes into the bundle.

    Raises
    ------
    LogError, BundleError
        If something cannot go into it.
    """
    from ..evidence.expected_files import params_of_log, reference_of_log, root_of_log
    from ..evidence.file import read_log
    from ..handover.bundle_plan import plan_bundle

    log = read_log(options.log)
    root = root_of_log(log, options.dataset_root)
    params = params_of_log(log, options.baseline_params)
    plan = plan_bundle(log, root, params, reference_of_log(log, options.reference))
    for name in plan.missing:
        terminal.note(f"there is no {name} beside the log, so the bundle is made without")
    return plan
