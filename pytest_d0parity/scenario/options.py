"""The options that the command line and the pytest plugin share."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import Any

# Every pytest session imports this module, so it must import as little as possible.

DEFAULT_ID = "UNKNOWN"

LEVELS = ("bytes", "statistics")
DOMAINS = ("amplitude", "intensity")
AXES = ("frames-first", "frames-last")

# Those that say how a sweep is kept; `doses` is a table and no option.
LAYOUT = ("datasets", "dose", "dose_tolerance", "accept", "array", "domain", "axes", "measure_all")

OPTIONS = (
    "dataset_root",
    "baseline_params",
    "baseline_metrics",
    "attach",
    "limit_datasets",
    *LAYOUT,
    "output",
    "reference",
    "compare",
    "threshold",
    "trust_params",
    "history",
    "no_cache",
)


def for_pytest(text: str) -> str:
    """Return a text in which the shared options are called as those of pytest.

    Examples
    --------
    >>> for_pytest("give the params by --baseline-params, not by --key")
    'give the params by --parity-baseline-params, not by --key'
    """
    names = "|".join(name.replace("_", "-") for name in OPTIONS)
    return re.sub(rf"(?<![\w-])--({names})(?![\w-])", r"--parity-\1", text)


def add_options(add: Callable[..., Any], prefix: str = "") -> None:
    """Declare the shared options.

    Parameters
    ----------
    add : callable
        ``add_argument`` of an argparse parser, or ``addoption`` of a pytest option group.
    prefix : str
        Precedes every option name: ``parity-`` makes ``--parity-output``.
    """
    add(
        f"--{prefix}dataset-root",
        metavar="DIR",
        help="folder of the sweep (photon_grid_study_20250826_152459)",
    )
    add(
        f"--{prefix}baseline-params",
        metavar="FILE",
        help="params of the baseline run: params.dill, config.json, or a zip of them; nothing in it is run",
    )
    add(
        f"--{prefix}baseline-metrics",
        metavar="FILE",
        help="metrics of the baseline run, where they have a file, in JSON",
    )
    add(
        f"--{prefix}attach",
        action="append",
        metavar="[ROLE=]FILE",
        help="a file that belongs to the baseline run and is not measured, such as model=baseline_model.h5: it is "
        "hashed, compared, verified, bundled and attested, and never opened; may be repeated",
    )
    add(
        f"--{prefix}limit-datasets",
        type=split_names,
        metavar="A.npz,B.npz",
        help="look at these datasets of the sweep, and no others",
    )
    add_layout_options(add, prefix)
    add(
        f"--{prefix}output",
        metavar="DIR",
        help="where artifacts go ($ARTIFACT_DIR, or plans/active/seed/reports/<UTC time>)",
    )
    add(
        f"--{prefix}reference",
        action="append",
        metavar="LOG",
        help="compare with this evidence log; given four times or more, with the accepted runs in these",
    )
    add_comparison_options(add, prefix)
    add(
        f"--{prefix}trust-params",
        action="store_true",
        help="load the params with dill itself, which runs whatever they say",
    )
    add(f"--{prefix}history", metavar="FILE.md", help="append this run to the attempts history in that file")
    add(
        f"--{prefix}no-cache",
        action="store_true",
        help="measure every dataset anew, also where an earlier run has measured the same bytes",
    )


def add_layout_options(add: Callable[..., Any], prefix: str = "") -> None:
    """Declare the options that say how a sweep is kept: see `add_options`. What is not said is found by convention."""
    add(
        f"--{prefix}datasets",
        action="append",
        metavar="GLOB",
        help="which files below the root are the datasets: 'dose_*/patched_*.npz', '**/*.npz'; may be repeated",
    )
    add(
        f"--{prefix}dose",
        metavar="SPEC",
        help="where the dose stands: a regular expression for the relative name with a group photons (per pattern) or "
        r"mean_count (per pixel), like 'tmc(?P<mean_count>\d+)'; metadata:KEY; or none",
    )
    add(
        f"--{prefix}dose-tolerance",
        metavar="SHARE",
        help="share by which counted and expected photons, and two sources of a dose, may differ (5%%)",
    )
    add(
        f"--{prefix}accept",
        action="append",
        metavar="DATASET:NAME",
        help="a warning that is known and fails nothing: data_p1e5.npz:saturated; may be repeated",
    )
    add(
        f"--{prefix}array",
        action="append",
        metavar="ROLE=NAME",
        help="which array plays the role diff3d, probeGuess, scan_index, xcoords, ycoords or objectGuess; may be "
        "repeated",
    )
    add(f"--{prefix}domain", choices=DOMAINS, help="what the patterns hold; otherwise found from the values")
    add(
        f"--{prefix}axes",
        choices=AXES,
        help="which axis of the patterns counts the frames; otherwise found from the lengths of the axes",
    )
    add(
        f"--{prefix}measure-all",
        action="store_true",
        help="measure every array, however large, and not only those of the stages and those up to 16 MiB",
    )


def add_comparison_options(add: Callable[..., Any], prefix: str = "") -> None:
    """Declare the options for the level and for thresholds: see `add_options`."""
    add(
        f"--{prefix}compare",
        choices=LEVELS,
        help="how much has to agree: everything (bytes, the default), or what does not depend on how the values are "
        "stored and when they were made (statistics)",
    )
    add(
        f"--{prefix}threshold",
        type=_checked_threshold,
        action="append",
        metavar="PATTERN:LIMIT",
        help="allow a difference from the reference: raw.mean:5%%, '*.p99:0.001', sha256:exact, "
        "params.label:ignore; may be repeated, and the last one that covers a value counts",
    )


def split_names(text: str) -> tuple[str, ...]:
    """Split a comma-separated list of names; an empty one is an `argparse.ArgumentTypeError`."""
    from ..util.text import name_as_text

    names = tuple(name_as_text(name.strip()) for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError("give at least one name")
    return names


def _checked_threshold(text: str) -> str:
    """Check a threshold, so that argparse reports a mistake, and return its text, which can be sent to any process."""
    from .thresholds import ThresholdError, parse_threshold

    try:
        parse_threshold(text)
    except ThresholdError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text
