"""Bundles, for tests: how one is made, and what other programs say of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from pytest_d0parity.cli import main
from tests.support.command import LOG

MANIFESTS = ("manifest-sha256.txt", "tagmanifest-sha256.txt")
BASE = "d0parity-T"


def main_in(folder: Path, *arguments: str) -> int:
    before = Path.cwd()
    os.chdir(folder)
    try:
        return main(arguments)
    finally:
        os.chdir(before)


def bundle(*options: Any, output: str = "out", log: str = f"parity/{LOG}") -> int:
    return main(["bundle", log, "--output", output, *map(str, options)])


def bagit_says(folder: Path) -> tuple[int, str]:
    command = [str(Path(sys.executable).parent / "bagit.py"), "--validate", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stderr


def sha256sum_says(folder: Path) -> tuple[int, str]:
    command = ["sha256sum", "-c", "--quiet", *MANIFESTS]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=120)
    return done.returncode, done.stdout + done.stderr


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".d0parity")]
