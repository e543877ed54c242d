"""Simulates small photon-dose sweeps with real physics, for the demo and the tests.

The names below are the public ones. Each is imported when it is first used, so that the layouts can be listed without
NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .layouts import LAYOUTS as LAYOUTS
    from .params import write_params as write_params
    from .physics import make_modes as make_modes
    from .physics import make_probe as make_probe
    from .sweep import simulate_sweep as simulate_sweep

_MODULES = {
    "LAYOUTS": "layouts",
    "make_modes": "physics",
    "make_probe": "physics",
    "simulate_sweep": "sweep",
    "write_params": "params",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
