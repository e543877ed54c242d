"""What a log records about its origin: tool, machine, time, and the state of the git repository."""

from __future__ import annotations

import datetime
import platform

from .._version import __version__

TOOL = f"pytest-d0parity {__version__}"
MACHINE = f"{platform.system()} {platform.machine()}"  # neither host name nor user name: logs are shared


def timestamp() -> str:
    """Return the current time in UTC in ISO 8601 format."""
    return datetime.datetime.now(datetime.UTC).isoformat()


def git_state(folder: str = ".") -> tuple[str, bool | None]:
    """Return the commit of the repository that contains a folder, and whether tracked files have changes.

    Returns
    -------
    sha : str
        ``"unknown"`` outside a repository, before its first commit, or without git.
    dirty : bool or None
        None where that is unknown.
    """
    sha = _git(folder, "rev-parse", "--verify", "HEAD")
    if not sha:
        return "unknown", None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return sha, None if changes is None else bool(changes)


def _git(folder: str, *arguments: str) -> str | None:
    import subprocess  # slow to import, and verify does without git

    try:
        # No optional locks: otherwise git status may write to the user's repository.
        run = subprocess.run(  # noqa: S603 - the arguments are our own
            ["git", "--no-optional-locks", *arguments],  # noqa: S607 - the user's own git
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return run.stdout.strip() if run.returncode == 0 else None
