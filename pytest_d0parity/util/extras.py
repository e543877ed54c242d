"""Optional dependencies."""

from __future__ import annotations


def missing_extra(module: str, extra: str) -> str:
    """Return how to install the extra that provides a module; an empty text where the module is installed."""
    from importlib.util import find_spec

    if find_spec(module) is not None:
        return ""
    return f"the extra '{extra}' is needed: python -m pip install 'pytest-d0parity[{extra}]'"
