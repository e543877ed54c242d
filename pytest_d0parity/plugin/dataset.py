"""The dataset that the fixture ``parity_dataset`` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ..evidence.dataset import ArrayInfo, Stats
from ..readers.npz import NpzFile
from ..readers.zip_member import NpzError
from ..statistics.records import Photons, ProbeStats
from ..util.files import describe_os_error
from ..util.runtime import ReplacedError, refuse_replaced
from ..util.text import listed, printable


@dataclass(frozen=True, kw_only=True)
class ParityDataset:
    """One dataset of the sweep.

    Attributes
    ----------
    filename : str
        Its name in the dataset root.
    path : str
        The path of the file.
    photon_dose : str or None
        The dose in the file name, like ``"1e5"``.
    sha256 : str or None
        Of the file; like all that follows, None if it could not be read or measured.
    size_bytes : int or None
        Of the file.
    roles : mapping of str to str
        Which array plays which role; read-only.
    arrays : mapping of str to ArrayInfo
        Shape, dtype, CRC-32 and bytes of each array, by its name; read-only.
    stats : Stats
        Statistics of the stages `raw`, `normalized` and `grouped`.
    photons : Photons or None
        The photons that are counted in ``diff3d``.
    probe : ProbeStats or None
        Statistics of ``probeGuess``.
    """

    filename: str
    path: str
    photon_dose: str | None
    sha256: str | None
    size_bytes: int | None
    roles: Mapping[str, str]
    arrays: Mapping[str, ArrayInfo]
    stats: Stats
    photons: Photons | None
    probe: ProbeStats | None

    def load(self, name: str) -> NDArray[Any]:
        """Load an array, and verify its CRC-32.

        Parameters
        ----------
        name : str
            Its role, like ``diff3d``, or else its name in the archive, without ``.npy``.

        Raises
        ------
        NpzError
            If there is no such array, or it cannot be read; the message says which file and why.
        """
        where = f"{printable(self.filename)}:{printable(name)}"
        try:
            refuse_replaced("the array")
            with NpzFile(self.path) as npz:
                name = self.roles.get(name, name)
                if name in npz.broken:
                    raise NpzError(npz.broken[name])
                if name not in npz.members:
                    raise NpzError(f"there is no such array; there is: {listed([*npz.members], 20)}")
                return npz.read(npz.members[name])
        except (NpzError, ReplacedError) as error:
            raise NpzError(f"{where}: {error}") from None
        except OSError as error:
            raise NpzError(f"{where}: it cannot be read: {describe_os_error(error)}") from None
