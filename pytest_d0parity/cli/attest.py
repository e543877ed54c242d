"""``d0parity attest``: write the statement of a log, signed or not."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from ..util.errors import ParityError
from ..util.extras import missing_extra
from ..util.text import printable
from .arguments import DONE

if TYPE_CHECKING:
    from .terminal import Terminal


def add_attest(parser: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser.description = (
        "Say what a log attests as an in-toto Statement v1 about the result of its tests; with a key, as a signed DSSE "
        "envelope, which needs the extra 'attest'. The key is read, and never written or printed."
    )
    parser.add_argument("log", metavar="LOG", help="the evidence log")
    parser.add_argument("--key", metavar="key.pem", help="private key that signs: Ed25519 or ECDSA, in PEM")
    parser.add_argument("--output", metavar="DIR", help="where it goes (beside LOG)")
    parser.set_defaults(run=_attest)


def _attest(options: argparse.Namespace, terminal: Terminal) -> int:
    from ..attest.statement import statement_of
    from ..evidence.artifacts import ATTESTATION, STATEMENT, prepare_folder, write_artifact
    from ..evidence.encoding import json_text
    from ..evidence.file import read_log

    if options.key is not None and (missing := missing_extra("securesystemslib", "attest")):
        raise ParityError(f"to sign, {missing}")
    from ..attest.signature import load_signer, sign

    output = os.path.dirname(options.log) if options.output is None else options.output
    statement = statement_of(read_log(options.log))
    name, text, signed = STATEMENT, json_text(statement), "not signed"
    if options.key is not None:
        signer = load_signer(options.key)
        name, text = ATTESTATION, json_text(sign(text.encode(), signer))
        signed = f"signed by the key {signer.public_key.keyid}"
    prepare_folder(output or ".")
    write_artifact(path := os.path.join(output, name), text.encode())
    terminal.say(f"{statement['predicate']['result']}: attested in {printable(path)}, {signed}")
    return DONE
