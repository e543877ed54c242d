"""Somebody who is told how work goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..evidence.model import Problem


class Listener:
    """Somebody who is told how a capture goes on; this one does not care."""

    def problem(self, problem: Problem) -> None:
        """Hear of something that was found just now."""

    def planned(self, datasets: Sequence[tuple[str, int]]) -> None:
        """Hear which datasets will be looked at, in this order, and how many bytes each has."""

    def progress(self, filename: str, share: float) -> None:
        """Hear which share of the work on a dataset is done."""


NOBODY = Listener()
