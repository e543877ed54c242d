"""Colours that stand for numbers, even to the eye: equal steps of a value look like equal steps.

They are lines through the colour space OKLCH (lightness, chroma, hue), whose conversion to the colours of a screen is
that of its author, B. Ottosson, "A perceptual color space for image processing", 2020.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

LEVELS = 256

Colors = NDArray[np.uint8]  # (levels, 3): red, green, blue

_TO_LMS = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


@cache
def sequential() -> Colors:
    """Return colours for numbers from zero to the largest: from dark violet by blue and green to light yellow."""
    share = np.linspace(0, 1, LEVELS)
    return _screen(0.18 + 0.76 * share, 0.10 + 0.05 * np.sin(np.pi * share), np.radians(300 - 195 * share))


@cache
def diverging() -> Colors:
    """Return colours for numbers on both sides of zero: blue below, light grey at zero, orange above."""
    share = np.linspace(-1, 1, LEVELS)
    return _screen(0.95 - 0.5 * np.abs(share), 0.16 * np.abs(share), np.radians(np.where(share < 0, 255, 50)))


@cache
def cyclic() -> Colors:
    """Return colours for angles from -pi to pi, which are one colour; all are equally light."""
    turn = np.linspace(0, 2 * np.pi, LEVELS, endpoint=False)
    return _screen(np.full(LEVELS, 0.72), np.full(LEVELS, 0.125), turn)


def _screen(lightness: NDArray[np.float64], chroma: NDArray[np.float64], hue: NDArray[np.float64]) -> Colors:
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1)
    linear = np.clip((lab @ _TO_LMS.T) ** 3 @ _TO_RGB.T, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    colors: Colors = (encoded * 255).round().astype(np.uint8)
    return colors
