"""``d0parity demo``: a simulated sweep that is recorded, matches, and drifts from a reference with a changed value."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..simulator.layouts import DEFAULT_LAYOUT, LAYOUTS
from .arguments import DONE, doses, natural, positive

if TYPE_CHECKING:
    from .terminal import Terminal


def add_demo(parser: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser.description = (
        "Simulate a small sweep with real physics and show on it what recorded, match and drift look like."
    )
    usual = "1e3,1e4,1e5,1e6,1e7,1e8,1e9"
    parser.add_argument("--output", default="d0parity-demo", metavar="DIR", help="where the sweep goes (%(default)s)")
    parser.add_argument("--frames", type=positive, default=200, metavar="N", help="patterns per dose (%(default)s)")
    parser.add_argument(
        "--doses", type=doses, default=doses(usual), metavar="D,D", help=f"photons per pattern ({usual})"
    )
    parser.add_argument("--seed", type=natural, default=0, help="the same seed gives the same sweep (%(default)s)")
    parser.add_argument(
        "--layout",
        choices=LAYOUTS,
        default=DEFAULT_LAYOUT,
        help="how the sweep is kept: " + "; ".join(f"{name}, {kept.summary}" for name, kept in LAYOUTS.items()),
    )
    parser.set_defaults(run=_demo)


def _demo(options: argparse.Namespace, terminal: Terminal) -> int:
    from .demo_runs import run_demo

    run_demo(options.output, options.doses, options.frames, options.seed, options.layout, terminal)
    return DONE
