"""Thresholds: the largest difference from the reference that is not yet drift."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Literal

from ..util.errors import UsageError
from ..util.text import quoted

_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf", re.ASCII)
_SIGMA = re.compile(r"(.*?)\s*(?:sigma|\u03c3)")  # also the Greek letter
_LIMITS = "a percentage of the reference like 5%, an absolute difference like 0.001, 5sigma, exact, or ignore"


Level = Literal["bytes", "statistics"]  # how much has to agree


class ThresholdError(UsageError, ValueError):
    """A threshold cannot be parsed. The message says what is allowed."""


@dataclass(frozen=True)
class Threshold:
    """The allowed difference from the reference for the values whose names match a pattern.

    Attributes
    ----------
    relative : float
        Allowed difference as a share of the magnitude of the reference.
    absolute : float
        Allowed difference in the unit of the value. The larger of the two applies.
    text : str
        The limit as written.
    pattern : str
        Glob for the dotted name of a value, optionally after one for the dataset: ``data_p1e5.npz:raw.*``.
    sigma : float
        Allowed difference in standard errors, for the values that have them; zero where there is none of this kind.
    is_ignore : bool
        Leave the values out of the comparison.
    """

    relative: float
    absolute: float
    text: str
    pattern: str = "*"
    sigma: float = 0.0
    is_ignore: bool = False

    def covers(self, dataset: str | None, name: str) -> bool:
        """Whether the pattern matches a value, or a group that contains it (``probe`` contains ``probe.l2_norm``)."""
        of_dataset, _, of_name = self.pattern.rpartition(":")
        if of_dataset and (dataset is None or not _matches(dataset, of_dataset)):
            return False
        return any(_matches(part, of_name) for part in _with_parents(name))

    def may_cover(self, name: str) -> bool:
        """Whether the threshold covers a value of this name in any dataset."""
        return replace(self, pattern=self.pattern.rpartition(":")[2]).covers(None, name)

    @property
    def is_exact(self) -> bool:
        """Whether no difference is allowed."""
        return self.relative == self.absolute == self.sigma == 0 and not self.is_ignore


DEFAULT = Threshold(1e-6, 0.0, "1e-6 relative")
EXACT = Threshold(0.0, 0.0, "exact")


def parse_threshold(text: str) -> Threshold:
    """Parse a threshold as it is given on the command line.

    Parameters
    ----------
    text : str
        ``PATTERN:5%``, ``PATTERN:0.001``, ``PATTERN:5sigma``, ``PATTERN:exact`` or ``PATTERN:ignore``.

    Raises
    ------
    ThresholdError
        If it cannot be parsed.

    Examples
    --------
    >>> parse_threshold("data_p1e5.npz:raw.*:5%").relative
    0.05
    """
    pattern, _, limit = text.rpartition(":")
    if not pattern:
        raise ThresholdError(f"{_repr(text)} is no PATTERN:LIMIT, like 'raw.mean:5%'; a limit is {_LIMITS}")
    return threshold_of(pattern, limit)


def threshold_of(pattern: str, setting: Any) -> Threshold:
    """Make a threshold from a key and its value in ``pyproject.toml``.

    Parameters
    ----------
    pattern : str
        See `Threshold`.
    setting : object
        The parsed TOML: a number or a text as on the command line, or ``{rel = 0.05, abs = 0.001}``.

    Raises
    ------
    ThresholdError
        If it cannot be parsed.
    """
    if not pattern.rpartition(":")[2]:
        raise ThresholdError(f"the pattern {_repr(pattern)} names no value; raw.mean or data_p1e5.npz:raw.* would")
    if isinstance(setting, dict):
        return _from_table(pattern, setting)
    if setting == "exact":
        return replace(EXACT, pattern=pattern)
    if setting == "ignore":
        return Threshold(0.0, 0.0, "ignore", pattern, is_ignore=True)
    text = str(setting)
    if found := _SIGMA.fullmatch(text):
        return _in_standard_errors(pattern, text, found[1])
    number = text.removesuffix("%")
    if isinstance(setting, bool) or not _NUMBER.fullmatch(number):
        raise ThresholdError(f"{_repr(setting)} for {_repr(pattern)} is no limit; a limit is {_LIMITS}, never negative")
    if text.endswith("%"):
        return Threshold(float(number) / 100, 0.0, text, pattern)
    return Threshold(0.0, float(number), text, pattern)


def _in_standard_errors(pattern: str, text: str, number: str) -> Threshold:
    sigma = float(number) if _NUMBER.fullmatch(number) else 0.0
    if not 0 < sigma < math.inf:
        raise ThresholdError(
            f"{_repr(text)} for {_repr(pattern)} is no limit; a positive number of standard errors is: 5sigma"
        )
    return Threshold(0.0, 0.0, f"{number}sigma", pattern, sigma=sigma)


def _from_table(pattern: str, table: dict[str, Any]) -> Threshold:
    for key, value in table.items():
        if key not in ("rel", "abs"):
            raise ThresholdError(
                f"{_repr(key)} for {_repr(pattern)} is not known; give rel, abs, or both. A pattern with a dot "
                "in it needs quotes"
            )
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _largest(value):
            raise ThresholdError(f"{key} = {_repr(value)} for {_repr(pattern)} is no limit; a number from 0 is")
    if not table:
        raise ThresholdError(f"no limit is given for {_repr(pattern)}; give rel, abs, or both")
    relative, absolute = float(table.get("rel", 0.0)), float(table.get("abs", 0.0))
    text = " or ".join(f"{key} {value!r}" for key, value in table.items())
    return Threshold(relative, absolute, text, pattern)


def _repr(value: object) -> str:
    return quoted(repr(value))


def _largest(value: float) -> float:
    """Return the largest allowed limit: for integers the largest float, since larger ones cannot be converted."""
    return sys.float_info.max if isinstance(value, int) else math.inf


def _matches(name: str, pattern: str) -> bool:
    return name == pattern or fnmatchcase(name, pattern)  # a file name may contain brackets


def _with_parents(name: str) -> Iterator[str]:
    """Yield a dotted name and the groups that contain it: probe.phase.p50, probe.phase, probe."""
    while name:
        yield name
        name = name.rpartition(".")[0]
