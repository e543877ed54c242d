"""The page for people who look: a log as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.resources import files
from importlib.util import cache_from_source
from typing import Any

import jinja2
from jinja2.bccache import Bucket
from markupsafe import Markup, escape

from ...evidence.artifacts import DIGEST, LOG, PICTURES, PROBE_TABLE, STAGE_TABLE, SUMS
from ...evidence.encoding import convert_for_json
from ...evidence.model import EvidenceLog
from ...util.files import is_sha256
from ...util.records import ABSENT
from ...util.text import printable
from ..difference_table import difference_cells
from ..digest import INTERPRETATION
from ..outcome import Outcome
from .array_views import array_views
from .compared_parts import ComparedParts
from .dose_charts import DoseCharts
from .drawing.pictures import scales
from .pattern_views import pattern_views, position_views
from .run_table import run_table
from .shown_log import ShownLog
from .sigma_strips import place, sigma_strips
from .view import PageView


def to_html(run: ShownLog, reference: ShownLog | None, outcome: Outcome, runs: Sequence[EvidenceLog] = ()) -> str:
    """Return the page of a log.

    Parameters
    ----------
    run : ShownLog
        The log.
    reference : ShownLog or None
        The log that it was compared with, where it can be read.
    outcome : Outcome
        What came of the comparison.
    runs : sequence of EvidenceLog
        Several runs that are shown side by side, the log among them.

    Returns
    -------
    str
        One HTML page. The same logs give the same page.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pytest_d0parity.reports.page", ""),
        bytecode_cache=_bytecode_cache(),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "inline": lambda text: Markup(_inline(text)),  # noqa: S704 - our own words
        "full_text": full_text,
        "cells": difference_cells,
        "number": number,
        "plain": printable,
        "thousands": lambda count: f"{count:,}",
    }
    style, script = (files(__package__).joinpath(name).read_text("utf-8") for name in ("page.css", "page.js"))
    parts = ComparedParts(run, outcome)
    readable, unread = outcome.readable()
    positions, objects = position_views(run, reference), array_views(run, reference, "objectGuess")
    return environment.get_template("page.html").render(
        style=Markup(style),  # noqa: S704 - our own words
        script=Markup(script),  # noqa: S704
        policy=_policy(script),
        view=PageView(run, reference, outcome, parts),
        parts=parts,
        charts=DoseCharts(run, reference, parts),
        strips=list(sigma_strips(outcome.rows, run.datasets)),
        strip_marks=[(place(sigma), f"{sigma:+g}" if sigma else "0") for sigma in (-10, -5, 0, 5, 10)],
        patterns=pattern_views(run, reference, parts),
        positions=positions,
        probes=array_views(run, reference, "probeGuess"),
        objects=objects,
        rows=readable.rows,
        unread=" ".join(unread),
        runs=run_table(runs),
        scales=scales(),
        contents=_contents(run, readable, runs, positions=bool(positions), objects=bool(objects)),
        artifacts=[LOG, DIGEST, PROBE_TABLE, STAGE_TABLE, SUMS, PICTURES],
        log=run.log,
        run=run,
        reference=reference,
        outcome=outcome,
        interpretation=INTERPRETATION.removeprefix("- ").split("\n- "),
    )


def _contents(
    run: ShownLog, outcome: Outcome, runs: Sequence[EvidenceLog], *, positions: bool, objects: bool
) -> list[tuple[str, str]]:
    """Return id and title of the parts of the page that are there."""
    datasets, compared = bool(run.datasets), outcome.reference is not None
    parts = [
        ("problems", "problems", bool(run.log.all_problems)),
        ("start", "where it starts", compared),
        ("drift", "what differs", bool(outcome.rows)),
        ("runs", "runs side by side", len(runs) > 1),
        ("ladder", "dose ladder", datasets),
        ("stages", "stages", datasets),
        ("distributions", "distributions", datasets),
        ("patterns", "mean patterns", datasets),
        ("positions", "positions", positions),
        ("probe", "probe", datasets),
        ("object", "object", objects),
        ("baseline", "parameters and metrics", True),
        ("attachments", "attachments", bool(run.log.attachments)),
        ("datasets", "datasets", datasets),
        ("reading", "how to read it", True),
    ]
    return [(name, title) for name, title, is_there in parts if is_there]


class _BytecodeCache(jinja2.FileSystemBytecodeCache):
    """Keeps compiled templates; a folder that cannot be written to is no error."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):
            super().dump_bytecode(bucket)


def _bytecode_cache() -> _BytecodeCache | None:
    """Return where compiled templates are kept: beside the bytecode of this module, which Python trusts as much.

    Compiling them takes as long as all else that the page is made of.
    """
    folder = os.path.dirname(cache_from_source(__file__))
    return _BytecodeCache(folder) if os.access(folder, os.W_OK) and not sys.dont_write_bytecode else None


def _policy(script: str) -> str:
    """Return a Content Security Policy that allows only the page's own script, style and pictures."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _inline(text: str) -> str:
    """Return a line of our own Markdown as HTML."""
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", str(escape(text)))
    return re.sub(r"`(.+?)`", r"<code>\1</code>", text)


def full_text(value: Any) -> str:
    """Return a value with every digit, as in the log's JSON."""
    if value is None or value is ABSENT:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return printable(value)
    return json.dumps(convert_for_json(value), ensure_ascii=False).strip('"')


def number(value: Any, digits: int = 6) -> Markup:
    """Return a value rounded, in an element that holds every digit."""
    if value is None:
        return Markup('<span class="none">-</span>')
    if is_sha256(value):
        return Markup("<data value='{0}'>{1}…</data>").format(value, str(value)[:12])
    if not isinstance(value, float) or not math.isfinite(value):
        return Markup("<data value='{0}'>{0}</data>").format(full_text(value))
    return Markup("<data value='{}'>{}</data>").format(full_text(value), f"{value:.{digits}g}")
