"""A receipt that came back, read by the sender: what the receiver found, and whether it is about this very log."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..attest.statement import FAILED
from ..evidence.expected_files import expected_params
from ..evidence.file import LogError, parse_object
from ..evidence.model import SHOWN
from ..util.files import describe_os_error, open_regular
from ..util.text import counted, listed, printable, quoted
from .bundle_reader import ATTACHMENTS, DATASETS, LOG_FILE, PARAMS_FILE, PAYLOAD
from .receipt import RECEIPT
from .sent import Sent
from .verification import FINE

_MOST = 5
_VERDICTS = (*SHOWN, "drift", "incomplete")
_SAME = ("same", "repacked")


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
    files = content.get("files")
    if version == 1 and not (isinstance(files, list) and all(isinstance(each, dict) for each in files)):
        raise LogError(f"receipt {printable(path)} is damaged, for it does not tell of files: ask for it again")
    if version != 1:
        raise LogError(f"receipt {printable(path)} has version {quoted(repr(version))}; this one knows 1: upgrade it")
    return content


def read_back(
    content: Mapping[str, Any],
    sent: Sent,
    *,
    key_id: str | None = None,
    limit_datasets: Collection[str] | None = None,
) -> ReturnedReceipt:
    """Hold a receipt against what was sent.

    Parameters
    ----------
    content : mapping
        Its parsed JSON. Anybody can have written it.
    sent : Sent
        What it should be about.
    key_id : str, optional
        Fingerprint of the key by which the receiver should have checked the signature.
    limit_datasets : collection of str, optional
        The datasets that were sent, where these are not all.
    """
    log, verdict = content.get("log"), content.get("verdict")
    sha256 = log.get("sha256") if isinstance(log, dict) else None
    found = [*_found(content, _sameness(content, sent, sha256))]
    if sha256 != sent.file.sha256:
        about = f"the log {quoted(sha256)}" if sha256 else "no log that could be read"
        first = f"the receipt is about {about}, and {printable(sent.file.path)} is {sent.file.sha256}"
        return ReturnedReceipt(verdict="drift" if verdict == "drift" else "incomplete", sentences=(first, *found))
    found.append(f"the receipt is about this very log, {sha256}")
    doubts = [*_contradictions(content, sent, key_id, limit_datasets)]
    if verdict == "drift":  # which no doubt makes better
        return ReturnedReceipt(verdict="drift", sentences=(*found, *doubts))
    if verdict not in _VERDICTS or doubts:
        what = doubts or [f"its verdict is {quoted(repr(verdict))}"]
        first = "the receipt does not show what it should, or contradicts the log or itself"
        return ReturnedReceipt(verdict="incomplete", sentences=(first, *what))
    return ReturnedReceipt(verdict=str(verdict), sentences=tuple(found))


def _found(content: Mapping[str, Any], sameness: str) -> Iterator[str]:
    """Yield what the receiver found, the files first."""
    files = content["files"]
    same = _same_files(content)
    how = "every value measured again" if content.get("measured") is True else "sizes and SHA-256 compared"
    yield f"{len(same)} of {counted(len(files), 'file')} are as {sameness} ({how})"
    for outcome in dict.fromkeys(each.get("outcome") for each in files if each.get("outcome") not in _SAME):
        names = [_with_remark(each) for each in files if each.get("outcome") == outcome]
        yield f"{len(names)} {quoted(str(outcome).replace('_', ' '))}: {listed(names, _MOST)}"
    thresholds = content.get("thresholds")
    asked = [quoted(each) for each in thresholds] if isinstance(thresholds, list) else []
    if content.get("compare") != "bytes" or asked:
        limits = listed(asked, _MOST) or "the defaults"
        yield f"compared at the level {quoted(content.get('compare'))}, thresholds: {limits}"
    for key, what in (("problems", "problem"), ("not_looked_at", "not looked at"), ("litter", "left aside")):
        items = content.get(key)
        for item in (items if isinstance(items, list) else [])[:_MOST]:
            yield f"{what}: {quoted(item)}"
    attestation = content.get("attestation")
    if isinstance(attestation, dict):
        yield f"attestation: {_attestation_text(attestation)}"
    yield f"checked at {quoted(content.get('timestamp'))}, by {quoted(content.get('tool'))}; a receipt is not signed"


def _same_files(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for each in content["files"] if each.get("outcome") in _SAME]


def _sameness(content: Mapping[str, Any], sent: Sent, sha256: object) -> str:
    """Return what the files that are the same are like: what was sent, if the receipt is about that log."""
    if sha256 != sent.file.sha256:
        return "that other log and its lists say" if sha256 else "the lists beside that log say"
    by_lists = sum(sent.sha256_of(str(each.get("name"))) is None for each in _same_files(content))
    lists = f", {by_lists} of them by the bundle's own lists, which --log BUNDLE holds against yours"
    return f"they were sent{lists if by_lists else ''}"


def _attestation_text(attestation: Mapping[str, Any]) -> str:
    faults = attestation.get("faults")
    if faults:
        texts = [quoted(each) for each in faults] if isinstance(faults, list) else [quoted(faults)]
        return f"it does not hold: {'; '.join(texts[:_MOST])}"
    return f"checked, signed by the key {quoted(attestation['key_id'])}" if attestation.get("key_id") else "read"


def _with_remark(checked: Mapping[str, Any]) -> str:
    remark = checked.get("remark")
    return f"{checked.get('name')} ({remark})" if remark else str(checked.get("name"))


def _contradictions(
    content: Mapping[str, Any], sent: Sent, key_id: str | None, limit_datasets: Collection[str] | None
) -> Iterator[str]:
    """Yield what a receipt says and cannot be, and what it should say and does not."""
    attestation = content.get("attestation")
    attested = attestation if isinstance(attestation, dict) else {}
    if content.get("verdict") in SHOWN:
        yield from _too_good(content, attested)
    if key_id is not None and attested.get("key_id") != key_id:
        found = f"was checked by the key {quoted(attested['key_id'])}" if attested.get("key_id") else "was not checked"
        found = "did not hold" if attested.get("faults") and attested.get("sha256") else found
        yield f"the signature {found}; it should hold for the key {key_id}"
    names = [str(each.get("name")) for each in content["files"]]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        yield f"it tells twice of {listed(twice, _MOST)}"
    if silent := [*_silent(sent, names, limit_datasets)]:
        yield f"it says nothing of {listed(silent, _MOST)}{_hint(silent, sent, names, limit_datasets)}"
    for each in content["files"]:
        if each.get("outcome") == "same":
            yield from _not_sent(sent, str(each.get("name")), each.get("observed_sha256"))


def _too_good(content: Mapping[str, Any], attested: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a good verdict leaves out of account."""
    said, files = f"it says {content['verdict']}, and", content["files"]
    bad = [str(each.get("name")) for each in files if each.get("outcome") not in FINE]
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
        yield f"{said} of files that only agree within thresholds"


