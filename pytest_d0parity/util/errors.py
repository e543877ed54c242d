"""Errors that whoever meets them can put right."""

from __future__ import annotations


class ParityError(Exception):
    """Something that the user can put right, in words: which file, which value, what was expected, what to do.

    Each argument is a sentence of its own. The command line prints them after ``error:``, and ends with `exit_code`.
    """

    exit_code = 1  # something could not be read or written

    @property
    def sentences(self) -> tuple[str, ...]:
        """What to tell, one line each."""
        return tuple(map(str, self.args))


class UsageError(ParityError):
    """Options or tables that cannot be followed as they stand."""

    exit_code = 2
