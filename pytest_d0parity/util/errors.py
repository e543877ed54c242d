"""The base classes of all errors that are reported to the user."""

from __future__ import annotations


class ParityError(Exception):
    """Something the user can fix. The message names the file and the value, what is expected, and what to do.

    Each argument is a sentence of its own. The command line prints them after ``error:`` and exits with `exit_code`.
    """

    exit_code = 1  # something could not be read or written

    @property
    def sentences(self) -> tuple[str, ...]:
        """The message, one sentence per line of output."""
        return tuple(map(str, self.args))


class UsageError(ParityError):
    """Invalid options, or an invalid table in ``pyproject.toml``."""

    exit_code = 2
