"""What was handed over to be verified: found out from the options of ``d0parity verify``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..evidence.expected_files import ExpectedFile, expected_datasets, expected_params, params_of_log, root_of_log
from ..evidence.file import LogError, LogFile, read_log
from ..scenario.sweep import is_dataset
from ..util.errors import UsageError
from ..util.extras import missing_extra
from ..util.files import describe_os_error
from ..util.text import printable, valid_utf8
from .bundle_reader import ATTESTATION_FILE, is_bundle, read_bundle
from .file_tree import ByteRange, FileTree, FolderTree, RefusedError, TreeError

if TYPE_CHECKING:
    from ..attest.attestation import Attested


_UNASKED = "the attestation in the bundle; name the key that should have signed it, by --public-key"


class OptionError(UsageError, ValueError):
    """Options that do not go together."""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What was handed over: the log, where it can be read; what is said of the files; and the files."""

    file: LogFile | None
    expected_files: Sequence[ExpectedFile]
    tree: FileTree
    checked: str
    belongs: Callable[[str], bool]
    problems: tuple[str, ...] = ()
    not_looked_at: tuple[str, ...] = ()
    attestation: bytes | None = None  # one that came along


def submission_of(options: argparse.Namespace, output: str) -> Submission:
    """Find out what is to be checked.

    Raises
    ------
    LogError, TreeError
        If the log, the folder or the bundle cannot be read.
    OptionError
    """
    return _of_bundle(options, output) if is_bundle(options.log) else _of_log(options)


def _of_log(options: argparse.Namespace) -> Submission:
    file = read_log(options.log)
    expected_files = expected_datasets(file)
    root = root_of_log(file, options.dataset_root)
    besides: dict[str, str] = {}
    not_looked_at: tuple[str, ...] = ()
    if options.baseline_params is not None and params_of_log(file, options.baseline_params):
        name = valid_utf8(options.baseline_params)
        if any(expected.name == name for expected in expected_files):
            name = f"./{name}"
        expected_files += expected_params(file, name)
        besides = {name: options.baseline_params}
    elif expected_params(file, ""):
        not_looked_at = ("the params of the baseline run; name them by --baseline-params",)
    try:
        tree = FolderTree(root, besides=besides)
    except TreeError as error:
        hint = "" if options.dataset_root else "; the log names this folder, and --dataset-root names another"
        raise TreeError(f"{error}{hint}") from None
    return Submission(
        file=file,
        expected_files=expected_files,
        tree=tree,
        checked=root,
        belongs=is_dataset,
        not_looked_at=not_looked_at,
    )


def _of_bundle(options: argparse.Namespace, output: str) -> Submission:
    if options.dataset_root is not None or options.baseline_params is not None:
        raise OptionError(
            "a bundle brings its datasets and params along: leave --dataset-root and --baseline-params out"
        )
    bundle = read_bundle(options.log)
    inside = os.path.realpath(options.log)
    if os.path.commonpath([inside, os.path.realpath(output)]) == inside:
        raise OptionError(
            f"the receipt would become a part of the bundle; name another --output than {printable(output)}"
        )
    return Submission(
        file=bundle.file,
        expected_files=bundle.expected_files,
        tree=bundle.tree,
        checked=options.log,
        belongs=bundle.belongs,
        problems=bundle.problems,
        attestation=bundle.attestation,
        not_looked_at=() if bundle.attestation is None or options.public_key else (_UNASKED,),
    )


def attested_by(submission: Submission, options: argparse.Namespace) -> Attested | None:
    """Check an attestation: the one that is named, or, where a key is, the one that came along.

    Raises
    ------
    OptionError
        If a key is missing, or there is nothing that it could have signed.
    LogError
        If the attestation cannot be read, or what it takes to verify a signature is not installed.
    KeyFileError
        If the key cannot be used.
    """
    if options.attestation is None and options.public_key is None:
        return None
    from ..attest.attestation import check_attestation, is_signed
    from ..attest.signature import load_public_key

    data = submission.attestation if options.attestation is None else _read(options.attestation)
    if data is None:
        raise OptionError("there is nothing that --public-key could have signed; name it by --attestation")
    key = None
    if options.public_key is not None:
        if missing := missing_extra("securesystemslib", "attest"):
            raise LogError(f"to verify a signature, {missing}")
        key = load_public_key(options.public_key)
    elif is_signed(data):
        raise OptionError("the attestation is signed: name the key that should have signed it, by --public-key")
    return check_attestation(data, options.attestation or ATTESTATION_FILE, submission.file, key)


def _read(path: str) -> bytes:
    try:
        return ByteRange(path).read()
    except OSError as error:
        raise LogError(f"attestation {printable(path)} cannot be read: {describe_os_error(error)}") from None
    except RefusedError as error:
        raise LogError(f"attestation {printable(path)} cannot be read: {error}") from None
