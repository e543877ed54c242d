"""The files that go into a bundle, found and checked before anything is copied."""

from __future__ import annotations

import datetime
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..attest.attestation import why_not_about
from ..evidence.artifacts import ATTESTATION, DIGEST, PAGE, PICTURES, PROBE_TABLE, STAGE_TABLE, SUMS
from ..evidence.expected_files import (
    ExpectedFile,
    expected_attachments,
    expected_datasets,
    expected_params,
    expected_reference,
)
from ..evidence.file import LogFile
from ..evidence.siblings import is_of_log
from ..util.errors import ParityError
from ..util.files import describe_os_error, open_regular
from ..util.text import printable, text_as_name
from .bundle_reader import ATTACHMENTS, BESIDE, DATASETS, LOG_FILE, PARAMS_FILE, PAYLOAD, REFERENCE_FILE
from .files.file_tree import ByteRange

_PICKLES = (".dill", ".pkl", ".pickle", ".joblib", ".pt", ".pth")
_BAG_SPACE = 1 << 20  # bytes for what the bag and its README say
_TAR_SPACE = 2048  # bytes that a tar adds to each file, at most
_MAX_NAME = 100


class BundleError(ParityError):
    """A bundle that cannot be made; nothing of it is left behind. Each argument is a sentence of its own."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """A file of a bundle: its name there, its source, and the SHA-256 that it must have, if that is known."""

    name: str
    path: str
    sha256: str | None
    size: int
    about: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The contents of a bundle.

    Attributes
    ----------
    items : tuple of Item
        By name.
    missing : tuple of str
        Artifacts that would be welcome, and do not lie beside the log.
    """

    file: LogFile
    items: tuple[Item, ...]
    missing: tuple[str, ...]

    @property
    def title(self) -> str:
        """The name of the scenario."""
        return printable(str(self.file.log.metadata.scenario_id))

    @property
    def base(self) -> str:
        """Name of the folder at the top of a tar."""
        return f"d0parity-{re.sub('[^A-Za-z0-9._-]+', '-', self.title).strip('.-')[:_MAX_NAME] or 'bundle'}"

    @property
    def time(self) -> datetime.datetime:
        """When the log was made, which is the time of everything in the bundle."""
        try:
            time = datetime.datetime.fromisoformat(str(self.file.log.metadata.timestamp))
            return time.astimezone(datetime.UTC) if time.tzinfo else time.replace(tzinfo=datetime.UTC)
        except (ValueError, OverflowError):
            return datetime.datetime.fromtimestamp(0, datetime.UTC)

    @property
    def data(self) -> tuple[Item, ...]:
        """The datasets and the attachments: what is large, and copied once."""
        return tuple(item for item in self.items if item.name.startswith((DATASETS, ATTACHMENTS)))

    @property
    def documents(self) -> tuple[Item, ...]:
        """Everything else."""
        return tuple(item for item in self.items if not item.name.startswith((DATASETS, ATTACHMENTS)))

    @property
    def size(self) -> int:
        """Bytes of all items."""
        return sum(item.size for item in self.items)

    @property
    def space(self) -> int:
        """Bytes of free space that it takes to make the bundle; documents are there twice while a tar is made."""
        return self.size + sum(item.size for item in self.documents) + _TAR_SPACE * len(self.items) + _BAG_SPACE


