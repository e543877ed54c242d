"""The interface through which a capture reports its progress."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..evidence.dataset import Problem


class Listener:
    """Receives the progress of a capture. This base class ignores it; subclasses override what they need."""

    def problem(self, problem: Problem) -> None:
        """Receive a problem as soon as it is found."""

    def planned(self, datasets: Sequence[tuple[str, int]]) -> None:
        """Receive name and size in bytes of the datasets that will be measured, in this order."""

    def progress(self, filename: str, share: float) -> None:
        """Receive the share (0 to 1) of the work on a dataset that is done."""


NO_LISTENER = Listener()
