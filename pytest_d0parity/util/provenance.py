"""What a log records about its origin: tool, machine, time, and the state of the git repository."""

from __future__ import annotations

import datetime
import platform
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

from .._version import __version__

if TYPE_CHECKING:
    import subprocess

TOOL = f"pytest-d0parity {__version__}"
MACHINE = f"{platform.system()} {platform.machine()}"  # neither host name nor user name: logs are shared

_COMMIT = "# branch.oid "
_NO_COMMIT = "(initial)"
_PATIENCE = 30  # seconds


def timestamp() -> str:
    """Return the current time in UTC in ISO 8601 format."""
    return datetime.datetime.now(datetime.UTC).isoformat()


class GitQuery:
    """Asks git about the repository around a folder, while the work goes on.

    Parameters
    ----------
    folder : str
        A folder of the repository.
    """

    def __init__(self, folder: str = ".") -> None:
        import subprocess  # slow to import, and verify does without git

        # No optional locks: otherwise git status may write to the user's repository.
        options = ["--no-optional-locks", "status", "--porcelain=v2", "--branch", "--untracked-files=no"]
        try:
            self._process: subprocess.Popen[bytes] | None = subprocess.Popen(  # noqa: S603 - the arguments are our own
                ["git", *options],  # noqa: S607 - the user's own git
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    @cached_property
    def state(self) -> tuple[str, bool | None]:
        """The commit, and whether tracked files have changes.

        The commit is ``"unknown"`` outside a repository, before its first commit, or without git; the changes are None
        then.
        """
        import subprocess

        try:
            said = self._process.communicate(timeout=_PATIENCE)[0] if self._process else b""
        except subprocess.TimeoutExpired:
            said = b""
        lines = said.decode("utf-8", "replace").splitlines()
        sha = next((line.removeprefix(_COMMIT) for line in lines if line.startswith(_COMMIT)), _NO_COMMIT)
        if sha == _NO_COMMIT or self._process is None or self._process.returncode:
            return "unknown", None
        return sha, any(not line.startswith("#") for line in lines)
