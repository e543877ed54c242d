"""Prints docs/log-format.md, which is made of the JSON Schema: python scripts/log_format.py > docs/log-format.md."""

from __future__ import annotations

import re
from typing import Any

from pytest_d0parity import json_schema

_HEAD = """\
# The log, key by key

`dose_parity_log.json` is strict JSON (RFC 8259). A number that JSON cannot say is one of the texts `"NaN"`,
`"Infinity"` and `"-Infinity"`. `d0parity schema` prints the JSON Schema, of which this page is made by
`python scripts/log_format.py`. Keys that are marked *if there* are left out where they would say nothing. Logs of
schema version 0 to 3 are read as well; they are compared as far as they know.
"""
_COLUMNS = "| key | what | meaning |\n| --- | --- | --- |"


def main() -> None:
    """Print the page."""
    schema = json_schema()
    definitions = schema["$defs"]
    names = _in_order(definitions, schema["$ref"].rpartition("/")[2])
    print(_HEAD, *(_section(name, definitions[name]) for name in names), sep="\n", end="")


def _section(name: str, definition: dict[str, Any]) -> str:
    rows = [_row(key, value, key in definition["required"]) for key, value in definition["properties"].items()]
    return "\n".join([f"## {name}\n", f"{_text(definition['description'])}\n", _COLUMNS, *rows, ""])


def _row(key: str, schema: dict[str, Any], required: bool) -> str:
    return f"| `{key}` | {_kind(schema)}{'' if required else ', *if there*'} | {_text(schema['description'])} |"


def _in_order(definitions: dict[str, Any], name: str) -> list[str]:
    """Return the records that a record holds, each behind the first one that holds it."""
    found = [name]
    for other in found:
        text = str(definitions[other])
        found += [each for each in re.findall(r"#/\$defs/(\w+)", text) if each not in found]
    return list(dict.fromkeys(found))


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        kinds = [_kind(each) for each in schema["anyOf"] if each.get("enum") != ["NaN", "Infinity", "-Infinity"]]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    match schema.get("type"):
        case "array" if "prefixItems" in schema:
            return f"list of {len(schema['prefixItems'])}"
        case "array":
            return f"list of {_kind(schema.get('items', {}))}"
        case "object":
            return f"object of {_kind(schema.get('additionalProperties', {}))}"
        case "string":
            return "text"
        case "integer":
            return "whole number"
        case "boolean":
            return "flag"
        case kind:
            return str(kind or "value")


def _text(description: str) -> str:
    return " ".join(description.replace("``", "`").replace("|", "\\|").split())


if __name__ == "__main__":
    main()
