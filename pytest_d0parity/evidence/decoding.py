"""The content of a log, of any version, as the records of `model`: one reader for all that read logs."""

from __future__ import annotations

import itertools
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from ..scenario.thresholds import ThresholdError, threshold_of
from ..statistics.records import Histogram, PartStats, Photons, ProbeStats, StageStats
from ..util.records import ABSENT, is_optional, key_of
from ..util.text import NUMBERS, quoted
from .dataset import ArrayInfo, Dataset, Frames, Pattern, Scalar
from .drift import Reference
from .model import Check, EvidenceLog, Metadata

# Records of which a value may be missing, or be of another kind, without a fault: an older tool did not write it, or
# somebody has changed it, which is for those to tell who look at the value.
_LENIENT = (ArrayInfo, Frames, Pattern, Metadata, PartStats, Photons, ProbeStats, Reference, StageStats)
_MAY_LACK = (*_LENIENT, Dataset)
_ESSENTIAL = frozenset({"filename"})
_LENIENT_OF_DATASET = frozenset({"sha256", "size_bytes"})

_KINDS = {bool: "truth value", int: "number", float: "number", str: "text", list: "list", dict: "object"}

Decoder = Callable[[Any, str], Any]


class StructureError(ValueError):
    """Content that is not that of an evidence log: what, and where in it."""


def decode_log(content: Mapping[str, Any]) -> EvidenceLog:
    """Make records of a log's content.

    Parameters
    ----------
    content : mapping
        The parsed JSON. Keys that are not known are passed over; ``"NaN"``, ``"Infinity"`` and ``"-Infinity"`` are
        numbers where a number is expected.

    Returns
    -------
    EvidenceLog
        With `ABSENT` for each value that the content does not hold, and nothing for a list or object that it lacks.

    Raises
    ------
    StructureError
        If something is of another kind than in an evidence log.
    """
    if "datasets" not in content:
        raise StructureError("it has no 'datasets'")
    given = {name: value for name, value in content.items() if value is not None and name != "schema_version"}
    defaults = {"metadata": {}, "baseline_params": {}, "metrics": {}, "datasets": content["datasets"]}
    log: EvidenceLog = _decoder(EvidenceLog)({"total_datasets": 0, **defaults, **given}, "")
    _check_unique("", [dataset.filename for dataset in log.datasets])
    _check_unique("the check ", [check.id for check in log.checks])
    _check_unique("the attachment ", [attachment.name for attachment in log.attachments])
    return log


