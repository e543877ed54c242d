"""What is measured, as frozen records: the names of their fields are those of the log."""

from __future__ import annotations

from dataclasses import dataclass, replace

STAGES = ("raw", "normalized", "grouped")  # in the order in which they are computed


@dataclass(frozen=True, kw_only=True)
class StageStats:
    """Statistics of a stage; units are those of ``diff3d`` as stored.

    Attributes
    ----------
    min, max, mean, std, median, p01, p10, p90, p99 : float
        Over the finite values, as float64. `std` is that of the population; percentiles are
        interpolated linearly between order statistics. All zero where there is no value.
    nonzero_fraction : float
        Share of the finite values that are not zero.
    count : int
        Number of finite values.
    nan_count, inf_count : int
        Values left out.
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
    nan_count: int = 0
    inf_count: int = 0


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
    """Statistics of a probe's amplitude (unit of ``probeGuess``) or phase (radians, -π to π)."""

    min: float
    max: float
    mean: float
    std: float
    p01: float
    p05: float
    p50: float
    p95: float
    p99: float
    nan_count: int = 0
    inf_count: int = 0


@dataclass(frozen=True, kw_only=True)
class ProbeStats:
    """Statistics of a probe.

    Attributes
    ----------
    amplitude, phase : PartStats
        Of ``hypot`` and ``atan2`` of the parts, in float64.
    l2_norm : float
        Square root of the sum of the squared amplitudes.
    shape : tuple of int
    dtype : str
    """

    amplitude: PartStats
    phase: PartStats
    l2_norm: float
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """How often values occur; it is looked at and not compared.

    Attributes
    ----------
    edges : tuple of float
        Ascending. Of the raw stage they are quarters of octaves, down to the largest magnitude / 65536; what is
        smaller shares one bin with zero. Those of the normalized stage are divided as its values are.
    counts : tuple of int
        ``numpy.histogram(values, edges)[0]`` over the finite values. Of an array of 4194304 values and more,
        whole blocks at even distances are counted, 2097152 values or more in all.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]

    def divided(self, divisor: float) -> Histogram:
        """Give the histogram of the quotients by a positive number."""
        return Histogram(edges=tuple(edge / divisor for edge in self.edges), counts=self.counts)


@dataclass(frozen=True, kw_only=True)
class Photons:
    """What the squares of ``diff3d`` say about the dose.

    Attributes
    ----------
    quantum : float or None
        Square of the amplitude of one photon; None where the data is not quantized.
    per_pattern : float or None
        Photons in a pattern, averaged over the frames.
    residual : float or None
        Largest distance of ``diff3d**2 / quantum`` from an integer, over the values tried; None
        where no quantum could be proposed.
    quantized : bool
        Whether the squares are integer multiples of the quantum.
    expected : float or None
        Dose in the file's name.
    ratio : float or None
        ``per_pattern / expected``.
    """

    quantum: float | None = None
    per_pattern: float | None = None
    residual: float | None = None
    quantized: bool = False
    expected: float | None = None
    ratio: float | None = None

    def against(self, expected: float | None) -> Photons:
        """Put the same photons beside the dose that a label claims."""
        ratio = self.per_pattern / expected if self.per_pattern is not None and expected else None
        return replace(self, expected=expected, ratio=ratio)

    @property
    def mislabelled(self) -> bool:
        """Whether the label is off by more than 5 %."""
        return self.ratio is not None and abs(self.ratio - 1) > MISLABELLED


STAGES = ("raw", "normalized", "grouped")  # of diff3d, in the order of the pipeline

MISLABELLED = 0.05  # a dose that is off by more than this share does not belong to its label
