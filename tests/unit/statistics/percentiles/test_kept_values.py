"""Values that are kept: chosen as by a mask, and in order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pytest_d0parity.statistics.percentiles.kept_values import KeptValues, choose


@given(st.integers(0, 2**32 - 1), st.integers(0, 200), st.sampled_from([0.0, 0.02, 0.3, 0.8, 1.0]))
def test_chosen_are_those_of_a_mask(seed: int, size: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    values, chosen = rng.random(size, "f4"), rng.random(size) < share
    assert choose(values, chosen).tolist() == values[chosen].tolist()


@given(st.lists(st.lists(st.integers(0, 99), max_size=20), max_size=8), st.integers(0, 50), st.data())
def test_kept_are_all_that_were_added_and_not_dropped(
    pieces: list[list[int]], capacity: int, data: st.DataObject
) -> None:
    kept, expected = KeptValues(capacity), []
    for piece in pieces:
        kept.add(np.array(piece, "f8"))
        expected = sorted([*expected, *piece])
        if data.draw(st.booleans()):
            assert kept.ascending().tolist() == expected
        if data.draw(st.booleans()):
            first, second = sorted(data.draw(st.lists(st.integers(0, len(expected)), min_size=2, max_size=2)))
            kept.drop_all_but([slice(0, first), slice(second, len(expected))])
            expected = expected[:first] + expected[second:]
    assert kept.size == len(expected)
    assert kept.ascending().tolist() == expected
