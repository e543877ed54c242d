"""The runs of ``d0parity demo``: record, match, drift, and a sweep that was simulated anew."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..evidence.artifacts import PAGE
from ..simulator import simulate_sweep, write_params
from ..simulator.layouts import DEFAULT_LAYOUT, LAYOUTS
from ..util.errors import ParityError
from ..util.files import describe_os_error
from ..util.text import printable

if TYPE_CHECKING:
    from .terminal import Terminal


_FACTOR = 1.02  # by which the patterns of one dose are scaled
_MIN_FRAMES = 32  # for standard errors
_REFERENCE = ("--parity-reference=parity/dose_parity_log.json",)


class DemoError(ParityError):
    """A demo that failed."""


def run_demo(folder: str, photon_doses: Sequence[str], frames: int, seed: int, layout: str, terminal: Terminal) -> None:
    """Simulate a sweep, and run the plugin on it five times.

    Parameters
    ----------
    folder : str
        Where everything goes.
    photon_doses : sequence of str
        Photons per pattern, as the file names will spell them.
    frames : int
        Patterns per dose.
    seed : int
        The same seed gives the same sweep.
    layout : str
        How the sweep is kept: a name in `LAYOUTS`.

    Raises
    ------
    DemoError
        If a file cannot be written, or pytest ends in another way than it should.
    """
    # A layout may have folders of its own, which must not be mixed with those of the demo.
    root = "." if layout == DEFAULT_LAYOUT else "sweep"
    kept = LAYOUTS[layout]
    terminal.say(f"Simulating {len(photon_doses)} doses of {frames} patterns in {printable(folder)}")
    try:
        os.makedirs(folder, exist_ok=True)
        sweep = os.path.normpath(os.path.join(folder, root))
        paths = simulate_sweep(sweep, photon_doses, frames, seed, layout=layout)
        write_params(os.path.join(folder, "params.dill"), frames)
        # Settings of folders above the sweep must not apply to it.
        settings = Path(folder, "pytest.ini")
        if not settings.exists():
            settings.write_text("[pytest]\n", encoding="utf-8")

        terminal.say("\n1. Record: one side, which owns the data, makes the evidence log.\n")
        where = () if kept.names_tell_doses else ("--parity-datasets=**/*.npz",)
        _pytest(folder, terminal, 0, root, "parity", *where)
        terminal.say("\n2. Match: the other side checks its copy against that log.\n")
        _pytest(folder, terminal, 0, root, "again", *where, *_REFERENCE)
        names = sorted(os.path.relpath(path, sweep) for path in paths)
        scaled = _scale_a_dose(sweep, names, kept.patterns, os.path.join(folder, "scaled"))
        terminal.say(
            f"\n3. Drift: in a third copy, somebody has multiplied {kept.patterns} of {scaled} by {_FACTOR}.\n"
        )
        _pytest(folder, terminal, 1, "scaled", "drift", *where, *_REFERENCE)
        terminal.say("\n4. The same sweep simulated anew, with other photons: its bytes are others, which is drift.\n")
        simulate_sweep(os.path.join(folder, "anew"), photon_doses, frames, seed, redraw=1, layout=layout)
        _pytest(folder, terminal, 1, "anew", "anew-bytes", *where, *_REFERENCE, "-q", "--tb=no", "-rN")
        limit = "5sigma" if min(kept.frames_per_file(frames)) >= _MIN_FRAMES else "100%"
        terminal.say(f"\n5. Its statistics agree within {limit}: that is what the photons scatter.\n")
        loosened = ("--parity-compare=statistics", f"--parity-threshold=*:{limit}")
        _pytest(folder, terminal, 0, "anew", "anew-statistics", *where, *_REFERENCE, *loosened)
    except OSError as error:
        reason = describe_os_error(error)
        raise DemoError(f"the demo cannot be written to {printable(folder)}: {reason}") from None
    terminal.say(
        f"\nThe failures were the point. Read {printable(os.path.join(folder, 'parity', 'dose_parity_log.md'))}."
    )
    if os.path.exists(page := os.path.join(folder, "drift", PAGE)):
        terminal.say(f"Look at {printable(page)}.")


def _pytest(folder: str, terminal: Terminal, expected: int, root: str, output: str, *options: str) -> None:
    command = ["--parity-scenario=DEMO", f"--parity-dataset-root={root}", "--parity-baseline-params=params.dill"]
    command += [f"--parity-output={output}", *options]
    if os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        command = ["-p", "d0parity", *command]
    terminal.say(f"$ (cd {shlex.quote(printable(folder))} && {shlex.join(['pytest', *command])})")
    environment = {key: value for key, value in os.environ.items() if key not in _NOT_FOR_IT}
    run = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *command]
    code = subprocess.run(run, cwd=folder, env=environment, check=False).returncode  # noqa: S603 - our own words
    if code != expected:
        raise DemoError(f"pytest ended with {code}, and {expected} was expected; what it says above tells why")


# Options and the build summary of the user are not for the runs of the demo.
_NOT_FOR_IT = ("PYTEST_ADDOPTS", "GITHUB_STEP_SUMMARY")


def _scale_a_dose(sweep: str, names: Sequence[str], patterns: str, copy: str) -> str:
    """Copy the files of a sweep to a folder in which the patterns of one of them are scaled, and return its name."""
    for name in names:
        target = os.path.join(copy, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(os.path.join(sweep, name), target)
    changed = names[len(names) // 2]
    # Its metadata, which the simulator has just written, are an array of objects.
    with np.load(os.path.join(sweep, changed), allow_pickle=True) as file:
        arrays = {name: file[name] for name in file.files}
    arrays[patterns] = (arrays[patterns] * np.float32(_FACTOR)).astype(arrays[patterns].dtype)
    np.savez_compressed(os.path.join(copy, changed), **arrays)
    return printable(changed)
