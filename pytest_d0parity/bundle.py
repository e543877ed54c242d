"""A bundle as it was handed over: a BagIt bag (RFC 8493) of a log and all that it tells of, read without trust."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from .artifacts import ATTESTATION, LOG
from .claims import Claim, claims_of_log, claims_of_params, claims_of_reference, is_sha256
from .files import describe_os_error, open_regular
from .logfile import LogError, LogFile, parse_log
from .text import printable
from .tree import Folder, RefusedError, Tree, TreeError

__all__ = [
    "ATTESTATION_FILE",
    "DATASETS",
    "LOG_FILE",
    "MANIFEST",
    "PARAMS_FILE",
    "PAYLOAD",
    "REFERENCE_FILE",
    "TAG_MANIFEST",
    "Bundle",
    "is_bundle",
    "read_bundle",
]

PAYLOAD = "data/"
MANIFEST = "manifest-sha256.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"
DATASETS = f"{PAYLOAD}datasets/"
LOG_FILE = f"{PAYLOAD}{LOG}"
PARAMS_FILE = f"{PAYLOAD}params.dill"
REFERENCE_FILE = f"{PAYLOAD}reference.json"
ATTESTATION_FILE = f"{PAYLOAD}{ATTESTATION}"

_LIMIT = 1 << 29  # bytes of a log or a manifest
_LINE = re.compile(r"([0-9A-Fa-f]{64})[ \t]+\*?(.+)")
_ESCAPES = {"%0D": "\r", "%0A": "\n", "%25": "%"}
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
_MAGIC = slice(257, 262)  # where a tar says what it is


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A bundle.

    Attributes
    ----------
    path : str
        As given.
    tree : Tree
        The files in it.
    claims : tuple of Claim
        What its manifests and its log say of them.
    log : LogFile or None
        None where it cannot be read, which is among the problems.
    attestation : bytes or None
        The one that came along.
    problems : tuple of str
        What is wrong with it as a whole, in words.
    """

    path: str
    tree: Tree
    claims: tuple[Claim, ...]
    log: LogFile | None
    attestation: bytes | None
    problems: tuple[str, ...]

    def belongs(self, name: str) -> bool:
        """Whether a file that nobody speaks of is one too many."""
        return name != TAG_MANIFEST  # it lists the others


def is_bundle(path: str) -> bool:
    """Whether a path is that of a folder or of a tar, and not of a log.

    Raises
    ------
    TreeError
        If it is an archive of another kind.
    """
    if os.path.isdir(path):
        return True
    try:
        with open_regular(path) as file:
            start = file.read(_MAGIC.stop) or b""
    except OSError:
        return False  # which is told to whoever reads it
    if start.startswith(_COMPRESSED) or start.startswith(b"PK\x03\x04"):
        raise TreeError(f"{printable(path)} is compressed; a bundle is a folder or a plain .tar: unpack it first")
    return start[_MAGIC] == b"ustar" or path.endswith(".tar")


def read_bundle(path: str) -> Bundle:
    """Read what a bundle says of itself.

    Parameters
    ----------
    path : str
        A folder, or a tar.

    Returns
    -------
    Bundle
        Whatever can be read of it; nothing is written, and nothing outside of it is touched.

    Raises
    ------
    TreeError
        If it is no bundle at all.
    """
    tree = _tree(path)
    if not {MANIFEST, TAG_MANIFEST, "bagit.txt"}.intersection(tree.names):
        hint = f"; is it {printable(os.path.join(path, LOG))} that you mean?" if LOG in tree.names else ""
        raise TreeError(f"{printable(path)} is no bundle: there is no bagit.txt in it, and no {MANIFEST}{hint}")
    problems: list[str] = []
    claims: dict[str, Claim] = {}
    for manifest in (MANIFEST, TAG_MANIFEST):
        if manifest not in tree.names:
            claims.setdefault(manifest, Claim(name=manifest))
            continue
        try:
            for claim in _listed(manifest, _read(tree, manifest)):
                if claim.name in claims:
                    problems.append(f"{manifest} lists {printable(claim.name)} twice")
                claims[claim.name] = claim
        except (TreeError, ValueError) as error:
            problems.append(str(error))
    log = None
    try:
        log = parse_log(_read(tree, LOG_FILE), f"{path}/{LOG_FILE}")
        for claim in _of_log(log):
            known = claims.get(claim.name, Claim(name=claim.name))
            hashes = {**claim.hashes, **known.hashes}
            claims[claim.name] = replace(claim, hashes=hashes, trouble=known.trouble or claim.trouble)
    except (TreeError, LogError) as error:
        log = None
        problems.append(str(error))
    attestation = None
    if ATTESTATION_FILE in tree.names:
        try:
            attestation = _read(tree, ATTESTATION_FILE)
        except TreeError as error:
            problems.append(str(error))
    return Bundle(
        path=path,
        tree=tree,
        claims=tuple(claims.values()),
        log=log,
        attestation=attestation,
        problems=tuple(problems),
    )


def _tree(path: str) -> Tree:
    if os.path.isdir(path):
        return Folder(path, deep=True)
    from .tar import Tar

    return Tar(path)


def _read(tree: Tree, name: str) -> bytes:
    where = f"{printable(tree.called)}: {name}"
    if name not in tree.names:
        raise TreeError(f"{where} is missing")
    try:
        return tree.span(name).read(_LIMIT)
    except RefusedError as error:
        raise TreeError(f"{where} is not read: {error}") from None
    except OSError as error:
        raise TreeError(f"{where} cannot be read: {describe_os_error(error)}") from None


def _listed(manifest: str, data: bytes) -> Iterator[Claim]:
    """Read the lines of a manifest."""
    try:
        lines = re.split("\r\n|\r|\n", data.decode())
    except UnicodeDecodeError:
        raise ValueError(f"{manifest} is not UTF-8 text") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"{manifest}, line {number}, is not a SHA-256 and a path")
        sha256, path = match[1], re.sub("%0[DA]|%25", lambda escape: _ESCAPES[escape[0].upper()], match[2], flags=re.I)
        parts = path.split("/")
        trouble = "" if is_sha256(sha256) else f"{manifest} spells its SHA-256 in capitals"
        if path.startswith("~") or "\\" in path or "\0" in path or {"", ".", ".."}.intersection(parts):
            trouble = "its path leaves the bundle, or is not written plainly"
        elif path.startswith(PAYLOAD) != (manifest == MANIFEST):
            trouble = f"it does not belong into {manifest}"
        yield Claim(name=path, hashes={manifest: sha256}, trouble=trouble)


def _of_log(log: LogFile) -> Iterator[Claim]:
    """Say what a log claims of a bundle."""
    yield from claims_of_log(log, DATASETS)
    yield from claims_of_params(log, PARAMS_FILE)
    yield from claims_of_reference(log, REFERENCE_FILE)
