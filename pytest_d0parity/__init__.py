"""Parity evidence for photon-dose sweeps.

The helpers below are pure: bytes or arrays in, values out. They are loaded when first used, so that
importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .capture.run import capture_evidence
    from .evidence.encoding import convert_for_json, to_json
    from .evidence.model import EvidenceLog
    from .evidence.schema import json_schema
    from .readers.params.placeholders import Placeholder
    from .readers.params.reader import ParamsError, load_params
    from .scenario.scenario import Scenario
    from .statistics.stages import summarize_array, summarize_grouped, summarize_probe
    from .util.files import sha256_file

__all__ = [
    "EvidenceLog",
    "ParamsError",
    "Placeholder",
    "Scenario",
    "__version__",
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
    "EvidenceLog": "evidence.model",
    "ParamsError": "readers.params.reader",
    "Placeholder": "readers.params.placeholders",
    "Scenario": "scenario.scenario",
    "capture_evidence": "capture.run",
    "convert_for_json": "evidence.model",
    "json_schema": "evidence.model",
    "load_params": "readers.params.reader",
    "sha256_file": "util.files",
    "summarize_array": "statistics.distribution",
    "summarize_grouped": "statistics.distribution",
    "summarize_probe": "statistics.distribution",
    "to_json": "evidence.model",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOME[name]}", __name__), name)
