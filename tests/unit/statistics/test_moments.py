"""The order of additions, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_d0parity.statistics.moments import pairwise_sum, row_sums


def halves(terms: list[float]) -> float:
    while len(terms) > 1:
        half = len(terms) // 2
        folded = [a + b for a, b in zip(terms[:half], terms[half : 2 * half], strict=True)]
        if len(terms) % 2:
            folded[0] += terms[-1]
        terms = folded
    return terms[0]


def lanes(terms: list[float], width: int) -> list[float]:
    """Term after term into so many running sums, and what is left over into the first of them."""
    whole = len(terms) // width * width
    if whole <= width:
        return terms
    sums = terms[:width]
    for start in range(width, whole, width):
        sums = [a + b for a, b in zip(sums, terms[start : start + width], strict=True)]
    return [a + b for a, b in zip(sums, terms[whole:] + [None] * width, strict=False) if b is not None] + sums[
        len(terms) - whole :
    ]


@pytest.mark.parametrize("length", [*range(1, 140), *range(990, 1010)])
def test_folding_adds_halves(length: int) -> None:
    values = np.random.default_rng(length).random(length)
    assert float(pairwise_sum(values)) == halves(values.tolist())
    columns = np.random.default_rng(length).random((length, 3))
    assert pairwise_sum(columns).tolist() == [halves(columns[:, number].tolist()) for number in range(3)]


@pytest.mark.parametrize("width", [1, 5, 32, 64, 255, 256, 257, 511, 512, 513, 4096, 4100, 65536])
@pytest.mark.parametrize("count", [1, 2, 16])
def test_rows_are_added_lane_by_lane(width: int, count: int) -> None:
    rows = np.random.default_rng(width).random((count, width))
    expected = [halves(lanes(lanes(row, 256), 32)) for row in rows.tolist()]
    assert row_sums(rows).tolist() == expected
