"""How many values of a stream are at its maximum, and whether it has more than a few levels."""

from __future__ import annotations

import math

import numpy as np

from .blocks import Block
from .levels import count_levels

_LEVELS = 10
_LOOKED_AT = 4096  # values of a block in which levels are looked for


class TopValues:
    """Counts the values at the maximum, in the first pass.

    Attributes
    ----------
    count : int
        Number of values at the maximum of the stream so far.
    """

    def __init__(self) -> None:
        self.count = 0
        self._max = -math.inf
        self._levels: set[float] = set()

    def add(self, block: Block) -> None:
        """Add the next block."""
        if block.max > self._max:
            self._max, self.count = block.max, 0
        if block.max == self._max:
            self.count += int(np.count_nonzero(block.finite == block.max))
        if not self.has_levels:
            some = block.finite[:: -(-block.finite.size // _LOOKED_AT) or 1]
            self._levels.update(count_levels(some)[0].tolist())

    @property
    def has_levels(self) -> bool:
        """Whether ten different values or more have occurred."""
        return len(self._levels) >= _LEVELS
