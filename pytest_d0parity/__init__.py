"""Parity evidence for photon-dose sweeps.

The helpers below are pure: bytes or arrays in, values out. They are loaded when first used, so that
importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .capture import capture_evidence
    from .evidence import EvidenceLog, convert_for_json, json_schema, to_json
    from .files import sha256_file
    from .params import ParamsError, Placeholder, load_params
    from .scenario import Scenario
    from .statistics import summarize_array, summarize_grouped, summarize_probe

__all__ = [
    "EvidenceLog",
    "ParamsError",
    "Placeholder",
    "Scenario",
    "capture_evidence",
    "convert_for_json",
    "json_schema",
    "load_params",
    "sha256_file",
    "summarize_array",
    "summarize_grouped",
    "summarize_probe",
    "to_json",
]

_HOME = {
    "EvidenceLog": "evidence",
    "ParamsError": "params",
    "Placeholder": "params",
    "Scenario": "scenario",
    "capture_evidence": "capture",
    "convert_for_json": "evidence",
    "json_schema": "evidence",
    "load_params": "params",
    "sha256_file": "files",
    "summarize_array": "statistics",
    "summarize_grouped": "statistics",
    "summarize_probe": "statistics",
    "to_json": "evidence",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOME[name]}", __name__), name)
