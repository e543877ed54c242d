"""The layouts in which people keep photon-dose sweeps, as the simulator writes them. Without NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from ..util.errors import ParityError

DEFAULT_LAYOUT = "amplitude"


class SimulationError(ParityError, ValueError):
    """A sweep that cannot be simulated as it is asked for. The message says why."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a simulated sweep is kept: names, axes and units. What is measured does not depend on it.

    Attributes
    ----------
    summary : str
        What is particular about it, for people.
    file : str
        The path of a file below the folder of the sweep. In braces: ``spelled``, the dose as it was asked for;
        ``photons`` and ``whole``, the dose in photons per pattern with and without a decimal point; ``mean_count``,
        photons per pixel; ``number``, which dose it is, from 1; ``split``.
    splits : tuple of str
        What is drawn for each dose: one file, or a pair of them.
    patterns : str
        Name of the array of patterns.
    axes : str
        Its axes: b groups or n patterns of h rows and w columns, c channels; ``1`` is an axis of length one.
    channels : int
        Patterns in a group, where `axes` has channels.
    domain : str
        ``amplitude``: square roots of counts over that of the dose; ``intensity``: counts.
    gain : float
        What one photon adds to a value of the domain ``intensity``.
    dtype : str
        Data type of the patterns. An integer type that cannot hold the counts gives way to the next wider one.
    modes : int
        Incoherent modes of the probe. The probe of a single mode has no axis for them.
    scan_index : bool
        Whether there is a ``scan_index``.
    metadata : str
        Which dose the JSON text in ``_metadata`` tells: ``nphotons`` per pattern, the ``target_mean_count`` per pixel,
        or, where it is empty, that there is no such array.
    """

    summary: str
    file: str = "data_p{spelled}.npz"
    splits: tuple[str, ...] = ("all",)
    patterns: str = "diff3d"
    axes: Literal["nhw", "hwn", "1nhw", "bhwc"] = "nhw"
    channels: int = 1
    domain: Literal["amplitude", "intensity"] = "amplitude"
    gain: float = 1.0
    dtype: Literal["float32", "uint16"] = "float32"
    modes: Literal[1, 3] = 1
    scan_index: bool = True
    metadata: Literal["", "nphotons", "target_mean_count"] = ""

    @property
    def names_tell_doses(self) -> bool:
        """Whether the names of its files, or their folders, say the dose by convention."""
        return any(f"{{{part}}}" in self.file for part in ("spelled", "photons", "whole", "mean_count"))

    def frames_per_file(self, frames: int) -> tuple[int, ...]:
        """Return the number of patterns in the file of each split: whole groups, and a third of them for a test."""
        wanted = (frames, max(frames // 3, 1))[: len(self.splits)]
        return tuple(-(-number // self.channels) * self.channels for number in wanted)


_PAIR = ("train", "test")

LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        DEFAULT_LAYOUT: Layout(summary="amplitudes in data_p<dose>.npz"),
        "dose-ladder": Layout(
            summary="pairs of uint16 counts, named by the mean count of a pixel",
            file="lines_N64_tmc{mean_count}_{split}.npz",
            splits=_PAIR,
            domain="intensity",
            dtype="uint16",
            scan_index=False,
            metadata="target_mean_count",
        ),
        "named-by-nphotons": Layout(
            summary="amplitudes, the dose in the name and in the metadata",
            file="simulated_data_nphotons_{photons}.npz",
            metadata="nphotons",
        ),
        "grouped": Layout(
            summary="four neighbours each as the channels of a group", patterns="diffraction", axes="bhwc", channels=4
        ),
        "trailing-axis": Layout(
            summary="pairs with an axis of length one at the end, the dose in the metadata alone",
            file="run{number}/N64/gs1/{split}.npz",
            splits=_PAIR,
            patterns="diffraction",
            axes="bhwc",
            scan_index=False,
            metadata="nphotons",
        ),
        "frames-last": Layout(summary="rows and columns before the frames", axes="hwn"),
        "leading-axis": Layout(summary="an axis of length one in front of the frames", axes="1nhw"),
        "folders": Layout(
            summary="pairs of float32 counts, in a folder for each dose",
            file="dose_{whole}/patched_{split}.npz",
            splits=_PAIR,
            domain="intensity",
        ),
        "gain": Layout(summary="counts times a gain of 0.37", domain="intensity", gain=0.37),
        "probe-modes": Layout(summary="a probe of three incoherent modes", modes=3),
    }
)


def find_layout(name: str) -> Layout:
    """Return the layout of a name.

    Raises
    ------
    SimulationError
        If there is none. The message lists the names.

    Examples
    --------
    >>> find_layout("gain").gain
    0.37
    """
    if name not in LAYOUTS:
        raise SimulationError(f"there is no layout {name!r}; there are: {', '.join(LAYOUTS)}")
    return LAYOUTS[name]