def _silent(sent: Sent, names: Collection[str], limit_datasets: Collection[str] | None) -> Iterator[str]:
    """Yield the files of which a receipt has to tell, and does not."""
    log = sent.file.log
    datasets = [each.filename for each in log.datasets]
    asked = datasets if limit_datasets is None else [*limit_datasets]
    if sent.bundled:
        left_out = {DATASETS + name for name in datasets if name not in asked}
        # What was checked beside the log is called without the folders of the bundle.
        yield from (
            name
            for name in sent.bundled
            if name not in left_out and not {name, name.removeprefix(PAYLOAD), name.removeprefix(DATASETS)} & {*names}
        )
        return
    attached = [f"{ATTACHMENTS}{each.name}" for each in log.attachments]
    params = [each.name for each in expected_params(sent.file, PARAMS_FILE)]
    along = [*attached, *params] if LOG_FILE in names else []  # in a bundle
    yield from (name for name in [*asked, *along] if not _is_named(name, names))


def _hint(silent: Collection[str], sent: Sent, names: Collection[str], limit_datasets: Collection[str] | None) -> str:
    """Return why a receipt may rightly say nothing of some files, and what to do then."""
    if sent.bundled and LOG_FILE not in names:
        return "; if the receiver had the log without its bundle, name the log alone by --log LOG"
    datasets = {each.filename for each in sent.file.log.datasets}
    is_part = limit_datasets is None and any(name.removeprefix(DATASETS) in datasets for name in silent)
    return "; if you sent a part, name it by --limit-datasets" if is_part else ""


def _is_named(name: str, names: Collection[str]) -> bool:
    return any(each == name or each.endswith(f"/{name}") for each in names)


def _not_sent(sent: Sent, name: str, sha256: object) -> Iterator[str]:
    """Yield what is wrong with a file that a receipt calls the same."""
    expected = sent.sha256_of(name)
    if expected is None and not sent.may_hold(name, sha256):
        yield f"it calls {quoted(name)} the same, which was not sent"
    elif expected is not None and sha256 != expected:
        yield f"it calls {quoted(name)} the same, with another SHA-256 than what was sent"
