"""Statistics of arrays of any size, exact, and the same to the last bit on every machine.

An array is read as a stream of blocks at fixed element positions, once: see `moments` for sums, and
`windows` for percentiles, which are exact order statistics. Only what the windows have missed is looked
for in further passes; see `selection`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..util.records import as_dict
from .moments import Moments, MomentsTree, fold, fold_rows
from .quantile_windows import Forecast
from .radix_selection import Selection

Values = NDArray[Any]
Wide = NDArray[np.float64]

BLOCK = 1 << 16  # elements; small enough for a core's own cache in float64
EPSILON = 1e-12  # added to the maximum before normalising, as the training pipeline does

_SAFE_EXPONENT = 400  # squares of values within 2**±400 neither overflow nor vanish


# --- records -----------------------------------------------------------------------------------


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


class ScanIndexError(ValueError):
    """A ``scan_index`` that cannot be used, said in words that follow its name."""


# --- what can be measured ----------------------------------------------------------------------


class Source(Protocol):
    """An array that can be streamed, again and again, in the order in which it is stored."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Frames first."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """As stored."""

    @property
    def fortran_order(self) -> bool:
        """Whether the first index runs fastest in the stream."""

    def blocks(self, sizes: Iterable[int]) -> Iterator[Values]:
        """1-D pieces of these sizes; a piece is valid until the next one is asked for."""


class ArraySource:
    """An array in memory as a `Source`."""

    def __init__(self, array: ArrayLike) -> None:
        self._array = np.asarray(array)
        self.shape = self._array.shape
        self.dtype = self._array.dtype
        flags = self._array.flags
        self.fortran_order = bool(flags.f_contiguous and not flags.c_contiguous)

    def blocks(self, sizes: Iterable[int]) -> Iterator[Values]:
        """Yield views of the array, in its own memory order."""
        flat = self._array.ravel(order="F" if self.fortran_order else "C")
        start = 0
        for size in sizes:
            yield flat[start : start + size]
            start += size


def is_measurable(dtype: np.dtype[Any]) -> bool:
    """Whether a dtype is boolean, integer, real or complex."""
    return dtype.kind in "biufc"


def _frame_size(source: Source) -> int:
    """Give the number of values that belong together in the stream: those of a frame, or all."""
    if source.fortran_order or not source.shape:
        return math.prod(source.shape)
    return math.prod(source.shape[1:])


