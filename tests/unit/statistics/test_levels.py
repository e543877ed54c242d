"""The different values of arrays, beside NumPy's own answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pytest_d0parity.statistics.levels import count_levels, find_levels

VALUES = st.sampled_from(["f4", "f8", "i8", "u2"]).flatmap(
    lambda dtype: arrays.arrays(dtype, st.integers(0, 60), elements=st.integers(0, 9))
)


@given(VALUES)
def test_levels_are_those_of_numpy(values: np.ndarray) -> None:
    levels, places, times = np.unique(values, return_inverse=True, return_counts=True)
    for found, expected in ((count_levels(values), (levels, times)), (find_levels(values), (levels, places))):
        assert found[0].dtype == values.dtype
        assert [each.tolist() for each in found] == [each.tolist() for each in expected]


@pytest.mark.parametrize("find", [count_levels, find_levels])
def test_both_zeros_are_one_level(find) -> None:
    assert find(np.array([0.0, -0.0, 1.0, -0.0]))[0].tolist() == [0.0, 1.0]
