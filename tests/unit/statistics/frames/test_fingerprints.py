"""Fingerprints of frames, beside their definition in plain Python."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_d0parity.statistics.blocks import ArraySource
from pytest_d0parity.statistics.distribution import describe
from pytest_d0parity.statistics.frames.fingerprints import FrameFingerprints
from pytest_d0parity.statistics.stack import Stack

DTYPES = ["?", "i1", "<u2", ">u2", "<i4", ">f4", "<f2", "<f8", ">f8", "<c8", ">c16", "<u8"]


def fingerprints(array: NDArray[Any]) -> tuple[str, str]:
    source = Stack(ArraySource(array))
    found = FrameFingerprints(source)
    describe(source, percents=(), observers=[found.add])
    return found.order, found.set


def by_definition(array: NDArray[Any]) -> tuple[str, str]:
    sums = []
    for frame in array:
        native = np.ascontiguousarray(frame.astype(frame.dtype.newbyteorder("=")))
        width = native.dtype.itemsize // (2 if native.dtype.kind == "c" else 1)
        words = np.frombuffer(native.tobytes(), f"=u{min(width, 8)}")
        sums.append(sum(words.tolist()) % 2**64)
    return tuple(
        hashlib.sha256(b"".join(each.to_bytes(8, "little") for each in order)).hexdigest()
        for order in (sums, sorted(sums))
    )


def random(dtype: str, shape: tuple[int, ...], seed: int = 0) -> NDArray[Any]:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 200, shape) - 60.5 * rng.random(shape)
    with np.errstate(invalid="ignore"):
        return np.asarray(abs(values) if np.dtype(dtype).kind in "u" else values).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(7, 5, 3), (3, 300, 300), (1000, 9, 9), (4,), (1, 1, 1)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_they_are_those_of_the_definition(dtype: str, shape: tuple[int, ...], order: Any) -> None:
    array = np.asarray(random(dtype, shape), order=order)
    assert fingerprints(array) == by_definition(array)


@given(st.permutations(range(6)), st.integers(0, 5), st.sampled_from(DTYPES))
def test_the_order_of_frames_is_told_from_which_frames_there_are(order: list[int], where: int, dtype: str) -> None:
    array = random(dtype, (6, 4, 4))
    moved = array[order]
    assert fingerprints(moved)[1] == fingerprints(array)[1]
    assert (fingerprints(moved)[0] == fingerprints(array)[0]) == bool((moved == array).all())
    turned = array.copy()
    turned[where] = turned[where].T[::-1]  # pixels move within a frame
    assert fingerprints(turned) == fingerprints(array)


def test_one_bit_changes_them() -> None:
    array = random("<f4", (50, 16, 16))
    other = array.copy()
    other[-1, -1, -1] = np.nextafter(other[-1, -1, -1], np.float32(np.inf))
    assert fingerprints(other)[0] != fingerprints(array)[0]
    assert fingerprints(other)[1] != fingerprints(array)[1]


def test_the_byte_order_does_not_count() -> None:
    array = random("<f8", (5, 4, 4))
    assert fingerprints(array.astype(">f8")) == fingerprints(array)