def _block_sizes(source: Source) -> Iterator[int]:
    """Cut an array at fixed places: whole frames where they fit into a block, else parts of one."""
    size, frame = math.prod(source.shape), _frame_size(source)
    if size == 0:
        return
    if frame <= BLOCK:
        yield from _cut(size, BLOCK // frame * frame)
    else:
        for _ in range(size // frame):
            yield from _cut(frame, BLOCK)


def _cut(size: int, step: int) -> Iterator[int]:
    for start in range(0, size, step):
        yield min(step, size - start)


@dataclass(frozen=True)
class Block:
    """Some consecutive values, as they go through a pass; they are valid until the next ones come.

    Attributes
    ----------
    finite : (k,) ndarray of float32 or float64
        The finite values; float32 where that holds every value of the stored dtype.
    rows : (m, n) ndarray of float64
        All positions, a frame or a part of one in each row; zero where the value is not finite.
    sums : (m,) ndarray of float64
        Of the rows.
    low, high : float
        The smallest and the largest of the finite values.
    lost : (m, n) ndarray of float64, or None
        One where the value is not finite, else zero; None when all are finite.
    """

    finite: Values
    rows: Wide
    sums: Wide
    low: float
    high: float
    lost: Wide | None


def _magnitude(values: Values) -> Values:
    if values.dtype.kind != "c":
        return values
    # hypot, not abs: NumPy's own abs of complex numbers rounds differently with the vector width.
    return np.hypot(values.real.astype(np.float64), values.imag.astype(np.float64))


def _phase(values: Values) -> Values:
    wide = values.astype(np.complex128)
    # The platform's own atan2, one by one: NumPy's differs in the last bit with version and vector width.
    angle = np.fromiter(map(math.atan2, wide.imag.tolist(), wide.real.tolist()), np.float64, wide.size)
    # Not finite where the amplitude is not, and in the same way: atan2 would make an angle of an infinity.
    magnitude = _magnitude(wide)
    return np.where(np.isfinite(magnitude), angle, magnitude)


# --- frames ----------------------------------------------------------------------------------


class FrameMeans:
    """The mean of each frame, collected while the stack streams by.

    Parameters
    ----------
    source : Source
        The stack; frames are counted by its first axis.
    """

    def __init__(self, source: Source) -> None:
        self._frames = source.shape[0]
        self._pixels = math.prod(source.shape[1:])
        self._by_pixel = source.fortran_order
        self._sums = np.zeros(self._frames)
        self._lost = np.zeros(self._frames)
        self._at = 0

    def add(self, block: Block) -> None:
        """Take the next block."""
        if self._by_pixel:
            self._add_by_pixel(self._sums, block.rows.reshape(-1))
            if block.lost is not None:
                self._add_by_pixel(self._lost, block.lost.reshape(-1))
        else:
            # Whole frames, or a part of one.
            first = self._at // self._pixels
            frames = slice(first, first + len(block.sums))
            self._sums[frames] += block.sums
            if block.lost is not None:
                self._lost[frames] += fold_rows(block.lost)
        self._at += block.rows.size

    def means(self) -> Wide:
        """Mean of the finite pixels of each frame; NaN for a frame that has none."""
        with np.errstate(all="ignore"):
            return self._sums / (self._pixels - self._lost)

    def _add_by_pixel(self, sums: Wide, wide: Wide) -> None:
        # In Fortran order the file holds one value of every frame, then the next of every frame.
        at = self._at % self._frames
        head = min(-at % self._frames, len(wide))
        sums[at : at + head] += wide[:head]
        rows = (len(wide) - head) // self._frames
        body = wide[head : head + rows * self._frames].reshape(rows, self._frames)
        sums += fold(body)
        tail = wide[head + body.size :]
        sums[: len(tail)] += tail


# --- distributions -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Distribution:
    """What one stream of values comes to; `order` maps ranks (from 0) to values."""

    count: int
    nan_count: int
    inf_count: int
    min: float
    max: float
    mean: float
    std: float
    nonzero_fraction: float
    order: Mapping[int, float]

    def percentile(self, percent: int) -> float:
        """Linear interpolation between order statistics, by NumPy's formula and rounding."""
        if not self.count:
            return 0.0
        place = (self.count - 1) * (percent / 100)
        below, above = (self.order[rank] for rank in _neighbours(self.count, percent))
        share = place - math.floor(place)
        if share >= 0.5:
            return above - (above - below) * (1 - share)
        return below + (above - below) * share

    @property
    def median(self) -> float:
        """Middle value, or the mean of the two."""
        if not self.count:
            return 0.0
        below, above = self.order[(self.count - 1) // 2], self.order[self.count // 2]
        middle = (below + above) / 2
        return middle if math.isfinite(middle) else below / 2 + above / 2

    @property
    def l2_norm(self) -> float:
        """Square root of the sum of squares."""
        return math.sqrt(self.count) * math.hypot(self.mean, self.std)

    def divided(self, divisor: float) -> Distribution:
        """Give the distribution of the quotients, exact for ranks and extremes, without another pass."""
        if not self.count:
            return self
        quotients = {rank: value / divisor + 0.0 for rank, value in self.order.items()}
        low, high = self.min / divisor + 0.0, self.max / divisor + 0.0
        if divisor < 0:
            low, high = high, low
            quotients = {self.count - 1 - rank: value for rank, value in quotients.items()}
        return replace(
            self, min=low, max=high, mean=self.mean / divisor + 0.0, std=self.std / abs(divisor), order=quotients
        )


def _neighbours(count: int, percent: int) -> tuple[int, int]:
    below = math.floor((count - 1) * (percent / 100))
    return below, min(below + 1, count - 1)


def _wanted_ranks(count: int, percents: Iterable[int]) -> set[int]:
    if not count:
        return set()
    ranks = {rank for percent in percents for rank in _neighbours(count, percent)}
    # Both ends of every pair, so that a negative divisor finds the mirrored ranks too.
    return ranks | {count - 1 - rank for rank in ranks} | {(count - 1) // 2, count // 2}


def _shares(percents: Iterable[int]) -> list[float]:
    return [each / 100 for each in sorted({50} | {side for percent in percents for side in (percent, 100 - percent)})]


_STAGE_PERCENTS = (1, 10, 50, 90, 99)
_PART_PERCENTS = (1, 5, 50, 95, 99)


def describe(
    source: Source,
    *,
    percents: Sequence[int] = _STAGE_PERCENTS,
    part: Callable[[Values], Values] = _magnitude,
    observers: Sequence[Callable[[Block], None]] = (),
) -> Distribution:
    """Measure an array in as many passes as its percentiles need (one or two, rarely more).

    Parameters
    ----------
    source : Source
        Of any boolean, integer, real or complex dtype.
    percents : sequence of int
        The percentiles that will be asked for.
    part : callable
        What is measured of each value; by default complex values by their magnitude.
    observers : sequence of callable
        Each is given every `Block` of the first pass.

    Returns
    -------
    Distribution
        Over the finite values. All zeros where there is none.
    """
    count = nan_count = inf_count = zeros = 0
    low, high = math.inf, -math.inf
    tree = MomentsTree()
    forecast = Forecast(_shares(percents), math.prod(source.shape))
    with np.errstate(all="ignore"):
        for block, nans, infs in _pass(source, part):
            nan_count += nans
            inf_count += infs
            for observe in observers:
                observe(block)
            moments = Moments.of(block.rows, block.sums, block.lost)
            if moments is None:
                continue
            tree.add(moments)
            count += moments.count
            zeros += int(np.count_nonzero(np.equal(block.finite, 0)))
            low, high = min(low, block.low), max(high, block.high)
            forecast.add(block.finite)
        if not count:
            return Distribution(0, nan_count, inf_count, 0.0, 0.0, 0.0, 0.0, 0.0, {})
        order = _order(source, part, forecast, _wanted_ranks(count, percents))
        mean, std = _mean_and_std(source, part, tree, low, high)
    return Distribution(
        count=count,
        nan_count=nan_count,
        inf_count=inf_count,
        min=low + 0.0,
        max=high + 0.0,
        mean=mean + 0.0,
        std=std,
        nonzero_fraction=(count - zeros) / count,
        order=order,
    )


def _order(
    source: Source, part: Callable[[Values], Values], forecast: Forecast, ranks: Iterable[int]
) -> dict[int, float]:
    """Give the values of some ranks, in further passes where they were not foretold."""
    found = {rank: value for rank in ranks if (value := forecast.find(rank)) is not None}
    missed = set(ranks) - set(found)
    if missed and (windows := forecast.second_look(missed)):
        for block, _, _ in _pass(source, part):
            windows.add(block.finite)
        found |= {rank: float(value) + 0.0 for rank in missed if (value := windows.at(rank)) is not None}
        missed -= set(found)
    selection = Selection(missed)
    while selection.needs_pass:
        for block, _, _ in _pass(source, part):
            selection.add(block.finite)
        selection.close_pass()
    return found | selection.found


def _pass(source: Source, part: Callable[[Values], Values]) -> Iterator[tuple[Block, int, int]]:
    """Stream the blocks of an array, each with its number of NaN and of infinite values."""
    frame = _frame_size(source)
    memory = np.empty(min(BLOCK, math.prod(source.shape)))
    for stored in source.blocks(_block_sizes(source)):
        values = part(stored)
        narrow = np.can_cast(values.dtype, np.float32, "safe")
        values = np.ascontiguousarray(values, dtype=np.float32 if narrow else np.float64)
        # The extremes come first, not by chance: the inflater may leave the vector registers in a state in which
        # NumPy's plainer loops run four times slower, and these loops are of the kind that puts it right.
        low, high = float(values.min()), float(values.max())
        rows = memory[: values.size].reshape(max(values.size // frame, 1), -1)
        rows[:] = values.reshape(rows.shape)
        # One NaN or infinity anywhere is one of the extremes; only then is a closer look needed.
        if math.isfinite(low) and math.isfinite(high):
            yield Block(values, rows, fold_rows(rows), low, high, None), 0, 0
            continue
        finite = np.isfinite(values)
        nans = int(np.count_nonzero(np.isnan(values)))
        infs = values.size - int(np.count_nonzero(finite)) - nans
        lost = (~finite).astype(np.float64).reshape(rows.shape)
        rows[lost > 0] = 0.0
        values = values[finite]
        low, high = float(values.min(initial=math.inf)), float(values.max(initial=-math.inf))
        yield Block(values, rows, fold_rows(rows), low, high, lost), nans, infs


def _mean_and_std(
    source: Source, part: Callable[[Values], Values], tree: MomentsTree, low: float, high: float
) -> tuple[float, float]:
    if low == high:
        return low, 0.0
    exponent = math.frexp(max(-low, high))[1]
    if abs(exponent) <= _SAFE_EXPONENT:
        exponent = 0
    else:
        # Squares of such values overflow or vanish: once more, scaled by a power of two.
        tree = MomentsTree()
        for block, _, _ in _pass(source, part):
            rows = np.ldexp(block.rows, -exponent)
            if (scaled := Moments.of(rows, fold_rows(rows), block.lost)) is not None:
                tree.add(scaled)
    moments = tree.root()
    mean = min(max(math.ldexp(moments.mean, exponent), low), high)
    return mean, math.ldexp(math.sqrt(moments.deviation / moments.count), exponent)


# --- stages and probe --------------------------------------------------------------------------


def stage_stats(values: Distribution) -> StageStats:
    """Give the statistics of a stage from its distribution."""
    return StageStats(
        min=values.min,
        max=values.max,
        mean=values.mean,
        std=values.std,
        median=values.median,
        p01=values.percentile(1),
        p10=values.percentile(10),
        p90=values.percentile(90),
        p99=values.percentile(99),
        nonzero_fraction=values.nonzero_fraction,
        count=values.count,
        nan_count=values.nan_count,
        inf_count=values.inf_count,
    )


def normalized_stats(raw: Distribution) -> StageStats:
    """Give the statistics of ``diff3d / (diff3d.max() + 1e-12)``, from those of ``diff3d``.

    Parameters
    ----------
    raw : Distribution
        Of ``diff3d`` as stored.

    Returns
    -------
    StageStats
        Of the float64 quotients. All zeros where the divisor is zero, which only a maximum of
        exactly -1e-12 gives.
    """
    divisor = raw.max + EPSILON
    if not divisor:
        return stage_stats(Distribution(0, raw.nan_count, raw.inf_count, 0.0, 0.0, 0.0, 0.0, 0.0, {}))
    return stage_stats(raw.divided(divisor))


@dataclass(frozen=True)
class ScanMeans:
    """The mean intensity of each scan.

    Attributes
    ----------
    scan_index : (m,) ndarray of int
        The different values of ``scan_index``, ascending.
    n_patterns : (m,) ndarray of int
        Number of frames whose mean is a number.
    means : (m,) ndarray of float64
        Average of the frames' means; NaN where there is none.
    n_frames : int
        Number of frames in all.
    """

    scan_index: NDArray[Any]
    n_patterns: NDArray[np.int64]
    means: Wide
    n_frames: int

    @property
    def measured(self) -> Wide:
        """The means that are numbers."""
        return self.means[self.n_patterns > 0]


def scan_means(frame_means: Wide, scan_index: ArrayLike) -> ScanMeans:
    """Average the means of the frames of each scan.

    Parameters
    ----------
    frame_means : (n,) ndarray of float64
        Mean of each frame's pixels; a NaN frame is left out.
    scan_index : (n,) array_like of int
        Which scan each frame belongs to; any integers.

    Returns
    -------
    ScanMeans

    Raises
    ------
    ScanIndexError
        If `scan_index` is not integral or not of length n.
    """
    index = np.asarray(scan_index)
    check_scan_index(index.dtype, index.size, len(frame_means))
    scans, scan_of_frame = np.unique(index.reshape(-1), return_inverse=True)
    measured = ~np.isnan(frame_means)
    scan_of_frame = scan_of_frame[measured]
    # bincount adds frame after frame: a fixed order.
    totals = np.bincount(scan_of_frame, frame_means[measured], minlength=len(scans))
    frames = np.bincount(scan_of_frame, minlength=len(scans))
    with np.errstate(invalid="ignore"):
        return ScanMeans(scans, frames, totals / frames, len(frame_means))


def grouped_stats(scans: ScanMeans) -> GroupedStats:
    """Give the statistics over the mean intensities of the scans."""
    stats = stage_stats(describe(ArraySource(scans.measured)))
    return GroupedStats(**asdict(stats), n_unique_scans=len(scans.means), n_patterns=scans.n_frames)


def check_scan_index(dtype: np.dtype[Any], size: int, frames: int) -> None:
    """Say what is wrong with a ``scan_index`` of this dtype and size, if anything is."""
    if dtype.kind not in "iu":
        raise ScanIndexError(f"is {dtype}, but integers are expected: one per frame, naming its scan")
    if size != frames:
        raise ScanIndexError(f"has {size} entries, but diff3d has {frames} frames: one entry per frame is needed")


def measure_probe(source: Source) -> ProbeStats:
    """Measure a probe.

    Parameters
    ----------
    source : Source
        Complex (or real) probe of any shape.

    Returns
    -------
    ProbeStats
    """
    amplitude = describe(source, percents=_PART_PERCENTS, part=_amplitude)
    return ProbeStats(
        amplitude=_part_stats(amplitude),
        phase=_part_stats(describe(source, percents=_PART_PERCENTS, part=_phase)),
        l2_norm=amplitude.l2_norm,
        shape=source.shape,
        dtype=str(source.dtype),
    )


def _amplitude(values: Values) -> Values:
    return _magnitude(values.astype(np.complex128))


def _part_stats(values: Distribution) -> PartStats:
    return PartStats(
        min=values.min,
        max=values.max,
        mean=values.mean,
        std=values.std,
        p01=values.percentile(1),
        p05=values.percentile(5),
        p50=values.percentile(50),
        p95=values.percentile(95),
        p99=values.percentile(99),
        nan_count=values.nan_count,
        inf_count=values.inf_count,
    )


# --- the same, for arrays in memory ------------------------------------------------------------


def summarize_array(arr: ArrayLike) -> dict[str, float | int]:
    """Statistics of an array, as the log holds them for the stage ``raw``.

    Parameters
    ----------
    arr : array_like
        Any shape; boolean, integer, real, or complex (reduced to its magnitude).

    Returns
    -------
    dict
        The fields of `StageStats`; the counts of NaN and infinities only when not zero.

    Raises
    ------
    TypeError
        If the dtype is not numeric.

    Examples
    --------
    >>> summarize_array([0.0, 1.0, 2.0, 0.0, 3.0])["nonzero_fraction"]
    0.6
    """
    return as_dict(stage_stats(describe(_numeric(arr))))


def summarize_grouped(diff3d: ArrayLike, scan_index: ArrayLike) -> dict[str, float | int]:
    """Statistics over scans, as the log holds them for the stage ``grouped``.

    Parameters
    ----------
    diff3d : (n, ...) array_like
        n frames.
    scan_index : (n,) array_like of int
        Which scan each frame belongs to.

    Returns
    -------
    dict
        The fields of `GroupedStats`.

    Raises
    ------
    ScanIndexError
        If `scan_index` is not integral or not of length n.
    TypeError
        If `diff3d` is not numeric, or has no axis of frames.
    """
    source = _numeric(diff3d)
    if not source.shape:
        raise TypeError("diff3d is a single number; an array of frames is expected")
    index = np.asarray(scan_index)
    check_scan_index(index.dtype, index.size, source.shape[0])
    frames = FrameMeans(source)
    describe(source, percents=(), observers=[frames.add])
    return as_dict(grouped_stats(scan_means(frames.means(), index)))


def summarize_probe(probe_array: ArrayLike) -> dict[str, Any]:
    """Statistics of a probe, as the log holds them.

    Parameters
    ----------
    probe_array : array_like
        Complex or real, any shape.

    Returns
    -------
    dict
        ``amplitude`` and ``phase`` (the fields of `PartStats`), ``l2_norm``, ``shape``, ``dtype``.

    Raises
    ------
    TypeError
        If the dtype is not numeric.
    """
    probe = measure_probe(_numeric(probe_array))
    return as_dict(probe) | {
        "amplitude": as_dict(probe.amplitude),
        "phase": as_dict(probe.phase),
        "shape": list(probe.shape),
    }


def _numeric(array: ArrayLike) -> ArraySource:
    source = ArraySource(array)
    if not is_measurable(source.dtype):
        raise TypeError(f"an array of {source.dtype} cannot be measured; numbers are expected")
    return source
