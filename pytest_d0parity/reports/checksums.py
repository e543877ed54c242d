"""``SHA256SUMS``: what ``sha256sum -c`` reads, run in the dataset root."""

from __future__ import annotations

import os

from ..evidence.model import EvidenceLog


def checksums(log: EvidenceLog) -> bytes:
    """Give a line per dataset: its hash and the raw bytes of its name.

    Parameters
    ----------
    log : EvidenceLog

    Returns
    -------
    bytes
        A name with a backslash or a line break is escaped as coreutils does, which marks its line
        by a leading backslash.
    """
    lines = []
    for dataset in log.datasets:
        if dataset.sha256 is not None:
            name = os.fsencode(dataset.filename)
            escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
            mark = b"\\" if escaped != name else b""
            lines.append(mark + dataset.sha256.encode() + b"  " + escaped + b"\n")
    return b"".join(lines)
