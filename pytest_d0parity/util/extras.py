"""What is there only when somebody has installed it."""

from __future__ import annotations


def missing_extra(module: str, extra: str) -> str:
    """Say how to install what a command needs; empty where it is there."""
    from importlib.util import find_spec

    if find_spec(module) is not None:
        return ""
    return f"the extra '{extra}' is needed: python -m pip install 'pytest-d0parity[{extra}]'"
