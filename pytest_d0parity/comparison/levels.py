"""Levels of comparison: which values the level ``statistics`` leaves out, since they say how and when others were kept.

What is left out by name is listed under few names, so that the list does not grow with the data.
"""

from __future__ import annotations

import re
from collections.abc import Container

# Leaves of a dataset's metadata that say what the patterns are, and not how the file came about.
_PHYSICAL = frozenset({"nphotons", "target_mean_count", "measurement_domain", "probe_gauge"})
_STORED = re.compile(
    r"(sha256|size_bytes|frames\.(?:order|set)|probe\.dtype)|arrays\..+\.(crc32|dtype|name|size_bytes)", re.DOTALL
)
_RUN = re.compile(r".*(_path|_file)|timestamp|label|output_prefix", re.DOTALL)  # of params: when and where a run was

BYTES = frozenset({"sha256", "size_bytes", "frames.order", "frames.set", "probe.dtype"})


def left_out_by_statistics(name: str, names: Container[str]) -> str | None:
    """Return under which name the level ``statistics`` leaves a value of a dataset or of the params out.

    Parameters
    ----------
    name : str
        Its dotted name.
    names : container of str
        The dotted names of all values beside it, by which the parts of an array are known.

    Returns
    -------
    str or None
        The name itself or, where many are alike, a pattern: ``arrays.*.crc32``. None if the value is compared.

    Examples
    --------
    >>> left_out_by_statistics("arrays.xcoords.crc32", ())
    'arrays.*.crc32'
    >>> left_out_by_statistics("raw.mean", ())
    """
    if found := _STORED.fullmatch(name):
        return found[1] or f"arrays.*.{found[2]}"
    group, _, rest = name.partition(".")
    above, _, last = rest.rpartition(".")
    if group == "metadata" and last not in _PHYSICAL:
        return "metadata.*"
    if group != "params":
        return None
    if last in ("sha256", "dtype") and f"params.{above}.shape" in names:
        return f"params.*.{last}"
    if found := _RUN.fullmatch(last):
        return f"params.*{found[1]}" if found[1] else f"params.{last}" if not above else f"params.*.{last}"
    return None


def is_about_bytes(listed_as: str) -> bool:
    """Whether what is left out under this name says that the bytes of a dataset are others."""
    return listed_as in BYTES or listed_as.startswith("arrays.*.")
