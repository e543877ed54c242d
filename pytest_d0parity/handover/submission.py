"""What was handed over to be verified: a log with a folder of files, or a bundle."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..evidence.artifacts import ATTESTATION
from ..evidence.expected_files import (
    ExpectedFile,
    attachment_of_log,
    expected_attachments,
    expected_datasets,
    expected_params,
    params_of_log,
    root_of_log,
)
from ..evidence.file import LogError, LogFile, read_log
from ..scenario.layout import DEFAULT_LAYOUT, Layout
from ..scenario.sweep import find_sweep
from ..util.errors import ParityError, UsageError
from ..util.extras import missing_extra
from ..util.files import describe_os_error
from ..util.text import counted, listed, printable, text_as_name, valid_utf8
from .bundle_reader import ATTESTATION_FILE, DATASETS, Bundle, is_bundle, read_bundle
from .files.file_tree import ByteRange, FileTree, FolderTree, RefusedError, TreeError

if TYPE_CHECKING:
    from securesystemslib.signer import SSlibKey

    from ..attest.attestation import Attested


_UNCHECKED_ATTESTATION = (
    "the signature in the bundle: name the key that should have made it, by --public-key, and no other attestation"
)
_ATTACHED = "attachments/"  # how the attachments of a log are called beside its datasets
_MOST = 5


class OptionError(UsageError, ValueError):
    """Options that exclude each other, or need another one."""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """The log, what it and the manifests say of files, and the files themselves."""

    file: LogFile | None
    expected_files: Sequence[ExpectedFile]
    tree: FileTree
    checked: str
    is_expected: Callable[[str], bool]
    problems: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    not_looked_at: tuple[str, ...] = ()
    attestation: bytes | None = None  # one that came along
    is_bundle: bool = False
    has_unchecked_signature: bool = False


@contextlib.contextmanager
def open_submission(
    path: str,
    output: str | None,
    *,
    dataset_root: str | None,
    baseline_params: str | None,
    attachments: Sequence[str],
    limit_datasets: Collection[str] | None,
    has_key: bool,
) -> Iterator[Submission]:
    """Open a log or a bundle that is to be verified.

    Parameters
    ----------
    path : str
        Of the log, or of the bundle.
    output : str or None
        The folder for the receipt, which must not lie in the bundle; None without a receipt.
    dataset_root, baseline_params : str or None
        Where the files of a log are; by default the folder that the log names, and no params.
    attachments : sequence of str
        Where the attachments of a log are; by default where the log says, if they are there.
    limit_datasets : collection of str or None
        The datasets that were handed over, where these are not all.
    has_key : bool
        Whether the attestation of a bundle will be checked.

    Raises
    ------
    LogError, TreeError
        If the log, the folder or the bundle cannot be read.
    OptionError
    """
    if not is_bundle(path):
        yield _limited(_of_log(path, dataset_root, baseline_params, attachments), "", limit_datasets)
        return
    if dataset_root is not None or baseline_params is not None or attachments:
        raise OptionError("a bundle brings its files along: leave --dataset-root, --baseline-params and --attach out")
    with contextlib.ExitStack() as stack:
        submission = _of_bundle(path, output, stack, has_key=has_key, whole=limit_datasets is None)
        yield _limited(submission, DATASETS, limit_datasets)


def _limited(submission: Submission, folder: str, names: Collection[str] | None) -> Submission:
    """Leave out the datasets that were not handed over.

    Raises
    ------
    OptionError
        If the log tells of no such dataset.
    """
    if names is None:
        return submission
    datasets = {each.name for each in submission.expected_files if each.kind == "dataset"}
    asked = {f"{folder}{valid_utf8(name)}" for name in names}
    if unknown := sorted(asked - datasets):
        there = listed(sorted(name.removeprefix(folder) for name in datasets), 2 * _MOST)
        raise OptionError(
            f"--limit-datasets: the log tells of no {listed([each.removeprefix(folder) for each in unknown], _MOST)}; "
            f"it tells of {there}"
        )
    left = [name.removeprefix(folder) for name in sorted(datasets - asked)]
    note = (f"{counted(len(left), 'dataset')} left out by --limit-datasets: {listed(left, _MOST)}",) if left else ()
    return replace(
        submission,
        expected_files=[each for each in submission.expected_files if each.name not in datasets - asked],
        is_expected=lambda name: submission.is_expected(name) and name not in datasets,
        not_looked_at=submission.not_looked_at + note,
    )


def _of_log(path: str, dataset_root: str | None, baseline_params: str | None, attachments: Sequence[str]) -> Submission:
    file = read_log(path)
    expected_files = expected_datasets(file)
    root = _root(file, dataset_root, expected_files)
    extra_files: dict[str, str] = {}
    not_looked_at: tuple[str, ...] = ()
    if baseline_params is not None and params_of_log(file, baseline_params):
        name = valid_utf8(baseline_params)
        if any(expected.name == name for expected in expected_files):
            name = f"./{name}"
        expected_files += expected_params(file, name)
        extra_files = {name: baseline_params}
    elif expected_params(file, ""):
        not_looked_at = ("the params of the baseline run; name them by --baseline-params",)
    paths = _attachments_of_log(file, attachments)
    if left := [each.name for each in file.log.attachments if each.name not in paths]:
        not_looked_at += (f"{counted(len(left), 'attachment')}: {listed(left, _MOST)}; name them by --attach FILE",)
    extra_files |= {f"{_ATTACHED}{name}": place for name, place in paths.items()}
    expected_files += [each for each in expected_attachments(file, _ATTACHED) if each.name in extra_files]
    try:
        is_deep = any("/" in expected.name for expected in expected_files if expected.kind == "dataset")
        tree = FolderTree(root, deep=is_deep, extra_files=extra_files)
    except TreeError as error:
        hint = "" if dataset_root else "; the log names this folder, and --dataset-root names another"
        raise TreeError(f"{error}{hint}") from None
    datasets = [each.name for each in expected_files if each.kind == "dataset"]
    return Submission(
        file=file,
        expected_files=expected_files,
        tree=tree,
        checked=root,
        problems=_elsewhere(root, datasets, tree),
        is_expected=_datasets_below(file, root).__contains__,
        not_looked_at=not_looked_at,
    )


def _root(file: LogFile, dataset_root: str | None, datasets: Sequence[ExpectedFile]) -> str:
    """Return the folder of the datasets: the one that is named, the log's own if they lie there, or the log's word.

    Raises
    ------
    LogError
        If the one in the log may not be followed.
    """
    beside = os.path.dirname(file.path) or "."
    names = [text_as_name(each.name) for each in datasets if not each.refusal]
    if dataset_root is None and any(os.path.isfile(os.path.join(beside, name)) for name in names):
        return beside
    return root_of_log(file, dataset_root)


def _elsewhere(root: str, datasets: Sequence[str], tree: FileTree) -> tuple[str, ...]:
    """Say so where no dataset is in a folder, and where they are, if they lie in one below."""
    if not datasets or {*map(valid_utf8, tree.names)}.intersection(datasets):
        return ()
    below = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    found = [name for name in below if os.path.isfile(os.path.join(root, name, text_as_name(datasets[0])))]
    places = [printable(os.path.join(root, name)) for name in found]
    hint = f": they are in {listed(places, _MOST)}" if places else ""
    return (f"none of the datasets is in {printable(root)}; name their folder by --dataset-root{hint}",)


def _attachments_of_log(file: LogFile, given: Sequence[str]) -> dict[str, str]:
    """Return the paths of the attachments that are looked at: those that the user names, and those that are there.

    Raises
    ------
    OptionError
        If the log tells of none that the user names.
    """
    paths = {}
    for attachment in file.log.attachments:
        with contextlib.suppress(LogError):
            path = attachment_of_log(file, attachment.name, given)
            if path in given or os.path.lexists(path):
                paths[attachment.name] = path
    if unknown := [path for path in given if path not in paths.values()]:
        there = listed([each.name for each in file.log.attachments], _MOST) or "none"
        raise OptionError(f"--attach: the log tells of no attachment {listed(unknown, _MOST)}; it tells of {there}")
    return paths


def _datasets_below(file: LogFile, root: str) -> set[str]:
    """Return the names of all files below a folder that belong to the sweep, as the log says how it is kept."""
    layout = file.log.metadata.layout
    try:
        return {*find_sweep(root, layout if isinstance(layout, Layout) else DEFAULT_LAYOUT).claims}
    except ParityError:
        return set()


def _of_bundle(path: str, output: str | None, stack: contextlib.ExitStack, *, has_key: bool, whole: bool) -> Submission:
    bundle = read_bundle(path, stack, whole=whole)
    inside = os.path.realpath(path)
    if output is not None and os.path.commonpath([inside, os.path.realpath(output)]) == inside:
        raise OptionError(
            f"the receipt would become a part of the bundle; name another --output than {printable(output)}"
        )
    return Submission(
        file=bundle.file,
        expected_files=bundle.expected_files,
        tree=bundle.tree,
        checked=path,
        is_expected=bundle.is_expected,
        problems=bundle.problems,
        contradictions=bundle.contradictions + (() if has_key else _of_another_log(bundle)),
        attestation=bundle.attestation,
        is_bundle=True,
        not_looked_at=() if bundle.attestation is None or has_key else (_UNCHECKED_ATTESTATION,),
        has_unchecked_signature=bundle.attestation is not None and (not has_key or bundle.file is None),
    )


def _of_another_log(bundle: Bundle) -> tuple[str, ...]:
    """Say so where the attestation in a bundle is not about its log; whoever checks it by a key says so as well."""
    if bundle.attestation is None or bundle.file is None:
        return ()
    from ..attest.attestation import why_not_about

    fault = why_not_about(bundle.attestation, bundle.file)
    return (f"{ATTESTATION_FILE} {fault}",) if fault else ()


def read_public_key(path: str) -> SSlibKey:
    """Read a public key.

    Raises
    ------
    LogError
        If what it takes to verify a signature is not installed.
    KeyFileError
        If the key cannot be used.
    """
    if missing := missing_extra("securesystemslib", "attest"):
        raise LogError(f"to verify a signature, {missing}")
    from ..attest.signature import load_public_key

    return load_public_key(path)


def check_submitted_attestation(
    submission: Submission, attestation: str | None, public_key: str | None
) -> Attested | None:
    """Check the attestation that is named, or, with a key alone, the one in the bundle.

    Parameters
    ----------
    submission : Submission
        With the log that it is about.
    attestation, public_key : str or None
        Paths.

    Raises
    ------
    OptionError
        If a key is missing, or there is nothing that it could have signed beside a log.
    LogError
        If the attestation cannot be read, or what it takes to verify a signature is not installed.
    KeyFileError
        If the key cannot be used.
    """
    if attestation is None and public_key is None:
        return None
    from ..attest.attestation import check_attestation, is_signed, missing_attestation

    if attestation is None and not submission.is_bundle and submission.file is not None:
        beside = os.path.join(os.path.dirname(submission.file.path), ATTESTATION)
        if not os.path.lexists(beside):
            raise OptionError(
                f"there is no {printable(beside)} that --public-key could check; name it by --attestation"
            )
        attestation = beside
    data = submission.attestation if attestation is None else _read(attestation)
    key = None
    if public_key is not None:
        key = read_public_key(public_key)
    elif data is not None and is_signed(data):
        raise OptionError("the attestation is signed: name the key that should have signed it, by --public-key")
    if data is None:
        return missing_attestation(ATTESTATION_FILE)
    if submission.file is None:
        return None  # it is about a log that cannot be read, which is told
    return check_attestation(data, attestation or ATTESTATION_FILE, submission.file, key)


def _read(path: str) -> bytes:
    try:
        return ByteRange(path).read()
    except OSError as error:
        raise LogError(f"attestation {printable(path)} cannot be read: {describe_os_error(error)}") from None
    except RefusedError as error:
        raise LogError(f"attestation {printable(path)} cannot be read: {error}") from None
