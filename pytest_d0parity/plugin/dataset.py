"""A dataset as the users' own checks see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ..evidence.model import ArrayInfo, Stats
from ..readers.npz import NpzError, NpzFile
from ..statistics.records import Photons, ProbeStats
from ..util.files import describe_os_error
from ..util.text import printable


@dataclass(frozen=True, kw_only=True)
class ParityDataset:
    """One dataset of the sweep.

    Attributes
    ----------
    filename : str
    path : str
        Where the file is.
    photon_dose : str or None
        As the name spells it, like ``"1e5"``.
    sha256 : str or None
    size_bytes : int or None
    arrays : mapping of str to ArrayInfo
        Shape, dtype, CRC-32 and length of every array.
    stats : Stats
        The stages `raw`, `normalized` and `grouped`; None where one could not be measured.
    photons : Photons or None
    probe : ProbeStats or None
    """

    filename: str
    path: str
    photon_dose: str | None
    sha256: str | None
    size_bytes: int | None
    arrays: Mapping[str, ArrayInfo]
    stats: Stats
    photons: Photons | None
    probe: ProbeStats | None

    def load(self, name: str) -> NDArray[Any]:
        """Load an array.

        Parameters
        ----------
        name : str
            Without ``.npy``.

        Returns
        -------
        ndarray
            Whole, in memory; its CRC-32 was verified.

        Raises
        ------
        NpzError
            If there is no such array, or it cannot be read; it names the file and the reason.
        """
        where = f"{printable(self.filename)}:{printable(name)}"
        try:
            with NpzFile(self.path) as npz:
                if name in npz.broken:
                    raise NpzError(npz.broken[name])
                if name not in npz.members:
                    raise NpzError(f"there is no such array; there is: {', '.join(map(printable, npz.members))}")
                return npz.read(npz.members[name])
        except NpzError as error:
            raise NpzError(f"{where}: {error}") from None
        except OSError as error:
            raise NpzError(f"{where}: it cannot be read: {describe_os_error(error)}") from None
