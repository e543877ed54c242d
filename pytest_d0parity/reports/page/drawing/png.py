"""Pictures as PNG (ISO/IEC 15948), of eight bits a sample."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_TRUE_COLOR, _PALETTE = 2, 3


def encode_png(pixels: NDArray[np.uint8], palette: NDArray[np.uint8] | None = None) -> bytes:
    """Return a picture as a file.

    Parameters
    ----------
    pixels : (m, n, 3) ndarray of uint8, or (m, n) with a palette
        Red, green and blue of each pixel, or its place in the palette.
    palette : (k, 3) ndarray of uint8, optional
        At most 256 colours.
    """
    rows, columns = pixels.shape[:2]
    kind = _TRUE_COLOR if palette is None else _PALETTE
    unfiltered = np.zeros((rows, 1), np.uint8)  # each row says how it is filtered
    lines = np.concatenate([unfiltered, pixels.reshape(rows, -1)], axis=1)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">2I5B", columns, rows, 8, kind, 0, 0, 0)),
            _chunk(b"PLTE", palette.tobytes()) if palette is not None else b"",
            _chunk(b"IDAT", zlib.compress(lines.tobytes())),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
