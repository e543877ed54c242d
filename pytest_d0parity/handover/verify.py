"""The verification of files against a log, or against the manifests and the log of a bundle."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from ..evidence.expected_files import THE_LOG, ExpectedFile
from ..evidence.file import LogError
from ..util.files import LFS_ADVICE, describe_os_error
from ..util.progress import NO_LISTENER, Listener
from ..util.runtime import available_cores
from ..util.text import listed, more_than, name_as_text, printable
from .bundle_reader import OWN_FILES
from .files.file_tree import ByteRange, RefusedError, TreeError, names_by_spelling, unpacked
from .files.litter import is_litter
from .verification import CheckedFile, Outcome, Verification, VerificationInterrupted

if TYPE_CHECKING:
    from ..capture.executor import Executor
    from ..evidence.drift import Difference
    from .remeasure import RemeasuredFile, Remeasurement
    from .submission import Submission

# What measures is imported only where bytes differ or values are asked for, so that a verification starts fast.


FileResult = tuple[Outcome, str, tuple[str, ...]]  # with a remark, and the arrays that are not as in the log

_MAX_NAMES = 5
_MAX_UNKNOWN = 1 << 26  # bytes of a file that is hashed to find out whether it is one of which no size is known
_TOO_MANY = "the log does not tell of it"
_UNLISTED = "no manifest lists it"


def verify(
    submission: Submission,
    make_remeasurement: Callable[[], Remeasurement],
    *,
    executor: Executor | None = None,
    listener: Listener = NO_LISTENER,
) -> Verification:
    """Check the files that were handed over against what the log and manifests say of them.

    Parameters
    ----------
    submission : Submission
        The files that are there, and what is said of them.
    make_remeasurement : callable
        Makes the one who is asked where bytes differ.
    executor : Executor, optional
        Who measures every dataset anew; without one, bytes alone are compared.
    listener : Listener
        Told of progress.

    Raises
    ------
    LogError
        If a look at the values needs the log, and it is no evidence log.
    VerificationInterrupted
        On Ctrl-C.
    """
    verifier = _Verifier(submission, make_remeasurement, listener)
    try:
        verifier.find()
        if executor is not None:
            verifier.measure(executor)
        verifier.hash()
    except KeyboardInterrupt as interrupt:
        raise VerificationInterrupted(verifier.result()) from interrupt
    return verifier.result()


class _Verifier:
    """The state of a verification; each file gets its result as soon as its hash is known."""

    def __init__(
        self, submission: Submission, make_remeasurement: Callable[[], Remeasurement], listener: Listener
    ) -> None:
        self._submission = submission
        self._expected_files = {expected.name: expected for expected in submission.expected_files}
        self._tree = tree = submission.tree
        self._make_remeasurement = make_remeasurement
        self._listener = listener
        self._names = names_by_spelling(tree.names)
        self._byte_ranges: dict[str, ByteRange] = {}  # of the files without a result
        self._remeasured: dict[str, RemeasuredFile] = {}
        self._checked: dict[str, CheckedFile] = {}
        self._measured = False
        self._renamed: dict[str, str] = {}  # raw names of files that nobody speaks of, and whose bytes they have

    @cached_property
    def _remeasurement(self) -> Remeasurement:
        return self._make_remeasurement()

    def find(self) -> None:
        """Find the files; those that are missing or refused get their result."""
        for expected in self._expected_files.values():
            there = self._names.get(expected.name, [])
            if expected.refusal:
                self._set_result(expected, "not_checked", expected.refusal)
            elif not there and self._tree.damage:
                self._set_result(expected, "not_checked", "nothing of it is there, and it may lie behind the damage")
            elif not there:
                self._set_result(expected, "missing")
            elif len(there) > 1:
                remark = f"{len(there)} files are written like that, and nobody can say which one is meant"
                self._set_result(expected, "not_checked", remark)
            else:
                try:
                    self._byte_ranges[expected.name] = self._tree.byte_range(there[0])
                except RefusedError as error:
                    self._set_result(expected, "not_checked", str(error))

    def measure(self, executor: Executor) -> None:
        """Measure every dataset anew, and compare the params."""
        self._measured = True
        kinds = {name: self._expected_files[name].kind for name in self._byte_ranges}
        for name in [name for name, kind in kinds.items() if kind == "params"]:
            self._remeasured[name] = self._params(name)
        with unpacked({name: self._byte_ranges[name] for name, kind in kinds.items() if kind == "dataset"}) as paths:
            if not paths:
                return
            folder, _ = self._split(*next(iter(paths.items())))  # datasets of a log lie below one folder
            names = {self._split(name, path)[1]: name for name, path in paths.items()}
            sizes = {filename: self._byte_ranges[name].length for filename, name in names.items()}
            self._listener.planned(list(sizes.items()))
            for filename, remeasured in self._remeasurement.measure(folder, sizes, executor, self._listener.progress):
                name = names[filename]
                self._remeasured[name] = remeasured
                if remeasured.sha256 is None or remeasured.size_bytes is None:
                    self._set_result(self._expected_files[name], "not_checked", "; ".join(remeasured.errors))
                else:
                    self._check(name, remeasured.sha256, remeasured.size_bytes)

    def hash(self) -> None:
        """Hash all files without a result on all cores, the largest first."""
        sizes = {name: byte_range.length for name, byte_range in self._byte_ranges.items()}
        names = sorted(sizes, key=lambda name: -sizes[name])
        self._listener.planned([(name, sizes[name]) for name in names])
        stop = threading.Event()

        def hash_file(name: str) -> tuple[str, int]:
            def progress(share: float) -> None:
                if stop.is_set():
                    raise OSError("stopped")
                self._listener.progress(name, share)

            return self._byte_ranges[name].sha256(progress)

        with ThreadPoolExecutor(available_cores()) as pool:
            try:
                running = {pool.submit(hash_file, name): name for name in names}
                for done in as_completed(running):
                    try:
                        self._check(running[done], *done.result())
                    except OSError as error:
                        remark = f"it cannot be read: {describe_os_error(error)}"
                        self._set_result(self._expected_files[running[done]], "not_checked", remark)
            except BaseException:
                stop.set()
                pool.shutdown(cancel_futures=True)
                raise
        self._find_renamed()

    def _find_renamed(self) -> None:
        """Look for the bytes of missing files in those that nobody speaks of: names are easily changed on the way."""
        missing = [
            each
            for each in self._expected_files.values()
            if self._checked[each.name].outcome == "missing" and each.hashes
        ]
        known = [raw for name, there in self._names.items() if name not in self._expected_files for raw in there]
        for raw in known if missing else ():
            try:
                found = self._tree.byte_range(raw)
                sizes = {each.size_bytes for each in missing}
                if found.length not in sizes and not (None in sizes and found.length <= _MAX_UNKNOWN):
                    continue
                sha256, _ = found.sha256()
            except (OSError, RefusedError):
                continue
            for expected in [each for each in missing if sha256 in each.hashes.values()][:1]:
                missing.remove(expected)
                self._renamed[raw] = expected.name
                self._set_result(expected, "missing", f"{printable(raw)} has its bytes: rename it")

    def _check(self, name: str, sha256: str, size: int) -> None:
        expected = self._expected_files[name]
        contradicted = expected.contradicted_by(sha256)
        is_measured = expected.kind in ("dataset", "params")
        values = is_measured and (contradicted or not expected.hashes or name in self._remeasured)
        result_of_file: FileResult = "same", "", ()
        if contradicted:
            result_of_file = _of_unopened(expected, size, contradicted)
            if (other := _is_the_other(self._expected_files.values(), expected, sha256)) is not None:
                result_of_file = "changed", _text_of_the_other(other), ()
            if THE_LOG in expected.hashes and THE_LOG not in contradicted and not is_measured:
                result_of_file = "contradicted", _of_lists(contradicted), ()
        if expected.kind != "params" and not expected.hashes:
            result_of_file = "not_checked", "nobody says which SHA-256 it should have", ()
        elif not contradicted and expected.size_bytes not in (None, size):
            remark = f"it is {size:,} bytes long, and the log says {expected.size_bytes:,}"
            result_of_file = "contradicted", remark, ()
        elif values:
            try:
                result_of_file = self._check_values(expected, contradicted, sha256)
            except (LogError, TreeError) as error:  # that it differs is certain, only the details are not known
                result_of_file = "changed", f"{_contradiction_text(contradicted)}; {error}", ()
        self._set_result(expected, *result_of_file, observed_sha256=sha256)

    def _check_values(self, expected: ExpectedFile, contradicted: Sequence[str], sha256: str) -> FileResult:
        """Return the result for a file whose values are compared with the log."""
        if expected.name not in self._remeasured:
            look = self._params if expected.kind == "params" else self._inspect
            self._remeasured[expected.name] = look(expected.name)
        remeasured = self._remeasured[expected.name]
        names = [difference.where.rpartition(":")[2] for difference in remeasured.comparison.drifted]
        whole = "parameter and metric" if expected.kind == "params" else "array"
        if expected.hashes and THE_LOG not in contradicted:
            if names:
                return (
                    "contradicted",
                    f"its bytes are those of the log, which says other values: {listed(names, _MAX_NAMES)}",
                    (),
                )
            if remeasured.errors:
                return "not_checked", "; ".join(remeasured.errors), ()
            if contradicted and THE_LOG in expected.hashes:
                return "contradicted", _of_lists(contradicted), ()
            return ("changed" if contradicted else "same"), _contradiction_text(contradicted), ()
        if self._is_damaged(expected, remeasured, contradicted, sha256):
            why = "; ".join(remeasured.errors)
            return "damaged", f"it was damaged on the way: ask for it again ({why})", remeasured.arrays
        if names or remeasured.errors:
            return "changed", self._difference_text(expected, remeasured, sha256, names), remeasured.arrays
        if contradicted and expected.hashes.keys() != {THE_LOG}:  # a manifest is about bytes: a repacked file breaks it
            values_are = (
                f"every {whole} is the same" if remeasured.is_same else "the values are within their thresholds"
            )
            return "changed", f"{_contradiction_text(contradicted)}; {values_are}", ()
        if contradicted and not remeasured.is_same:
            return "agrees", "other bytes, and the values within their thresholds", ()
        if contradicted:
            return "repacked", f"other bytes, and every {whole} the same", ()
        return "same", f"by its values, every {whole}; the log holds no SHA-256 of the file", ()

    def _is_damaged(
        self, expected: ExpectedFile, remeasured: RemeasuredFile, contradicted: Sequence[str], sha256: str
    ) -> bool:
        """Whether a file has other bytes, in which not everything can be read, and is not another file."""
        is_pointer = any(LFS_ADVICE in error for error in remeasured.errors)  # which says what to do, and is whole
        if not contradicted or not remeasured.is_unreadable or is_pointer:
            return False
        return _is_the_other(self._expected_files.values(), expected, sha256) is None

    def _difference_text(
        self, expected: ExpectedFile, remeasured: RemeasuredFile, sha256: str, names: Sequence[str]
    ) -> str:
        """Return how a file differs from the log."""
        if (other := _is_the_other(self._expected_files.values(), expected, sha256)) is not None:
            return _text_of_the_other(other)
        if remeasured.errors:
            return "; ".join(remeasured.errors)
        if expected.kind == "params" and remeasured.comparison.drifted:
            told = [_told(each) for each in remeasured.comparison.drifted[:_MAX_NAMES]]
            return "; ".join([*told, *more_than(_MAX_NAMES, len(names), "values")])
        values = [name for name in names if name not in ("sha256", "size_bytes")]
        if remeasured.arrays or values:
            return f"not as in the log: {listed(remeasured.arrays or values, _MAX_NAMES)}"
        if not self._remeasurement.knows_checksums:
            return "its arrays have the names, shapes and dtypes of the log, which holds no checksums of them"
        whole = "every array is the same" if remeasured.is_same else "the values are within their thresholds"
        return f"{whole}, and the bytes are to be exact"

    def _inspect(self, name: str) -> RemeasuredFile:
        with unpacked({name: self._byte_ranges[name]}) as paths:
            return self._remeasurement.inspect(*self._split(name, paths[name]))

    def _split(self, name: str, path: str) -> tuple[str, str]:
        """Return the folder of the datasets, and the path of one below it, with slashes."""
        filename = ""
        for _ in range(self._expected_files[name].depth):
            path, part = os.path.split(path)
            filename = f"{part}/{filename}" if filename else part
        return path, name_as_text(filename)

    def _params(self, name: str) -> RemeasuredFile:
        with unpacked({name: self._byte_ranges[name]}) as paths:
            return self._remeasurement.params(paths[name])

    def _set_result(
        self,
        expected: ExpectedFile,
        outcome: Outcome,
        remark: str = "",
        arrays: tuple[str, ...] = (),
        *,
        observed_sha256: str | None = None,
    ) -> None:
        self._byte_ranges.pop(expected.name, None)
        self._checked[expected.name] = CheckedFile(
            name=expected.name,
            outcome=outcome,
            remark=remark,
            arrays=arrays,
            expected_sha256=next(iter(expected.hashes.values()), None),
            observed_sha256=observed_sha256,
        )

    def result(self) -> Verification:
        """Return the results so far."""
        unreached = CheckedFile(name="", outcome="not_checked", remark="the check was stopped before it was done")
        files = [self._checked.get(name, replace(unreached, name=name)) for name in self._expected_files]
        files += [
            CheckedFile(name=name, outcome="extra", remark=self._about_extra(raw))
            for name, there in self._names.items()
            for raw in there
            if name not in self._expected_files and self._submission.is_expected(name) and not is_litter(name)
        ]
        litter = tuple(name for name in self._names if name not in self._expected_files and is_litter(name))
        problems = [f"{printable(self._tree.shown_as)}: {self._tree.damage}"] if self._tree.damage else []
        problems += self._submission.problems
        if not any(expected.kind == "dataset" for expected in self._expected_files.values()):
            problems.append("no dataset is spoken of, so that nothing is shown")
        return Verification(
            files=tuple(files),
            differences=self._differences(),
            findings=self._remeasurement.findings() if self._measured else (),
            problems=tuple(problems),
            contradictions=self._submission.contradictions,
            litter=litter,
        )

    def _about_extra(self, name: str) -> str:
        """Return what is known of a file that nobody speaks of."""
        try:
            self._tree.byte_range(name)
        except RefusedError as error:
            return str(error)
        if name in self._renamed:
            return f"it has the bytes of {printable(self._renamed[name])}"
        # Of these files no log tells; and without its log, a bundle has its manifests alone.
        is_own = self._submission.is_bundle and (name in OWN_FILES or self._submission.file is None)
        return _UNLISTED if is_own else _TOO_MANY

    def _differences(self) -> tuple[Difference, ...]:
        if not self._remeasured:
            return ()
        from ..comparison.difference import MISSING, Comparison

        found = Comparison.of(remeasured.comparison for remeasured in self._remeasured.values()).differences
        # What could not be read is told of the file.
        return tuple(each for each in found if each.observed != MISSING)


def _is_the_other(expected_files: Iterable[ExpectedFile], expected: ExpectedFile, sha256: str) -> ExpectedFile | None:
    """Return which dataset or attachment lies in place of the file that was expected."""
    others = (each for each in expected_files if each is not expected and each.kind in ("dataset", "attachment"))
    return next((each for each in others if sha256 in each.hashes.values()), None)


def _text_of_the_other(other: ExpectedFile) -> str:
    return f"it is the file that should be {printable(other.name)}"


def _told(difference: Difference) -> str:
    """Return both values of a parameter or metric."""
    from ..reports.difference_table import difference_cells

    name, expected, observed, *_ = difference_cells(difference)
    return f"{name} is {observed}, and the log says {expected}"


def _of_unopened(expected: ExpectedFile, size: int, contradicted: Sequence[str]) -> FileResult:
    """Return the result for a file of other bytes that is not looked into."""
    if expected.size_bytes is not None and size < expected.size_bytes:
        remark = f"{size:,} of {expected.size_bytes:,} bytes: cut off on the way, or another file: ask for it again"
        return "damaged", remark, ()
    either = "" if THE_LOG in contradicted else f"it or {' or '.join(contradicted)} was "
    text = _contradiction_text(contradicted)
    return "changed", f"{either}damaged on the way, or changed by somebody: ask for it again ({text})", ()


def _of_lists(contradicted: Sequence[str]) -> str:
    return f"its bytes are those of the log, and {listed(contradicted, _MAX_NAMES)} was changed or damaged"


def _contradiction_text(contradicted: Sequence[str]) -> str:
    return f"its SHA-256 is not the one in {' and '.join(contradicted)}" if contradicted else ""
