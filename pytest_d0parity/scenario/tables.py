"""The keys of the ``[tool.d0parity]`` tables, and their types.

Imported only where a file has such a table, since an idle pytest session must not import msgspec.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import msgspec

from ..util.text import quoted

Text = Annotated[str, msgspec.Meta(min_length=1, pattern=r"^[^\0]*$")]  # no path holds a NUL
Table = TypeVar("Table", bound=msgspec.Struct)

_MISTAKES = {
    "attachments": 'is no list of files, like ["model=run/baseline_model.h5"]',
    "limit_datasets": "is no list of file names",
    "datasets": 'is no list of globs, like ["dose_*/patched_*.npz"]',
    "doses": 'is no table of names and photons per pattern, like {"data_a.npz" = 1e5}',
    "dose_tolerance": 'is no share, like "5%"',
    "accept": 'is no list of warnings, like ["data_p1e5.npz:saturated"]',
    "arrays": 'is no table of roles and names, like {diff3d = "diffraction"}',
    "measure_all": "is neither true nor false",
    "compare": "is no level; 'bytes' or 'statistics' is expected",
    "references": "is no list of logs",
    "thresholds": "is no table of patterns and limits",
    "scenarios": "is no table",
}


class ScenarioKeys(msgspec.Struct, forbid_unknown_fields=True):
    """The keys of ``[tool.d0parity.scenarios.ID]``."""

    dataset_root: Text | None = None
    baseline_params: Text | None = None
    baseline_metrics: Text | None = None
    attachments: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)] | None = None
    limit_datasets: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)] | None = None
    reference: Text | None = None
    references: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)] | None = None
    datasets: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)] | None = None
    dose: Text | None = None
    doses: dict[str, float] = {}
    dose_tolerance: str | float | None = None
    accept: tuple[str, ...] = ()
    arrays: dict[str, str] = {}
    domain: str | None = None
    axes: str | None = None
    measure_all: bool = False
    compare: Literal["bytes", "statistics"] | None = None
    thresholds: dict[str, Any] = {}


class ProjectKeys(msgspec.Struct, forbid_unknown_fields=True):
    """The keys of ``[tool.d0parity]``."""

    reports_root: Text | None = None
    thresholds: dict[str, Any] = {}
    scenarios: dict[str, Any] = {}


def read_table(name: str, table: Any, keys: type[Table]) -> Table:
    """Check the keys of a table and the types of its values.

    Parameters
    ----------
    name : str
        The dotted name of the table, for messages.
    table : object
        The parsed TOML; anything but a dictionary is a mistake.
    keys : type
        `ProjectKeys` or `ScenarioKeys`.

    Raises
    ------
    ValueError
        If the table has an unknown key or a value of the wrong type. The message says what is expected.
    """
    try:
        return msgspec.convert(table, keys)
    except msgspec.ValidationError as error:
        raise ValueError(_describe_mistake(name, table, keys, str(error))) from None


def _describe_mistake(name: str, table: Any, keys: type[Table], error: str) -> str:
    if not isinstance(table, dict):
        return f"{name} is no table"
    known = keys.__struct_fields__
    for key in table:
        if key not in known:
            return f"{name} has an unknown key {quoted(repr(key))}; known are {', '.join(known)}"
    # msgspec ends its message with the path of the value, as in $.limit_datasets[0].
    key = error.rpartition("`$.")[2].partition("`")[0].partition("[")[0]
    expected = "a text without NUL" if "\0" in str(table[key]) else "a text"
    return f"{name}.{key} {_MISTAKES.get(key, f'is {quoted(repr(table[key]))}; {expected} is expected')}"
