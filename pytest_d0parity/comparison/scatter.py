"""Differences in units of standard errors: how far a value may lie from the reference as far as the frames can tell.

A value has not drifted under a limit of K sigma if it lies within K standard errors of both sides, or differs by no
more than one photon, or is within the default limit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..evidence.drift import Difference
from ..scenario.thresholds import Threshold
from .difference import is_finite_number
from .values import Named

_EXTREMES = ("min", "max")
_BY_PHOTONS = frozenset(f"raw.{name}" for name in ("min", "max", "median", "p01", "p10", "p90", "p99"))
_ONE_PHOTON = 1.1  # with what float32 rounds

Errors = Mapping[str, float]


@dataclass(frozen=True)
class Scatter:
    """How much the values of a dataset scatter, on both sides.

    Attributes
    ----------
    expected, observed : dict
        The standard error of each value that has one.
    quantum : float or None
        Square of the amplitude of a photon in the reference; None where photons were not counted on both sides.
    of_intensities : bool
        Whether the patterns are intensities on both sides, of which the quantum is a photon.
    spread : dict
        Of several accepted runs: what they scatter by, for each value, widened for their small number.
    """

    expected: Errors = field(default_factory=dict)
    observed: Errors = field(default_factory=dict)
    quantum: float | None = None
    of_intensities: bool = False
    spread: Errors = field(default_factory=dict)

    @classmethod
    def of(cls, expected: Errors, observed: Errors, values: tuple[Named, Named], spread: Errors) -> Scatter:
        """Return the scatter of a dataset with these values on both sides."""
        quantum = values[0].get("photons.quantum")
        quantized = all(each.get("photons.quantized") is True for each in values)
        usable = float(quantum) if quantized and is_finite_number(quantum) else None
        of_intensities = all(each.get("photons.domain") == "intensity" for each in values)
        return cls(expected, observed, usable, of_intensities, spread)

    def covers(self, name: str) -> bool:
        """Whether a limit in standard errors says anything about a value."""
        return (name in self.expected and name in self.observed) or name in self.spread

    def judge(self, difference: Difference, name: str, limit: Threshold) -> Difference:
        """Return a difference, judged by the default limit, as it is under a limit in standard errors."""
        before, after = difference.expected, difference.observed
        if not is_finite_number(before) or not is_finite_number(after):
            return difference
        gap = float(after) - float(before)
        errors = gap / unit if (unit := self._unit(name)) else math.copysign(math.inf, gap)
        distances = [abs(errors) / limit.sigma]
        if self.quantum is not None and name in _BY_PHOTONS:
            step = gap if self.of_intensities else float(after) ** 2 - float(before) ** 2
            distances.append(abs(step) / (_ONE_PHOTON * self.quantum))
        if difference.distance is not None:
            distances.append(difference.distance)
        distance = min(distances)
        return replace(
            difference,
            threshold=limit.text,
            distance=distance,
            sigma=errors,
            verdict="within_thresholds" if distance <= 1 else "drift",
        )

    def _unit(self, name: str) -> float:
        """Return the standard error of the difference of both sides."""
        units = [self.spread.get(name, 0.0)]
        if name in self.expected and name in self.observed:
            expected, observed = self.expected[name], self.observed[name]
            is_extreme = name.rpartition(".")[2] in _EXTREMES
            # An outlier must not excuse itself: of an extreme, the reference's scatter alone counts.
            units.append(math.sqrt(2) * expected if is_extreme else math.hypot(expected, observed))
        return max(units)
