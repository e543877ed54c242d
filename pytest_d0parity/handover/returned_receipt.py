"""A receipt that came back, read by the sender: what the receiver found, and whether it is about this very log."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..attest.statement import FAILED
from ..evidence.expected_files import expected_params
from ..evidence.file import LogError, LogFile, parse_object
from ..util.files import describe_os_error, open_regular
from ..util.text import counted, listed, printable, quoted
from .bundle_reader import ATTACHMENTS, LOG_FILE, PARAMS_FILE
from .receipt import RECEIPT

_MOST = 5
_VERDICTS = ("match", "within_thresholds", "drift", "incomplete")
_SAME = ("same", "repacked")
_FINE = (*_SAME, "agrees")


@dataclass(frozen=True, kw_only=True)
class ReturnedReceipt:
    """What a receipt says of a log.

    Attributes
    ----------
    verdict : str
        The receiver's; ``incomplete`` where the receipt contradicts the log or itself.
    sentences : tuple of str
        What it says, the most important first.
    """

    verdict: str
    sentences: tuple[str, ...]

    def to_text(self) -> str:
        """Return it as plain text."""
        return "\n".join([f"{self.verdict}: {self.sentences[0]}", *self.sentences[1:]])


def receipt_content(path: str) -> Mapping[str, Any] | None:
    """Return the content of a receipt; None if a file is none.

    Raises
    ------
    LogError
        If it cannot be read, or is of a newer version.
    """
    try:
        with open_regular(path) as file:
            content = parse_object(file.read() or b"")
    except OSError as error:
        raise LogError(f"{printable(path)} cannot be read: {describe_os_error(error)}; check the path") from None
    except (ValueError, RecursionError):
        if os.path.basename(path).startswith(RECEIPT):
            name = f"{RECEIPT}.json"
            raise LogError(
                f"{printable(path)} is no {name}, or a damaged one: name that, or ask for it again"
            ) from None
        return None  # reading it as a log will say what is wrong with it
    version = content.get("receipt_version")
    if version is None:
        return None
    if version != 1:
        raise LogError(f"receipt {printable(path)} has version {quoted(repr(version))}; this one knows 1: upgrade it")
    return content


def read_back(
    content: Mapping[str, Any],
    file: LogFile,
    *,
    key_id: str | None = None,
    limit_datasets: Collection[str] | None = None,
) -> ReturnedReceipt:
    """Hold a receipt against the log that was sent.

    Parameters
    ----------
    content : mapping
        Its parsed JSON. Anybody can have written it.
    file : LogFile
        The log that it should be about.
    key_id : str, optional
        Fingerprint of the key by which the receiver should have checked the signature.
    limit_datasets : collection of str, optional
        The datasets that were sent, where these are not all.
    """
    log = content.get("log")
    sha256 = log.get("sha256") if isinstance(log, dict) else None
    if sha256 != file.sha256:
        about = f"the log {quoted(sha256)}" if sha256 else "no log that could be read"
        return ReturnedReceipt(
            verdict="incomplete",
            sentences=(f"the receipt is about {about}, and {printable(file.path)} is {file.sha256}",),
        )
    verdict = content.get("verdict")
    doubts = [*_contradictions(content, file, key_id, limit_datasets)]
    if verdict == "drift":  # which no doubt makes better
        return ReturnedReceipt(verdict="drift", sentences=(*_found(content, file), *doubts))
    if verdict not in _VERDICTS or doubts:
        what = doubts or [f"its verdict is {quoted(repr(verdict))}"]
        first = "the receipt does not show what it should, or contradicts the log or itself"
        return ReturnedReceipt(verdict="incomplete", sentences=(first, *what))
    return ReturnedReceipt(verdict=str(verdict), sentences=tuple(_found(content, file)))


def _found(content: Mapping[str, Any], file: LogFile) -> Iterator[str]:
    files = _files(content)
    same = sum(each.get("outcome") in _SAME for each in files)
    how = "every value measured again" if content.get("measured") is True else "sizes and SHA-256 compared"
    yield f"{same} of {counted(len(files), 'file')} are as they were sent ({how})"
    for outcome in dict.fromkeys(each.get("outcome") for each in files if each.get("outcome") not in _SAME):
        names = [_with_remark(each) for each in files if each.get("outcome") == outcome]
        yield f"{len(names)} {quoted(str(outcome).replace('_', ' '))}: {listed(names, _MOST)}"
    thresholds = content.get("thresholds")
    asked = [quoted(each) for each in thresholds] if isinstance(thresholds, list) else []
    if content.get("compare") != "bytes" or asked:
        limits = listed(asked, _MOST) or "the defaults"
        yield f"compared at the level {quoted(content.get('compare'))}, thresholds: {limits}"
    yield f"the receipt is about this very log, {file.sha256}"
    for key, what in (("problems", "problem"), ("not_looked_at", "not looked at"), ("litter", "left aside")):
        items = content.get(key)
        for item in (items if isinstance(items, list) else [])[:_MOST]:
            yield f"{what}: {quoted(item)}"
    attestation = content.get("attestation")
    if isinstance(attestation, dict):
        faults = attestation.get("faults")
        good = (
            f"checked, signed by the key {quoted(attestation.get('key_id'))}" if attestation.get("key_id") else "read"
        )
        yield f"attestation: {'it does not hold' if faults else good}"
    yield f"checked at {quoted(content.get('timestamp'))}, by {quoted(content.get('tool'))}; a receipt is not signed"


def _with_remark(checked: Mapping[str, Any]) -> str:
    remark = checked.get("remark")
    return f"{checked.get('name')} ({remark})" if remark else str(checked.get("name"))


def _contradictions(
    content: Mapping[str, Any], file: LogFile, key_id: str | None, limit_datasets: Collection[str] | None
) -> Iterator[str]:
    """Yield what a receipt says and cannot be, and what it should say and does not."""
    files = _files(content)
    bad = [str(each.get("name")) for each in files if each.get("outcome") not in _FINE]
    attestation = content.get("attestation")
    attested = attestation if isinstance(attestation, dict) else {}
    if content.get("verdict") in ("match", "within_thresholds"):
        said = f"it says {content['verdict']}, and"
        if bad or not files:
            yield f"{said} not of {listed(bad, _MOST) or 'any file'}"
        if content.get("problems"):
            yield f"{said} tells of problems: {quoted(content['problems'])}"
        if attested.get("faults") or attested.get("result") == FAILED:
            yield f"{said} of an attestation that does not hold"
        differences = content.get("differences")
        if any(isinstance(each, dict) and each.get("verdict") == "drift" for each in differences or ()):
            yield f"{said} lists values that drift"
    if content.get("verdict") == "match" and any(each.get("outcome") == "agrees" for each in files):
        yield "it says match, and of files that only agree within thresholds"
    if key_id is not None and attested.get("key_id") != key_id:
        found = f"was checked by the key {quoted(attested['key_id'])}" if attested.get("key_id") else "was not checked"
        found = "did not hold" if attested.get("faults") else found
        yield f"the signature {found}; it should hold for the key {key_id}"
    known = {each.filename: each.sha256 for each in file.log.datasets}
    by_length = sorted(known, key=len, reverse=True)
    names = [str(each.get("name")) for each in files]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        yield f"it tells twice of {listed(twice, _MOST)}"
    sent = [*(known if limit_datasets is None else limit_datasets)]
    if LOG_FILE in names:  # all else comes along in a bundle
        sent += [f"{ATTACHMENTS}{each.name}" for each in file.log.attachments]
        sent += [each.name for each in expected_params(file, PARAMS_FILE)]
    silent = [name for name in sent if not any(each == name or each.endswith(f"/{name}") for each in names)]
    if silent:
        hint = "" if limit_datasets else "; if you sent a part, name it by --limit-datasets"
        yield f"it says nothing of {listed(silent, _MOST)}{hint}"
    for each in files:
        name = str(each.get("name"))
        own = next((key for key in by_length if name == key or name.endswith(f"/{key}")), None)
        if own is not None and each.get("outcome") == "same" and each.get("observed_sha256") != known[own]:
            yield f"it calls {quoted(name)} the same, with another SHA-256 than the log"


def _files(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    files = content.get("files")
    return [each for each in files if isinstance(each, dict)] if isinstance(files, list) else []
