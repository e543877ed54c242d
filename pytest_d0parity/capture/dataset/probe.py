"""The probe of a file, and its modes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...readers.npz import NpzFile
from ...statistics.blocks import magnitude
from ...statistics.moments import row_sums
from ...statistics.stages import measure_probe
from .measurement import Measurement
from .member_source import MemberSource
from .other_arrays import SMALL, check_dtype
from .roles import PROBE, Roles


def measure_probe_of(npz: NpzFile, result: Measurement, roles: Roles) -> None:
    """Measure the probe, if there is one.

    Raises
    ------
    NpzError, OSError, MemoryError
        If it cannot be read.
    """
    name = roles.names.get(PROBE)
    if name is None or name in npz.broken:
        return
    member = npz.members[name]
    check_dtype(member)
    if not member.size:
        result.warning("empty", name, f"it is empty (shape {member.shape}); its statistics are zeros")
    probe = measure_probe(MemberSource(npz, member))
    result.warn_if_not_finite(name, probe.amplitude)
    if is_multimode(member.shape) and member.size_bytes <= SMALL:
        probe = replace(probe, power_per_mode=_power_per_mode(npz, name))
    result.probe = probe


def is_multimode(shape: tuple[int, ...]) -> bool:
    """Whether a probe of shape (p, h, w) has several modes."""
    return len(shape) == 3 and shape[0] > 1 and shape[2] != 1


def _power_per_mode(npz: NpzFile, name: str) -> tuple[float, ...]:
    modes = npz.read(npz.members[name])
    amplitudes = np.nan_to_num(magnitude(np.ascontiguousarray(modes, np.complex128)).reshape(len(modes), -1))
    return tuple(float(power) for power in row_sums(amplitudes * amplitudes))
