"""What a sender handed over: a log, or a bundle; a receipt is held against it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ..evidence.expected_files import (
    ExpectedFile,
    expected_attachments,
    expected_datasets,
    expected_params,
    expected_reference,
)
from ..evidence.file import LogError, LogFile, read_log
from ..util.text import listed, printable
from .bundle_reader import (
    ATTACHMENTS,
    DATASETS,
    LOG_FILE,
    OWN_FILES,
    PARAMS_FILE,
    REFERENCE_FILE,
    is_bundle,
    read_bundle,
)

_MOST = 5


@dataclass(frozen=True, kw_only=True)
class Sent:
    """The log, and of a bundle the SHA-256 of each file in it, by its name.

    Attributes
    ----------
    file : LogFile
        The log that was sent, alone or in the bundle.
    bundled : mapping of str to str
        What the manifests of the bundle say; empty where the sender names the log alone.
    """

    file: LogFile
    bundled: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _logged(self) -> Mapping[str, str]:
        """The SHA-256 that the log tells, by the names in a bundle and by those beside a log."""
        file = self.file
        expected: list[ExpectedFile] = [
            *(each for folder in (DATASETS, "") for each in expected_datasets(file, folder)),
            *(each for folder in (ATTACHMENTS, "attachments/") for each in expected_attachments(file, folder)),
            *expected_params(file, PARAMS_FILE),
            *expected_reference(file, REFERENCE_FILE),
        ]
        return {LOG_FILE: file.sha256} | {each.name: sha for each in expected for sha in each.hashes.values()}

    def sha256_of(self, name: str) -> str | None:
        """Return the SHA-256 of a file of a receipt; None where the sender's side tells of none."""
        return self.bundled.get(name, self._logged.get(name))

    def may_hold(self, name: str, sha256: object) -> bool:
        """Whether a file of which no SHA-256 is known by its name can have been sent."""
        if sha256 in self._logged.values() or not self._tells_of_params:
            return True  # beside a log, the params have the name that the receiver gave them
        return not self.bundled and name in OWN_FILES

    @property
    def _tells_of_params(self) -> bool:
        return all(each.hashes for each in expected_params(self.file, PARAMS_FILE))


def read_sent(path: str) -> Sent:
    """Read what was sent, given the log or the bundle that it lies in.

    Raises
    ------
    LogError, TreeError
        If it cannot be read.
    """
    if not is_bundle(path):
        return Sent(file=read_log(path))
    with contextlib.ExitStack() as stack:
        bundle = read_bundle(path, stack, whole=False)
    if bundle.file is None:
        raise LogError(f"the log in {printable(path)} cannot be read: {listed(bundle.problems, _MOST)}")
    hashes = {each.name: sha256 for each in bundle.expected_files for sha256 in each.hashes.values()}
    return Sent(file=bundle.file, bundled=hashes)
