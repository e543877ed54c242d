"""An axis of a chart: where a value stands on it, and which values are labelled."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_MARGIN = 0.05  # of the span, beyond the outermost values
_STEPS = (1, 2, 5)
_DIGITS = 6  # a label has at most so many; where more are needed, labels are differences from a value

_DECIMALS = 5  # digits before or behind the point


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis."""

    place: float
    label: str


@dataclass(frozen=True)
class Axis:
    """An axis.

    Attributes
    ----------
    lower, upper : float
        The values at its ends, `lower` below `upper`, and above zero where it is logarithmic.
    start, end : float
        Where these stand on the picture; `start` may be the larger one, as on an axis that goes up.
    is_logarithmic : bool
        Whether equal factors have equal lengths.
    """

    lower: float
    upper: float
    start: float
    end: float
    is_logarithmic: bool = False

    def place(self, value: float) -> float:
        """Return where a value stands on the picture."""
        if self.is_logarithmic:
            share = math.log(value / self.lower) / math.log(self.upper / self.lower)
        else:
            share = (value - self.lower) / (self.upper - self.lower)
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int) -> tuple[list[Tick], str]:
        """Choose what is labelled.

        Parameters
        ----------
        most : int
            So many labels at most, from five on. There are two at least.

        Returns
        -------
        ticks : list of Tick
            From `lower` to `upper`.
        base : str
            What the labels are to be added to; empty where they are the values themselves.
        """
        powers = self._powers(most) if self.is_logarithmic else []
        if len(powers) > 1:
            return [Tick(self.place(10.0**power), f"1e{power}") for power in powers], ""
        values, step = _multiples(self.lower, self.upper, most)
        digits = _digits(values, step)
        if digits <= _DIGITS:
            return [
                Tick(self.place(value), label)
                for value, label in zip(values, _labels(values, step, digits), strict=True)
            ], ""
        base = values[0]
        # Rounded, for the difference of two values that are close has digits that mean nothing.
        differences = [round((value - base) / step) * step for value in values]
        labels = [f"+{spelled(difference, 3)}" if difference else "0" for difference in differences]
        return [Tick(self.place(value), label) for value, label in zip(values, labels, strict=True)], spelled(base, 17)

    def _powers(self, most: int) -> list[int]:
        first, last = math.ceil(math.log10(self.lower) - 1e-9), math.floor(math.log10(self.upper) + 1e-9)
        stride = max(1, math.ceil((last - first + 1) / most))
        return [power for power in range(first, last + 1) if power % stride == 0]


def linear_axis(values: Iterable[float], start: float, end: float) -> Axis:
    """Return an axis on which all values stand, with equal steps.

    Values that are the same to twelve digits are in its middle: what is finer is no more than rounding.
    """
    values = list(values) or [0.0]
    lower, upper = min(values), max(values)
    largest = max(abs(lower), abs(upper))
    if upper - lower <= 1e-12 * largest:
        reach = largest or 1.0
        return Axis(lower - reach, upper + reach, start, end)
    margin = _MARGIN * (upper - lower)
    return Axis(lower - margin, upper + margin, start, end)


def logarithmic_axis(values: Iterable[float], start: float, end: float, margin: float | None = None) -> Axis:
    """Return an axis on which all values stand, with equal factors.

    Parameters
    ----------
    values : iterable of float
        Above zero.
    margin : float, optional
        The factor beyond the outermost ones; a share of the span by default.
    """
    values = list(values) or [1.0]
    lower, upper = min(values), max(values)
    factor = max((upper / lower) ** _MARGIN, 1.1) if margin is None else margin
    return Axis(lower / factor, upper * factor, start, end, is_logarithmic=True)


def spelled(value: float, digits: int) -> str:
    """Return a number as file names spell it: 1e5, not 1e+05."""
    mantissa, exponent, power = f"{value:.{digits}g}".partition("e")
    return f"{mantissa}{exponent}{int(power)}" if exponent else mantissa


def _multiples(lower: float, upper: float, most: int) -> tuple[list[float], float]:
    """Return the multiples of a round number within a range, the finest of which there are not too many."""
    for step, power in _round_numbers((upper - lower) / most):
        # Where the power is negative, a division is exact to the last digit and a product is not.
        unit = step * 10.0**power if power >= 0 else step / 10.0**-power
        first, last = math.ceil(lower / unit), math.floor(upper / unit)
        if last - first < most:
            values = (k * step * 10.0**power if power >= 0 else k * step / 10.0**-power for k in range(first, last + 1))
            return [value + 0.0 for value in values], unit  # + 0.0: no negative zero
    raise AssertionError  # the numbers grow without end


def _round_numbers(start: float) -> Iterator[tuple[int, int]]:
    power = math.floor(math.log10(start))
    while True:
        for step in _STEPS:
            yield step, power
        power += 1


def _labels(values: list[float], step: float, digits: int) -> list[str]:
    """Return numbers with as many decimals as the step has, or as file names spell them where that would be long."""
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if decimals <= _DECIMALS and max(map(abs, values)) < 10**_DECIMALS:
        return [f"{value:.{decimals}f}" for value in values]
    return [spelled(value, digits) for value in values]


def _digits(values: list[float], step: float) -> int:
    """Return how many significant digits tell values that are apart by a step."""
    largest = max(map(abs, values), default=0.0)
    return max(1, math.floor(math.log10(largest / step) + 1e-9) + 1 + 1) if largest else 1
