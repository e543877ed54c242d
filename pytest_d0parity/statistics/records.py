"""Measured statistics as frozen records. The names of their fields are the keys of the log.

Nothing here needs NumPy, since this module is imported at start-up by whatever reads a log.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ..util.records import optional

Domain = Literal["amplitude", "intensity"]
STAGES = ("raw", "normalized", "grouped")  # in the order in which they are computed
MISLABELLED = 0.05  # share by which the counted dose must differ from the dose in the file name


@dataclass(frozen=True, kw_only=True)
class StageStats:
    """Statistics of a stage, in the unit of ``diff3d`` as stored.

    Attributes
    ----------
    min, max, mean, std, median, p01, p10, p90, p99 : float
        Over the finite values, as float64. `std` is that of the population; percentiles are
        interpolated linearly between order statistics. All zero where there is no finite value.
    nonzero_fraction : float
        Share of the finite values that are not zero.
    count : int
        Number of finite values.
    nan_count, inf_count : int
        Number of values that are left out.
    """

    min: float
    max: float
    mean: float
    std: float
    median: float
    p01: float
    p10: float
    p90: float
    p99: float
    nonzero_fraction: float
    count: int
    nan_count: int = optional(0)
    inf_count: int = optional(0)


@dataclass(frozen=True, kw_only=True)
class GroupedStats(StageStats):
    """Statistics over the mean intensities of the scans.

    Attributes
    ----------
    n_unique_scans : int
        Number of different values of ``scan_index``.
    n_patterns : int
        Number of frames.
    """

    n_unique_scans: int
    n_patterns: int


@dataclass(frozen=True, kw_only=True)
class PartStats:
    """Statistics of a probe's amplitude or phase.

    Attributes
    ----------
    min, max, mean, std, p01, p05, p50, p95, p99 : float
        Over the finite values: of the amplitude in the unit of ``probeGuess``, of the phase in radians, -π to π.
    nan_count, inf_count : int
        Number of values that are left out.
    """

    min: float
    max: float
    mean: float
    std: float
    p01: float
    p05: float
    p50: float
    p95: float
    p99: float
    nan_count: int = optional(0)
    inf_count: int = optional(0)


@dataclass(frozen=True, kw_only=True)
class ProbeStats:
    """Statistics of a probe.

    Attributes
    ----------
    amplitude, phase : PartStats
        Of ``hypot`` and ``atan2`` of the real and imaginary parts, in float64.
    l2_norm : float
        Square root of the sum of the squared amplitudes.
    shape : tuple of int
        Shape as stored.
    dtype : str
        Data type as stored.
    """

    amplitude: PartStats
    phase: PartStats
    l2_norm: float
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """How often values occur. Histograms are plotted, and never compared with a reference.

    Attributes
    ----------
    edges : tuple of float
        Ascending. For the raw stage there are four bins between a power of two and the next, down to the largest
        magnitude / 65536; smaller values share one bin with zero. The normalized stage has the same bins, divided
        by its divisor.
    counts : tuple of int
        ``numpy.histogram(values, edges)[0]`` over the finite values. Of an array of 4194304 values or more, only
        evenly spaced blocks are counted, 2097152 values or more in all.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]

    def divided(self, divisor: float) -> Histogram:
        """Return the histogram of the values divided by a positive number."""
        return Histogram(edges=tuple(edge / divisor for edge in self.edges), counts=self.counts)


@dataclass(frozen=True, kw_only=True)
class Photons:
    """The dose counted from ``diff3d``.

    Attributes
    ----------
    quantum : float or None
        Square of the amplitude, or the intensity, of a single photon; None where the data is not quantized.
    per_pattern : float or None
        Mean number of photons in a pattern; None where the data is not quantized.
    residual : float or None
        Largest distance of the counted photons of a pixel from an integer, over a sample of the values; None
        where no quantum was found.
    quantized : bool
        Whether the squares, or the values, are integer multiples of the quantum.
    min, max, std : float or None
        Of the photons in a pattern, over the patterns; `std` is that of the population. None where the data is not
        quantized.
    empty : int or None
        Number of patterns without any photon; None where nothing was measured.
    domain : str or None
        What the patterns hold: ``amplitude``, the square root of counts times a constant, or ``intensity``, counts
        times a constant. Integers are taken as counts, though a camera's units are integers too. None where the data
        is not quantized.
    expected : float or None
        Dose in the file name, in photons per pattern; None where it has none.
    ratio : float or None
        ``per_pattern / expected``.
    """

    quantum: float | None = None
    per_pattern: float | None = None
    residual: float | None = None
    quantized: bool = False
    domain: Domain | None = None
    min: float | None = None
    max: float | None = None
    std: float | None = None
    empty: int | None = None
    expected: float | None = None
    ratio: float | None = None

    def against(self, expected: float | None) -> Photons:
        """Return these photons compared with the dose that the file name claims."""
        ratio = self.per_pattern / expected if self.per_pattern is not None and expected else None
        return replace(self, expected=expected, ratio=ratio)

    @property
    def mislabelled(self) -> bool:
        """Whether the counted dose differs from the dose in the file name by more than 5 %."""
        return self.ratio is not None and abs(self.ratio - 1) > MISLABELLED
