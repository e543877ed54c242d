"""Bundles that were handed over: BagIt bags (RFC 8493) of a log and its files, read without trusting them."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..evidence.artifacts import ATTESTATION, DIGEST, LOG, PAGE, PICTURES, PROBE_TABLE, STAGE_TABLE, SUMS
from ..evidence.expected_files import (
    ExpectedFile,
    expected_attachments,
    expected_datasets,
    expected_params,
    expected_reference,
)
from ..evidence.file import LogError, LogFile, parse_log
from ..evidence.siblings import are_sums_of
from ..util.files import describe_os_error, open_regular
from ..util.text import printable
from .files.file_tree import FileTree, FolderTree, RefusedError, TreeError
from .files.litter import is_litter

PAYLOAD = "data/"
BAGIT = "bagit.txt"
BAG_INFO = "bag-info.txt"
MANIFEST = "manifest-sha256.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"
README = "README.md"
TAG_FILES = (README, BAGIT, BAG_INFO, MANIFEST)  # which the tag manifest lists
DATASETS = f"{PAYLOAD}datasets/"
LOG_FILE = f"{PAYLOAD}{LOG}"
PAGE_FILE = f"{PAYLOAD}{PAGE}"
DIGEST_FILE = f"{PAYLOAD}{DIGEST}"
PARAMS_FILE = f"{PAYLOAD}params.dill"
REFERENCE_FILE = f"{PAYLOAD}reference.json"
ATTACHMENTS = f"{PAYLOAD}attachments/"
ATTESTATION_FILE = f"{PAYLOAD}{ATTESTATION}"
SUMS_FILE = f"{PAYLOAD}{SUMS}"
BESIDE = (DIGEST, PAGE, PICTURES, PROBE_TABLE, STAGE_TABLE, SUMS)  # what is made of a log, and comes along
OWN_FILES = frozenset({LOG_FILE, ATTESTATION_FILE, *(PAYLOAD + name for name in BESIDE), *TAG_FILES})  # of any bundle

_LINE = re.compile(r"([0-9A-Fa-f]{64})[ \t]+\*?(.+)")
_DECLARATION = re.compile(rb"BagIt-Version: (0\.9[0-9]|1\.0)\r?\nTag-File-Character-Encoding: UTF-8(\r?\n)?")
_OXUM = re.compile(rb"^Payload-Oxum: *([0-9]{1,19})\.([0-9]{1,19})\s*$", re.MULTILINE)
_ESCAPES = {"%0D": "\r", "%0A": "\n", "%25": "%"}
_COMPRESSED = (b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
GZIP = b"\x1f\x8b"
ENDINGS = (".tar.gz", ".tgz")
_MAGIC = slice(257, 262)  # where a tar says what it is


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A bundle that was read.

    Attributes
    ----------
    path : str
        As given.
    tree : FileTree
        The files in it.
    expected_files : tuple of ExpectedFile
        What its manifests and its log say of them.
    file : LogFile or None
        None where it cannot be read, which is among the problems.
    attestation : bytes or None
        The one that came along.
    problems : tuple of str
        What keeps the whole from being checked, in words.
    contradictions : tuple of str
        What in it cannot be true, in words.
    """

    path: str
    tree: FileTree
    expected_files: tuple[ExpectedFile, ...]
    file: LogFile | None
    attestation: bytes | None
    problems: tuple[str, ...]
    contradictions: tuple[str, ...]

    def is_expected(self, name: str) -> bool:
        """Whether a file that is in no manifest is too many."""
        return name != TAG_MANIFEST  # it lists the others


