"""Attestations that were handed over, checked against the log that they are about."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..evidence.file import LogError, LogFile, parse_object
from ..util.text import listed, valid_utf8
from .signature import SignatureError, open_envelope
from .statement import FAILED, PREDICATE_TYPE, STATEMENT_TYPE, statement_of

if TYPE_CHECKING:
    from securesystemslib.signer import SSlibKey


_LISTS = ("passedTests", "warnedTests", "failedTests")
_MAX_NAMES = 3


def is_signed(data: bytes) -> bool:
    """Whether an attestation is an envelope, and not a bare statement."""
    try:
        return "_type" not in parse_object(data)
    except (ValueError, RecursionError):
        return True


def why_not_about(data: bytes, file: LogFile) -> str:
    """Return why a statement, or the one in an envelope, is not about a log; its signature is not checked.

    Returns
    -------
    str
        What follows its name in a sentence; empty where it is about the log.
    """
    try:
        stated = base64.b64decode(parse_object(data)["payload"]) if is_signed(data) else data
        parse_object(stated)
    except (ValueError, LookupError, TypeError, RecursionError):
        return "cannot be read as an attestation"
    return "" if file.sha256.encode() in stated else "is about another log than the one beside it"


def signer_of(data: bytes) -> str | None:
    """Return the fingerprint of the key that an envelope says it was signed with; None if it says none."""
    try:
        found = parse_object(data)["signatures"][0]["keyid"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return found if isinstance(found, str) else None


def check_attestation(data: bytes, shown_as: str, file: LogFile | None, key: SSlibKey | None) -> Attested:
    """Check the signature of an attestation, its subjects, its tests and its result.

    Parameters
    ----------
    data : bytes
        An envelope, or a statement that is not signed.
    shown_as : str
        Its path, for the record.
    file : LogFile or None
        The log that it should be about; None where that cannot be read.
    key : SSlibKey or None
        Whose signature it should bear; None where none is asked for.

    Returns
    -------
    Attested
        With everything that is wrong.
    """
    result, faults = None, []
    try:
        content = parse_object(data)
        if key is not None:
            if "_type" in content:
                raise SignatureError("it is not signed; an envelope is expected, as 'd0parity attest --key' makes it")
            content = parse_object(open_envelope(content, key))
        stated = content.get("predicate")
        result = stated.get("result") if isinstance(stated, dict) else None
        faults = list(_problems(content, file))
    except SignatureError as error:
        key, faults = None, [str(error)]
    except (ValueError, RecursionError) as error:
        key, faults = None, [f"it cannot be read: {error}"]
    return Attested(
        path=valid_utf8(shown_as),
        sha256=hashlib.sha256(data).hexdigest(),
        key_id=None if key is None else key.keyid,
        result=result if isinstance(result, str) else None,
        faults=tuple(faults),
    )


def missing_attestation(shown_as: str) -> Attested:
    """Return that there is no attestation where one was asked for."""
    fault = "it is not there, and a signature was asked for: it was taken away on the way, or there never was one"
    return Attested(path=valid_utf8(shown_as), sha256=None, key_id=None, result=None, faults=(fault,))


def _problems(stated: Mapping[str, Any], file: LogFile | None) -> Iterator[str]:
    if (stated.get("_type"), stated.get("predicateType")) != (STATEMENT_TYPE, PREDICATE_TYPE):
        yield f"it is no in-toto Statement v1 with the predicate {PREDICATE_TYPE}"
        return
    if file is None:
        yield "without its log, nothing that it says can be checked"
        return
    try:
        expected = statement_of(file)
    except LogError as error:
        yield str(error)
        return
    yield from _problems_of_subjects(_by_name(stated.get("subject")), _by_name(expected["subject"]))
    predicate, ours = stated.get("predicate"), expected["predicate"]
    if not isinstance(predicate, dict):
        yield "it states no result"
        return
    for key, what in (("result", "result"), ("configuration", "params and reference")):
        if predicate.get(key) != ours[key]:
            yield f"it states another {what} than the log"
    if any(predicate.get(key) != ours[key] for key in _LISTS):
        yield "it lists other tests than the log, or with other results"
    if predicate.get("result") == FAILED:
        yield f"it attests that parity is not shown: {FAILED}"


def _by_name(subjects: Any) -> dict[str, Any]:
    """Return the digests by name; a subject without a name, or of a name seen before, matches nothing."""
    found: dict[str, Any] = {}
    for number, subject in enumerate(subjects if isinstance(subjects, list) else []):
        name = subject.get("name") if isinstance(subject, dict) else None
        if isinstance(name, str) and name not in found:
            found[name] = subject.get("digest")
        else:
            found[f"subject {number}"] = None
    return found


def _problems_of_subjects(stated: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[str]:
    for names, what in (
        ([name for name in expected if name not in stated], "says nothing of"),
        ([name for name in stated if name not in expected], "speaks of what the log does not hold:"),
        ([name for name in stated if name in expected and stated[name] != expected[name]], "is about another"),
    ):
        if names:
            yield f"it {what} {listed(names, _MAX_NAMES)}"


@dataclass(frozen=True, kw_only=True)
class Attested:
    """The result of checking an attestation.

    Attributes
    ----------
    sha256 : str or None
        Of the file; None where there is none.
    key_id : str or None
        Fingerprint of the public key that verified the signature, the SHA-256 of its DER form; None where the
        statement is not signed.
    result : str or None
        ``PASSED``, ``WARNED`` or ``FAILED``, as it states.
    faults : tuple of str
        What is wrong with it, in words; empty where it holds.
    """

    path: str
    sha256: str | None
    key_id: str | None
    result: str | None
    faults: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What it states, and who signed it."""
        word = f"signed by the key {self.key_id}" if self.key_id else "not signed, so anybody can have written it"
        return f"{self.result}, {word}"
