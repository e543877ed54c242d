"""Optional dependencies."""

from __future__ import annotations

_BRING = {"bundle": "bagit", "attest": "securesystemslib[crypto]", "dask": "distributed"}


def missing_extra(module: str, extra: str) -> str:
    """Return how to install what an extra brings; an empty text where the module is installed."""
    from importlib.util import find_spec

    return "" if find_spec(module) is not None else how_to_install(extra)


def how_to_install(extra: str) -> str:
    """Return how to install what an extra brings, wherever pytest-d0parity itself came from."""
    return f"what the extra '{extra}' brings is needed: python -m pip install '{_BRING[extra]}'"