def is_bundle(path: str) -> bool:
    """Whether a path leads to a folder or a tar, compressed or not, and not to a log.

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
        return _is_called_tar(path)  # reading it will fail, and say why
    if start.startswith(b"PK\x03\x04") and path.lower().endswith(".npz"):
        raise TreeError(f"{printable(path)} is a dataset: give the log, and this file's folder by --dataset-root")
    if start.startswith(_COMPRESSED) or start.startswith(b"PK\x03\x04"):
        raise TreeError(
            f"{printable(path)} is packed in another way; a bundle is a folder, a .tar or a .tar.gz: unpack it first"
        )
    return start.startswith(GZIP) or start[_MAGIC] == b"ustar" or _is_called_tar(path)


def _is_called_tar(path: str) -> bool:
    return path.lower().endswith((".tar", *ENDINGS))


def bag_around(path: str) -> str | None:
    """Return the bag in whose payload a log lies; None if it lies in none."""
    data = os.path.dirname(os.path.abspath(path))
    bag = os.path.dirname(data)
    inside = os.path.basename(data) == PAYLOAD.rstrip("/") and os.path.basename(path) == LOG
    return os.path.relpath(bag) if inside and os.path.isfile(os.path.join(bag, BAGIT)) else None


def read_bundle(path: str, stack: contextlib.ExitStack, *, whole: bool) -> Bundle:
    """Read the manifests and the log of a bundle.

    Parameters
    ----------
    path : str
        A folder, a tar, or a compressed one.
    stack : contextlib.ExitStack
        For as long as it is open, the files of a compressed tar are there.
    whole : bool
        Whether all of it should be there.

    Returns
    -------
    Bundle
        Whatever can be read of it; nothing is written, and nothing outside of it is touched.

    Raises
    ------
    TreeError
        If it is no bundle at all.
    """
    tree = _open_tree(path, stack)
    if not {MANIFEST, TAG_MANIFEST, BAGIT}.intersection(tree.names):
        meant = os.path.join(path, LOG)
        hint = f"; is it {printable(meant)} that you mean?" if os.path.exists(meant) else ""
        hint = f"; {tree.damage}" if tree.damage else hint
        raise TreeError(f"{printable(path)} is no bundle: there is no bagit.txt in it, and no {MANIFEST}{hint}")
    problems: list[str] = []
    expected_files: dict[str, ExpectedFile] = {}
    for manifest in (MANIFEST, TAG_MANIFEST):
        if manifest not in tree.names:
            continue
        try:
            for expected in _read_manifest(manifest, _read(tree, manifest)):
                if expected.name in expected_files:
                    problems.append(f"the manifests list {printable(expected.name)} twice")
                expected_files[expected.name] = expected
        except (TreeError, ValueError) as error:
            problems.append(str(error))
    for name in (BAGIT, MANIFEST, TAG_MANIFEST):  # a bag without them is none, whatever the manifests list
        if name != TAG_MANIFEST or name not in tree.names:
            expected_files.setdefault(name, ExpectedFile(name=name))
    problems += _misdeclared(tree)
    contradictions = [*_miscounted(tree)] if whole else []
    file = None
    try:
        file = parse_log(_read(tree, LOG_FILE), f"{path}/{LOG_FILE}")
        of_log = [*_files_of_log(file)]
        told = OWN_FILES.union(each.name for each in of_log)
        # Anybody can write a manifest: what it lists and the log does not tell of is too many.
        for name in expected_files.keys() - told:
            if name.startswith(PAYLOAD) and name in tree.names:
                del expected_files[name]
        for expected in of_log:
            known = expected_files.get(expected.name, ExpectedFile(name=expected.name))
            if expected.name in tree.names and MANIFEST not in known.hashes:
                problems.append(f"{MANIFEST} does not list {printable(expected.name)}")
            hashes = {**expected.hashes, **known.hashes}
            expected_files[expected.name] = replace(expected, hashes=hashes, refusal=known.refusal or expected.refusal)
    except (TreeError, LogError) as error:
        file = None
        problems.append(str(error))
    attestation = None
    if ATTESTATION_FILE in tree.names:
        try:
            attestation = _read(tree, ATTESTATION_FILE)
        except TreeError as error:
            problems.append(str(error))
    if file is not None and _has_other_sums(tree, file):
        contradictions.append(f"{SUMS_FILE} tells of other files than the log")
    return Bundle(
        path=path,
        tree=tree,
        expected_files=tuple(expected_files.values()),
        file=file,
        attestation=attestation,
        problems=tuple(problems),
        contradictions=tuple(contradictions),
    )


def _open_tree(path: str, stack: contextlib.ExitStack) -> FileTree:
    if os.path.isdir(path):
        return FolderTree(path, deep=True)
    from .files.gzip_tree import opened_gzip
    from .files.tar_tree import TarTree

    with contextlib.suppress(OSError), open_regular(path) as file:
        if file.read(len(GZIP)) == GZIP:
            return stack.enter_context(opened_gzip(path))
    return TarTree(path)


def _read(tree: FileTree, name: str) -> bytes:
    where = f"{printable(tree.shown_as)}: {name}"
    if name not in tree.names:
        raise TreeError(f"{where} is missing")
    try:
        return tree.byte_range(name).read()
    except RefusedError as error:
        raise TreeError(f"{where} is not read: {error}") from None
    except OSError as error:
        raise TreeError(f"{where} cannot be read: {describe_os_error(error)}") from None


def _has_other_sums(tree: FileTree, file: LogFile) -> bool:
    """Whether the list of SHA-256 that came along is not that of the log; one that cannot be read is told otherwise."""
    with contextlib.suppress(TreeError):
        return not are_sums_of(_read(tree, SUMS_FILE), file)
    return False


def _misdeclared(tree: FileTree) -> Iterator[str]:
    """Say so where a bag does not declare itself as the standard wants; a file that is missing is found otherwise."""
    with contextlib.suppress(TreeError):
        if not _DECLARATION.fullmatch(_read(tree, BAGIT)):
            yield f"{BAGIT} is not that of a bag in UTF-8"


def _miscounted(tree: FileTree) -> Iterator[str]:
    """Say so where a bag holds another number of files or bytes than it says; nothing where some cannot be read."""
    with contextlib.suppress(TreeError, RefusedError):
        oxum = _OXUM.search(_read(tree, BAG_INFO))
        payload = [name for name in tree.names if name.startswith(PAYLOAD) and not is_litter(name)]
        sizes = [tree.byte_range(name).length for name in payload]
        if oxum and not tree.damage and (int(oxum[1]), int(oxum[2])) != (sum(sizes), len(sizes)):
            there = f"{len(sizes)} files of {sum(sizes):,} bytes"
            yield f"{BAG_INFO} tells of {int(oxum[2])} files of {int(oxum[1]):,} bytes, and there are {there}"


def _read_manifest(manifest: str, data: bytes) -> Iterator[ExpectedFile]:
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
        sha256 = match[1].lower()  # RFC 8493 allows capitals
        path = re.sub("%0[DA]|%25", lambda escape: _ESCAPES[escape[0].upper()], match[2], flags=re.I)
        parts = path.split("/")
        refusal = ""
        if path.startswith("~") or "\\" in path or "\0" in path or {"", ".", ".."}.intersection(parts):
            refusal = "its path leaves the bundle, or is not written plainly"
        elif path.startswith(PAYLOAD) != (manifest == MANIFEST):
            refusal = f"it does not belong into {manifest}"
        yield ExpectedFile(name=path, hashes={manifest: sha256}, refusal=refusal)


def _files_of_log(file: LogFile) -> Iterator[ExpectedFile]:
    """Yield the files of a bundle that its log tells of."""
    yield from expected_datasets(file, DATASETS)
    yield from expected_params(file, PARAMS_FILE)
    yield from expected_attachments(file, ATTACHMENTS)
    yield from expected_reference(file, REFERENCE_FILE)
