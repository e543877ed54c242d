"""A log as the page shows it: its records, the values that are compared, and the pictures beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ...comparison.values import Named, Values, values_of
from ...evidence.dataset import Dataset
from ...evidence.model import EvidenceLog
from ...evidence.pictures import Pictures, name_of
from ...util.text import valid_utf8


@dataclass(frozen=True)
class ShownDataset:
    """A dataset of a log, and its comparable values by name.

    Attributes
    ----------
    dose : float or None
        Photons per pattern, as the name says.
    probe : str or None
        Name of its probe in the archive of pictures.
    """

    record: Dataset
    values: Named
    dose: float | None
    probe: str | None


@dataclass(frozen=True)
class ShownLog:
    """A log, the SHA-256 of its file, and the pictures that lie beside it."""

    log: EvidenceLog
    pictures: Pictures
    sha256: str = ""

    @cached_property
    def values(self) -> Values:
        """The values that are compared."""
        return values_of(self.log)

    @cached_property
    def datasets(self) -> Mapping[str, ShownDataset]:
        """By file name, in the order of the log."""
        shown = {}
        for record in self.log.datasets:
            name = valid_utf8(record.filename)
            values, dose = self.values.datasets[name], record.claimed_photons
            shown[name] = ShownDataset(record, values, dose, name_of(record, "probeGuess"))
        return shown

    @property
    def tally(self) -> Counter[str]:
        """How many checks have which outcome."""
        return Counter(check.outcome for check in self.log.checks)
