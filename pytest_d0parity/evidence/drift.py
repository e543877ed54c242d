"""What a comparison found, as records of the log; their fields are the keys of its JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..util.records import optional
from ..util.text import listed
from .dataset import Scalar

_MOST_NAMES = 3  # of datasets


@dataclass(frozen=True, kw_only=True)
class NotCompared:
    """Values that a comparison left out.

    Attributes
    ----------
    name : str
        Dotted name of the values, or a pattern for it.
    why : str
        The level or the limit that leaves them out, or that only one side has measured them.
    values : int
        How many they are.
    differ : int
        How many of them are not the same on both sides.
    where : tuple of str
        The first five of those.
    """

    name: str
    why: str
    values: int
    differ: int
    where: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AcceptedRun:
    """One of several references.

    Attributes
    ----------
    path : str
        As given.
    sha256 : str
        Of the file.
    """

    path: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The log that this one was compared with.

    Attributes
    ----------
    path : str
        As given.
    sha256 : str
        Of the file.
    left_out : tuple of str
        What it holds and this run did not compare: datasets that `limit_datasets` leaves out, and own checks of the
        users that did not run.
    not_compared : tuple of NotCompared
        What both hold and was not compared.
    compared : int
        Number of values that were compared.
    accepted : tuple of AcceptedRun
        All the references, where there are several.
    """

    path: str
    sha256: str
    left_out: tuple[str, ...] = ()
    not_compared: tuple[NotCompared, ...] = ()
    compared: int = 0
    accepted: tuple[AcceptedRun, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A value that differs from the reference.

    Attributes
    ----------
    where : str
        ``dataset:name``, ``check:name``, a dataset that only one side has, or the name of a value.
    expected, observed : bool, int, float, str or None
        The reference's value and this log's; ``"(missing)"`` where there is none.
    threshold : str
        What is allowed.
    distance : float or None
        The difference in units of what is allowed: above 1 is drift, infinite where nothing is allowed,
        null where the values are not numbers, or follow from others that were judged.
    sigma : float
        The difference in standard errors, under a limit in these.
    verdict : str
        ``repacked`` for a file whose bytes differ while every array in it is the same.
    """

    where: str
    expected: Scalar
    observed: Scalar
    threshold: str
    distance: float | None
    verdict: Literal["within_thresholds", "drift", "repacked"]
    sigma: float | None = optional(None)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What the values of two logs prove about why they differ.

    Attributes
    ----------
    root : str
        What differs, independently of the other findings.
    proof : str
        Which rule speaks: a short name.
    datasets : tuple of str
        In which datasets; none where it is about none of them.
    sentence : str
        What is proven, without the datasets.
    advice : str
        What to do next, in a sentence; empty where nothing follows.
    """

    root: Literal[
        "files",
        "patterns",
        "scan_index",
        "probe",
        "arrays",
        "metadata",
        "params",
        "metrics",
        "attachments",
        "datasets",
        "checks",
    ]
    proof: str
    datasets: tuple[str, ...]
    sentence: str
    advice: str = ""

    def text(self, total: int = 1) -> str:
        """Return it as plain text: in which of all datasets, where these are told, what is proven, and what to do."""
        names = self.datasets
        next_step = f" Next: {self.advice}." if self.advice else ""
        if not names or self.proof in ("swapped_files", "renamed_file"):  # which name the files
            return f"{self.sentence}.{next_step}"
        who = listed(names, _MOST_NAMES)
        if total > 1:
            who = "Every dataset" if len(names) == total else f"{len(names)} of {total} datasets ({who})"
        return f"{who}: {self.sentence}.{next_step}"
