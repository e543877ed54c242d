"""``d0parity scan``: say what a folder of NPZ files holds, and how to log it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..util.text import counted, listed, printable
from .arguments import DONE

if TYPE_CHECKING:
    from ..capture.folder_scan import ScannedFile
    from ..scenario.scenario import Scenario
    from .terminal import Terminal

_MOST_KINDS = 10  # that are described


def add_scan(parser: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser.description = (
        "Say what the NPZ files below a folder hold, by their headers: arrays, what looks like patterns and a probe, "
        "and what tells the dose. Print the table for pyproject.toml that would log them."
    )
    parser.add_argument("folder", metavar="DIR", help="the folder")
    parser.set_defaults(run=_scan)


def _scan(options: argparse.Namespace, terminal: Terminal) -> int:
    say_what_is_there(options.folder, terminal)
    return DONE


def say_what_is_there(folder: str, terminal: Terminal) -> None:
    """Print what a folder holds, and the table that would log it.

    Raises
    ------
    SweepError
        If it cannot be listed.
    """
    from ..capture.folder_scan import scan_folder
    from ..capture.suggested_table import suggest_table

    files = scan_folder(folder)
    kinds: dict[tuple[object, ...], list[ScannedFile]] = {}
    for file in files:
        kinds.setdefault(file.kind, []).append(file)
    terminal.say(f"{printable(folder)}: {counted(len(files), 'NPZ file')}, {counted(len(kinds), 'kind')}")
    for same in [*kinds.values()][:_MOST_KINDS]:
        terminal.say("\n" + "\n".join(_described(same)))
    if len(kinds) > _MOST_KINDS:
        terminal.say(f"\n... and {counted(len(kinds) - _MOST_KINDS, 'kind')} more")
    if lines := suggest_table(folder, files):
        terminal.say("\nTo log it, put this into pyproject.toml in the folder that you are in:\n\n" + "\n".join(lines))
        scenario_id = lines[0].rpartition(".")[2].removesuffix("]")
        terminal.say(f"\nand run: d0parity log --scenario-id {scenario_id}")
    elif files:
        terminal.say("\nNone of them holds what looks like patterns: a stack of three axes or more, of real numbers.")
    else:
        terminal.say("\nThere is nothing to log. Is another folder meant?")


def note_left_aside(scenario: Scenario, terminal: Terminal) -> None:
    """Name the NPZ files of a folder that are not taken for datasets of the sweep.

    Raises
    ------
    SweepError
        If it cannot be listed.
    """
    from ..evidence.artifacts import PICTURES
    from ..scenario.sweep import find_sweep

    left_aside = find_sweep(scenario.root_path, scenario.layout).left_aside
    left_aside = tuple(name for name in left_aside if not name.endswith(PICTURES))  # which we have put there
    if left_aside and scenario.limit_datasets is None:
        names = f"{counted(len(left_aside), 'NPZ file')} left aside: {listed(left_aside, 3)}"
        terminal.note(f"{names}; --datasets GLOB says which ones belong to the sweep")


def _described(files: Sequence[ScannedFile]) -> list[str]:
    first = files[0]
    names = listed([file.name for file in files], 3)
    if first.defect:
        return [f"{names}: {first.defect}"]
    lines = [f"{counted(len(files), 'file')}: {names}"]
    roles = {name: role for role, name in first.roles.items()}
    rows = []
    for name, member in first.members.items():
        shape = "x".join(map(str, member.shape)) or "scalar"
        rows.append((printable(name), shape, str(member.dtype), _meaning(first, roles.get(name))))
    widths = [max(len(row[column]) for row in rows) for column in range(3)] if rows else []
    lines += [
        "  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=False)) + f"  {row[3]}"
        for row in rows
    ]
    return [line.rstrip() for line in lines] + [f"  {_dose(files)}"]


def _meaning(file: ScannedFile, role: str | None) -> str:
    if role == "diff3d" and file.frames:
        frames, *pixels = file.frames
        return f"patterns: {counted(frames, 'frame')} of {'x'.join(map(str, pixels)) or '1'} pixels"
    return {"probeGuess": "probe", "objectGuess": "object", None: ""}.get(role, role or "")


def _dose(files: Sequence[ScannedFile]) -> str:
    from ..scenario.dose import describe_claim

    told = [file for file in files if file.claims]
    if not told:
        return "dose: nothing tells it"
    claims = "; ".join(f"{describe_claim(claim)}" for claim in told[0].claims)
    rest = "" if len(told) == len(files) else f"; {len(files) - len(told)} of {len(files)} say nothing"
    return f"dose: of {printable(told[0].name)}, {claims}{rest}"