def _check_unique(what: str, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise StructureError(f"it holds {what}'{quoted(name)}' twice")
        seen.add(name)


# --- one decoder for each type of the records ---------------------------------------------------


@cache
def _decoder(kind: Any) -> Decoder:
    """Return the function that turns a value into one of this type, and is told where in the log the value stands."""
    if get_origin(kind) is Annotated:
        return _decoder(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        return _union_decoder(get_args(kind))
    if is_dataclass(kind):
        return _record_decoder(kind)
    if get_origin(kind) is dict:
        return _dict_decoder(get_args(kind)[1])
    if get_origin(kind) is tuple:
        return _tuple_decoder(get_args(kind))
    return _leaf_decoder((kind,))


def _union_decoder(kinds: tuple[Any, ...]) -> Decoder:
    others = [kind for kind in kinds if kind is not types.NoneType]
    records: list[Any] = [kind for kind in others if is_dataclass(kind)]
    if records and len(others) > 1:
        decode_record = _decoder(records[0])
        decode_leaf = _leaf_decoder(tuple(kind for kind in kinds if kind not in records))
        return lambda value, where: (decode_record if isinstance(value, dict) else decode_leaf)(value, where)
    if len(others) > 1 or others[0] in (bool, int, float, str) or get_origin(others[0]) in (Literal, Annotated):
        return _leaf_decoder(kinds)
    decode = _decoder(others[0])
    return lambda value, where: None if value is None else decode(value, where)


def _leaf_decoder(kinds: tuple[Any, ...]) -> Decoder:
    """Accept one value of these types; a whole number is a floating one as well."""
    plain = tuple(get_args(kind)[0] if get_origin(kind) is Annotated else kind for kind in kinds)
    literals = [option for kind in plain if get_origin(kind) is Literal for option in get_args(kind)]
    accepted = frozenset({int, *plain} if float in plain else plain)
    expected = _expected(plain, literals)
    is_number = float in accepted and str not in accepted

    def decode(value: Any, where: str) -> Any:
        if is_number and isinstance(value, str) and value in NUMBERS:
            return NUMBERS[value]
        if type(value) in accepted or value in literals:
            return value
        if isinstance(value, dict | list):
            raise StructureError(f"{quoted(where)} holds a {_kind(value)} where one value is expected")
        raise StructureError(f"{quoted(where)} is {_shown(value)}; {expected} is expected")

    return decode


def _decode_any_scalar(value: Any, where: str) -> Any:
    return NUMBERS.get(value, value) if isinstance(value, str) else _decoder(Scalar)(value, where)


def _expected(kinds: tuple[Any, ...], literals: list[Any]) -> str:
    if literals:
        return "one of " + ", ".join(map(str, literals))
    if float in kinds or int in kinds:
        return "a whole number" if float not in kinds else "a number"
    return "a truth value" if bool in kinds else "a text"


def _record_decoder(kind: Any) -> Decoder:
    hints = get_type_hints(kind, include_extras=True)
    decoders = {
        item.name: _decode_any_scalar if _is_lenient(kind, item.name, hints[item.name]) else _decoder(hints[item.name])
        for item in fields(kind)
    }
    leaves = {item.name for item in fields(kind) if _is_leaf(hints[item.name])}
    essential = {item.name for item in fields(kind) if item.default is MISSING and item.default_factory is MISSING}
    counts = {item.name for item in fields(kind) if type(item.default) is int}  # zero where they are not written
    optional = {item.name for item in fields(kind) if is_optional(item)}
    lacks = leaves - counts - optional - _ESSENTIAL if issubclass(kind, _MAY_LACK) else set()
    keys = {item.name: key_of(item.name) for item in fields(kind)}
    check = _CHECKS.get(kind)

    def decode(value: Any, where: str) -> Any:
        entry = _object(value, where)
        found: dict[str, Any] = {}
        for name, decode_field in decoders.items():
            key = keys[name]
            # A list or object that is null is one that is not there.
            if key in entry and (entry[key] is not None or name in leaves):
                found[name] = decode_field(entry[key], f"{where}.{key}" if where else key)
            elif name in lacks or (name in essential and name not in leaves and issubclass(kind, _MAY_LACK)):
                found[name] = ABSENT
            elif name in essential:
                raise StructureError(f"{quoted(where)} has no {name}")
        if check is not None:
            check(found, where)
        return kind(**found)

    return decode


def _is_lenient(kind: Any, name: str, hint: Any) -> bool:
    """Whether a field takes one value of whatever kind."""
    return _is_leaf(hint) and (issubclass(kind, _LENIENT) or (kind is Dataset and name in _LENIENT_OF_DATASET))


def _is_leaf(hint: Any) -> bool:
    if get_origin(hint) in (Union, types.UnionType):
        return all(kind is types.NoneType or _is_leaf(kind) for kind in get_args(hint))
    if get_origin(hint) is Annotated:
        return _is_leaf(get_args(hint)[0])
    return hint in (bool, int, float, str) or get_origin(hint) is Literal


def _dict_decoder(kind: Any) -> Decoder:
    decode_item = _decoder(kind)
    return lambda value, where: {
        name: decode_item(item, f"{where}.{name}") for name, item in _object(value, where).items()
    }


def _tuple_decoder(kinds: tuple[Any, ...]) -> Decoder:
    decode_item = _decoder(kinds[0])

    def decode(value: Any, where: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise StructureError(f"{quoted(where)} is {_shown(value)}; a list is expected")
        if kinds[-1] is not Ellipsis and len(value) != len(kinds):
            raise StructureError(f"{quoted(where)} is no pair [train, test]")
        return tuple(decode_item(item, f"{where}[{number}]") for number, item in enumerate(value))

    return decode


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise StructureError(f"{quoted(where)} is {_shown(value)}; an object is expected")
    return value


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "null")


def _shown(value: Any) -> str:
    return "null" if value is None else f"a {_kind(value)}"


# --- what types alone do not say ----------------------------------------------------------------


def _check_limits(found: Mapping[str, Any], where: str) -> None:
    for name, limits in found.get("limits", {}).items():
        try:
            threshold_of(name, limits)
        except ThresholdError as error:
            raise StructureError(f"{where}.limits: {error}") from None


def _check_histogram(found: Mapping[str, Any], where: str) -> None:
    edges, counts = found["edges"], found["counts"]
    bins = list(itertools.pairwise(edges))
    drawn = bins and len(bins) == len(counts) and all(low <= high for low, high in bins)
    if not (drawn and edges[0] < edges[-1] and min(counts) >= 0):
        raise StructureError(f"{where}: a histogram needs ascending edges, and a count between any two")


_CHECKS: dict[Any, Callable[[Mapping[str, Any], str], None]] = {Check: _check_limits, Histogram: _check_histogram}
