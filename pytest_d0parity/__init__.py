"""Parity evidence for photon-dose sweeps.

The names below are the public ones. Each is imported when it is first used, so that importing the package costs next
to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .api.compare import compare
    from .api.logs import read_log
    from .api.scan import scan
    from .api.verify import verify
    from .capture.run import CaptureInterrupted, capture_evidence
    from .evidence.encoding import convert_for_json, to_json
    from .evidence.file import LogError
    from .evidence.model import EvidenceLog
    from .evidence.schema import json_schema
    from .plugin.dataset import ParityDataset
    from .readers.params.placeholders import Placeholder
    from .readers.params.reader import ParamsError, load_params
    from .scenario.scenario import Scenario
    from .scenario.thresholds import Threshold
    from .statistics.stages import summarize_array, summarize_grouped, summarize_probe
    from .util.errors import ParityError
    from .util.files import sha256_file

__all__ = [
    "CaptureInterrupted",
    "EvidenceLog",
    "LogError",
    "ParamsError",
    "ParityDataset",
    "ParityError",
    "Placeholder",
    "Scenario",
    "Threshold",
    "__version__",
    "capture_evidence",
    "compare",
    "convert_for_json",
    "json_schema",
    "load_params",
    "read_log",
    "scan",
    "sha256_file",
    "summarize_array",
    "summarize_grouped",
    "summarize_probe",
    "to_json",
    "verify",
]

_MODULES = {
    "CaptureInterrupted": "capture.run",
    "EvidenceLog": "evidence.model",
    "LogError": "evidence.file",
    "ParamsError": "readers.params.reader",
    "ParityDataset": "plugin.dataset",
    "ParityError": "util.errors",
    "Placeholder": "readers.params.placeholders",
    "Scenario": "scenario.scenario",
    "Threshold": "scenario.thresholds",
    "capture_evidence": "capture.run",
    "compare": "api.compare",
    "convert_for_json": "evidence.encoding",
    "json_schema": "evidence.schema",
    "load_params": "readers.params.reader",
    "read_log": "api.logs",
    "scan": "api.scan",
    "sha256_file": "util.files",
    "summarize_array": "statistics.stages",
    "summarize_grouped": "statistics.stages",
    "summarize_probe": "statistics.stages",
    "to_json": "evidence.encoding",
    "verify": "api.verify",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
