"""Where a log comes from: the repository around the current folder, and the tools."""

from __future__ import annotations

import datetime
import platform
import subprocess

from .._version import __version__

TOOL = f"pytest-d0parity {__version__}"
MACHINE = f"{platform.system()} {platform.machine()}"  # no host name, no user, no path


def timestamp() -> str:
    """Now, in UTC, as ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat()


def git_state(folder: str = ".") -> tuple[str, bool | None]:
    """Commit of the repository around a folder, and whether it has changes.

    Parameters
    ----------
    folder : str

    Returns
    -------
    sha : str
        ``"unknown"`` outside a repository, before its first commit, or without git.
    dirty : bool or None
        None where the commit is unknown.
    """
    sha = _git(folder, "rev-parse", "--verify", "HEAD")
    if not sha:
        return "unknown", None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return sha, None if changes is None else bool(changes)


def _git(folder: str, *arguments: str) -> str | None:
    try:
        # No optional locks: reading the state of somebody's repository must not write to it.
        run = subprocess.run(  # noqa: S603 - arguments of ours
            ["git", "--no-optional-locks", *arguments],  # noqa: S607 - the user's own git
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return run.stdout.strip() if run.returncode == 0 else None
