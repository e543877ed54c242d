"""The JSON Schema of the log, made from its records."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import Any

import msgspec

from ..statistics import records
from ..util.files import SHA256_PATTERN
from ..util.records import is_optional, key_of
from . import dataset, drift, model
from .model import SCHEMA_VERSION, EvidenceLog

_PATTERNS = {"sha256": SHA256_PATTERN, "params_sha256": SHA256_PATTERN, "crc32": "^[0-9a-f]{8}$"}
_MODULES = (model, dataset, drift, records)  # in which the records are
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
        record = next(getattr(module, name) for module in _MODULES if hasattr(module, name))
        optional = {key_of(item.name) for item in fields(record) if is_optional(item)}
        properties, texts = definition["properties"], _descriptions(record)
        definition["properties"] = {key_of(item.name): properties[item.name] for item in fields(record)}
        definition["description"] = inspect.cleandoc(record.__doc__ or "").partition("\n\nAttributes\n")[0]
        for key, value in definition["properties"].items():
            value["description"] = texts[key]
        definition["required"] = [key for key in definition["properties"] if key not in optional]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Dose parity evidence log, version {SCHEMA_VERSION}",
        **reference,
        "$defs": definitions,
    }


def _descriptions(record: type) -> dict[str, str]:
    """Return what the docstrings of a record and its bases say of each field, by its key."""
    found: dict[str, str] = {}
    for kind in reversed(record.__mro__):
        _, _, attributes = inspect.cleandoc(kind.__doc__ or "").partition("Attributes\n----------\n")
        keys: list[str] = []
        for line in attributes.splitlines():
            if line and not line.startswith(" "):
                keys = [key.strip() for key in line.partition(" : ")[0].split(",")]
                found.update(dict.fromkeys(keys, ""))
            else:
                found.update((key, f"{found[key]} {line.strip()}".strip()) for key in keys)
    return {key: text.replace("`", "") for key, text in found.items()}


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
