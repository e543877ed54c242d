"""The runs of ``d0parity demo``: record, match, drift."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..evidence.artifacts import PAGE
from ..simulator import simulate_sweep, write_params
from ..util.errors import ParityError
from ..util.files import describe_os_error
from ..util.text import printable

if TYPE_CHECKING:
    from .terminal import Terminal


_MOVED = 1.02  # factor of the changed value in the reference of the third run


class DemoError(ParityError):
    """A demo that failed."""


def run_demo(folder: str, photon_doses: Sequence[str], frames: int, seed: int, terminal: Terminal) -> None:
    """Simulate a sweep, and run the plugin on it three times.

    Parameters
    ----------
    folder : str
        Where everything goes.
    photon_doses : sequence of str
        Photons per pattern, as the file names will spell them.
    frames : int
        Patterns per dose.

    Raises
    ------
    DemoError
        If a file cannot be written, or pytest ends in another way than it should.
    """
    terminal.say(f"Simulating {len(photon_doses)} doses of {frames} patterns in {printable(folder)}")
    try:
        os.makedirs(folder, exist_ok=True)
        simulate_sweep(folder, photon_doses, frames, seed)
        write_params(os.path.join(folder, "params.dill"), frames)
        # Settings of folders above the sweep must not apply to it.
        settings = Path(folder, "pytest.ini")
        if not settings.exists():
            settings.write_text("[pytest]\n", encoding="utf-8")

        terminal.say("\n1. Record: one side, which owns the data, makes the evidence log.\n")
        _pytest(folder, terminal, 0, "--parity-output=parity")
        terminal.say("\n2. Match: the other side checks its copy against that log.\n")
        _pytest(folder, terminal, 0, "--parity-output=again", "--parity-reference=parity/dose_parity_log.json")
        where = _move_a_value(Path(folder))
        terminal.say(f"\n3. Drift: in this reference, {where} was moved by {_MOVED - 1:.0%}. The build fails.\n")
        _pytest(folder, terminal, 1, "--parity-output=drift", "--parity-reference=moved.json")
    except OSError as error:
        reason = describe_os_error(error)
        raise DemoError(f"the demo cannot be written to {printable(folder)}: {reason}") from None
    terminal.say(
        f"\nThat failure was the point. Read {printable(os.path.join(folder, 'parity', 'dose_parity_log.md'))}."
    )
    if os.path.exists(page := os.path.join(folder, "drift", PAGE)):
        terminal.say(f"Look at {printable(page)}.")


def _pytest(folder: str, terminal: Terminal, expected: int, *options: str) -> None:
    command = ["--parity-scenario=DEMO", "--parity-dataset-root=.", "--parity-baseline-params=params.dill", *options]
    terminal.say(f"$ cd {shlex.quote(printable(folder))} && {shlex.join(['pytest', *command])}")
    environment = {key: value for key, value in os.environ.items() if key not in _NOT_FOR_IT}
    run = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *command]
    code = subprocess.run(run, cwd=folder, env=environment, check=False).returncode  # noqa: S603 - our own words
    if code != expected:
        raise DemoError(f"pytest ended with {code}, and {expected} was expected; what it says above tells why")


# Options and the build summary of the user are not for the runs of the demo.
_NOT_FOR_IT = ("PYTEST_ADDOPTS", "GITHUB_STEP_SUMMARY")


def _move_a_value(folder: Path) -> str:
    """Write a reference with one changed value, and return which one."""
    log = json.loads((folder / "parity" / "dose_parity_log.json").read_text(encoding="utf-8"))
    dataset = log["datasets"][len(log["datasets"]) // 2]
    dataset["stats"]["normalized"]["mean"] *= _MOVED
    (folder / "moved.json").write_text(json.dumps(log, indent=2), encoding="utf-8")
    return f"the mean of normalized of {printable(dataset['filename'])}"
