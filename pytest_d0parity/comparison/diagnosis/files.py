"""Files that the reference has under another name, by their SHA-256."""

from __future__ import annotations

from collections.abc import Iterator

from ...util.files import is_sha256
from ...util.text import printable
from ..values import Values
from .pair import Proof


def renamed_files(reference: Values, observed: Values) -> Iterator[tuple[tuple[str, ...], Proof]]:
    """Yield the files whose bytes the reference has under another name, and what that proves."""
    expected = {name: values.get("sha256") for name, values in reference.datasets.items()}
    hashes = {name: values.get("sha256") for name, values in observed.datasets.items()}
    names = {str(sha256): name for name, sha256 in expected.items() if is_sha256(sha256)}
    told: set[str] = set()
    for name, sha256 in hashes.items():
        other = names.get(str(sha256))
        if name in told or other is None or expected.get(name) == sha256:
            continue
        if hashes.get(other) == expected.get(name) is not None:
            told.add(other)
            sentence = f"{printable(name)} and {printable(other)} are swapped"
            yield (name, other), Proof("swapped_files", sentence, "rename these two files")
        else:
            sentence = f"{printable(name)} is the reference's {printable(other)}"
            is_here = hashes.get(other) == sha256
            advice = f"ask for {printable(name)}" if is_here else f"rename it to {printable(other)}"
            if is_here and name not in expected:
                advice = "take it away: it is there twice"
            yield (name,), Proof("renamed_file", sentence, advice)
