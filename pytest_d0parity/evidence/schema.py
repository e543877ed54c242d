"""The JSON Schema of the log, made from its records."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import msgspec

from ..statistics import records
from ..util.files import SHA256_PATTERN
from ..util.records import is_optional, key_of
from . import model
from .model import SCHEMA_VERSION, EvidenceLog

_PATTERNS = {"sha256": SHA256_PATTERN, "params_sha256": SHA256_PATTERN, "crc32": "^[0-9a-f]{8}$"}
_SAYABLE = ["NaN", "Infinity", "-Infinity"]


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a log.

    Returns
    -------
    dict
        Made from the records of `model`. Objects are closed: a new key raises the `schema_version`.
    """
    (reference,), definitions = msgspec.json.schema_components([EvidenceLog], ref_template="#/$defs/{name}")
    _strict(definitions)
    for name, definition in definitions.items():
        record = getattr(model, name, None) or getattr(records, name)
        optional = {key_of(item.name) for item in fields(record) if is_optional(item)}
        definition["properties"] = {key_of(key): value for key, value in definition["properties"].items()}
        definition["required"] = [key for key in definition["properties"] if key not in optional]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Dose parity evidence log, version {SCHEMA_VERSION}",
        **reference,
        "$defs": definitions,
    }


def _strict(schema: Any) -> None:
    """Close every object, and allow the strings for NaN and infinities where numbers stand."""
    if isinstance(schema, list):
        for item in schema:
            _strict(item)
    elif isinstance(schema, dict):
        for item in schema.values():
            _strict(item)
        schema.pop("default", None)
        if "properties" in schema:
            schema["additionalProperties"] = False
            for name, pattern in _PATTERNS.items():
                _set_pattern(schema["properties"].get(name, {}), pattern)
        if schema.get("type") == "number":
            del schema["type"]
            schema["anyOf"] = [{"type": "number"}, {"enum": _SAYABLE}]


def _set_pattern(schema: dict[str, Any], pattern: str) -> None:
    for option in schema.get("anyOf", [schema]):
        if option.get("type") == "string":
            option["pattern"] = pattern
