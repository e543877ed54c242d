"""What one NPZ file holds: everything about it that does not depend on its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Protocol

from ...evidence.dataset import ArrayInfo, Frames, Histograms, Pattern, Scalar, Scan, Stats
from ...readers.zip_member import NpzError
from ...statistics.distribution import Distribution
from ...statistics.frames.frame_pictures import FramePictures
from ...statistics.records import PartStats, Photons, ProbeStats, StageStats
from ...util.files import describe_os_error


@dataclass(frozen=True)
class FileProblem:
    """A problem with one array of a file, or with the whole file if `array` is empty."""

    severity: Literal["error", "warning"]
    name: str
    array: str
    message: str


@dataclass
class Measurement:
    """What one NPZ file holds, as far as it can be read."""

    sha256: str | None = None
    size_bytes: int | None = None
    roles: dict[str, str] = field(default_factory=dict)
    arrays: dict[str, ArrayInfo] = field(default_factory=dict)
    frames: Frames | None = None
    pixels: int | None = None  # of a pattern
    groups: int | None = None  # of patterns that may have one position: of (b, h, w, c) b, of (h, w, n) none
    metadata: dict[str, Scalar] = field(default_factory=dict)
    stats: Stats = field(default_factory=Stats)
    histograms: Histograms = field(default_factory=Histograms)
    scans: tuple[Scan, ...] = ()
    pattern: Pattern | None = None
    photons: Photons | None = None
    standard_errors: dict[str, float] = field(default_factory=dict)
    probe: ProbeStats | None = None
    pictures: FramePictures | None = None
    problems: list[FileProblem] = field(default_factory=list)
    is_repeatable: bool = True  # False after a failure of the disk or for lack of memory, which may not come again

    def error(self, array: str, message: str, name: str = "unreadable") -> None:
        """Add a problem: something that could not be read, or that is ``unmeasured``."""
        self.problems.append(FileProblem("error", name, array, message))

    def warning(self, name: str, array: str, message: str) -> None:
        """Add a problem: something that was measured and looks wrong; for its name see `scenario.layout.WARNINGS`."""
        self.problems.append(FileProblem("warning", name, array, message))

    @contextmanager
    def errors_as_problems(self, array: str) -> Iterator[None]:
        """Add an error that keeps an array from being read to the problems, instead of raising it."""
        try:
            yield
        except NpzError as error:
            self.error(array, str(error))
        except OSError as error:
            self.error(array, f"it cannot be read: {describe_os_error(error)}")
            self.is_repeatable = False
        except MemoryError:
            self.error(array, "there is not enough memory for it, although only a value per frame is kept")
            self.is_repeatable = False

    def warn_if_not_finite(self, array: str, stats: ArrayInfo | Distribution | StageStats | PartStats) -> None:
        """Add a warning where values are not finite."""
        if stats.nan_count or stats.inf_count:
            self.warning(
                "non_finite",
                array,
                f"it holds {stats.nan_count} NaN and {stats.inf_count} infinite values, left out of the statistics",
            )


class MeasurementStore(Protocol):
    """A store of measurements, as `cache.MeasurementCache` is one."""

    def has_size(self, size: int) -> bool:
        """Return whether any file of this size is known."""

    def load(self, sha256: str, size: int, variant: str) -> Measurement | None:
        """Return the measurement of a file, or None if it is not known."""

    def save(self, measurement: Measurement, variant: str) -> None:
        """Store a measurement; those of one file that were asked for in different ways differ in their variant."""