def plan_bundle(
    file: LogFile, root: str, params: str | None, reference: str | None, attachments: Mapping[str, str]
) -> Plan:
    """Find the files that a log tells of.

    Parameters
    ----------
    file : LogFile
        Its path is where it lies.
    root : str
        FolderTree of the datasets.
    params, reference : str or None
        The params file and the reference; None where the log was made without.
    attachments : mapping of str to str
        The path of each attachment, by its name.

    Raises
    ------
    BundleError
        If something is not there, or is not what the log says at a glance; it tells of all such things at once.
    LogError
        If it is no evidence log.
    """
    found = _Contents()
    found.add(ExpectedFile(name=LOG_FILE, hashes={"": file.sha256}), file.path, "the evidence log")
    folder = os.path.dirname(file.path)
    missing = [name for name in BESIDE if not os.path.lexists(os.path.join(folder, name))]
    abouts = {
        DIGEST: "its digest for people",
        PAGE: "its page",
        PICTURES: "the pictures on the page",
        PROBE_TABLE: "the statistics of the probes, as a table",
        STAGE_TABLE: "the statistics of the patterns, as a table",
        SUMS: "for `sha256sum -c ../SHA256SUMS`, run in `datasets`",
        ATTESTATION: "its signed attestation",
    }
    for name in abouts:
        path = os.path.join(folder, name)
        if os.path.lexists(path):
            if not _is_made_of(file, path):
                found.problems.append(f"{printable(path)} is not of this log; make it again, or remove it")
            found.add(ExpectedFile(name=PAYLOAD + name), path, abouts[name])
    expected_files = expected_datasets(file, DATASETS)
    if not expected_files:
        found.problems.append(f"log {printable(file.path)} tells of no dataset, so that there is nothing to hand over")
    for expected in expected_files:
        name = expected.name.removeprefix(DATASETS)
        refusal = expected.refusal or _why_not_portable(name)
        if refusal:
            found.problems.append(f"{printable(name)}: {refusal}")
        else:
            found.add(expected, os.path.join(root, text_as_name(name)), "a dataset")
    roles = {each.name: each.role for each in file.log.attachments}
    for expected in expected_attachments(file, ATTACHMENTS):
        name = expected.name.removeprefix(ATTACHMENTS)
        if refusal := expected.refusal or _why_not_portable(name):
            found.problems.append(f"{printable(name)}: {refusal}")
        else:
            found.add(expected, attachments[name], _about_attachment(name, roles[name]))
    found.problems += _same_names(item.name for item in found.items)
    if params is not None:
        for expected in expected_params(file, PARAMS_FILE):
            found.add(expected, params, "the params of the baseline run; a pickle: do not load it")
    if reference is not None:
        for expected in expected_reference(file, REFERENCE_FILE):
            found.add(expected, reference, "the log that this one was compared with")
    if found.problems:
        raise BundleError(*found.problems)
    return Plan(file=file, items=tuple(sorted(found.items, key=lambda item: item.name)), missing=tuple(missing))


def _about_attachment(name: str, role: object) -> str:
    about = f"a file of the baseline run{f': {printable(role)}' if isinstance(role, str) and role else ''}"
    return f"{about}; it may be a pickle: do not load it" if name.lower().endswith(_PICKLES) else about


class _Contents:
    """The files that were found, and what is wrong with others."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.problems: list[str] = []

    def add(self, expected: ExpectedFile, path: str, about: str) -> None:
        sha256 = next(iter(expected.hashes.values()), None)
        try:
            with open_regular(path) as file:
                size = os.fstat(file.fileno()).st_size
        except OSError as error:
            self.problems.append(f"{printable(path)} cannot be bundled: {describe_os_error(error)}")
            return
        if expected.size_bytes not in (None, size):
            self.problems.append(
                f"{printable(path)} is not the file of the log: it is {size:,} bytes long, and the log says "
                f"{expected.size_bytes:,}"
            )
        self.items.append(Item(name=expected.name, path=path, sha256=sha256, size=size, about=about))


def _is_made_of(file: LogFile, path: str) -> bool:
    """Whether a file beside a log was made of this log."""
    if os.path.basename(path) != ATTESTATION:
        return is_of_log(path, file)
    try:
        return not why_not_about(ByteRange(path).read(), file)
    except (OSError, ValueError):
        return True  # copying it will fail, and say why


def _why_not_portable(name: str) -> str:
    """Return why a name cannot be written in a manifest that every tool reads; empty if it can."""
    plain = name.isprintable() and name == name.strip() and not any(mark in name for mark in "\\%")
    return "" if plain else "no manifest can name it so that every tool understands it; rename it, and record again"


def _same_names(names: Iterable[str]) -> Iterator[str]:
    """Yield a sentence for each two names that some file systems, or bagit, take for the same."""
    known: dict[str, str] = {}
    for name in names:
        other = known.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other != name:
            yield f"{printable(name)} and {printable(other)} are the same name to many a system; rename one of them"
