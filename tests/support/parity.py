"""Sessions of pytest that check parity, started by tests."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import rich.console
import rich.table

from pytest_d0parity.plugin import controller
from tests.support.command import LOG, read_log

# Imported here, they are there for every session that is started in this process, and need not be imported again.
MODULES = (controller, rich.console, rich.table)

PAGE = "dose_parity_report.html"
PICTURES = "pictures.npz"
LOCK = ".d0parity.lock"


def run_session(pytester: pytest.Pytester, *options: str, inprocess: bool = True) -> pytest.RunResult:
    """Run pytest as a user would who has none of the plugins that our own tests need."""
    run = pytester.runpytest_inprocess if inprocess else pytester.runpytest_subprocess
    result = run("-p", "no:randomly", "-p", "no:hypothesispytest", *options)
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    return result


class Parity:
    """A scratch repository with a sweep beside it."""

    def __init__(self, pytester: pytest.Pytester, sweep: Path, root: Path) -> None:
        self.pytester = pytester
        self.root = root
        for path in sweep.glob("*.*"):
            shutil.copy(path, root)

    @property
    def options(self) -> list[str]:
        return [
            "--parity-scenario=T",
            f"--parity-dataset-root={self.root}",
            f"--parity-baseline-params={self.root / 'params.dill'}",
        ]

    def run(self, *more: str, output: str = "out", inprocess: bool = True) -> pytest.RunResult:
        return run_session(self.pytester, *self.options, f"--parity-output={output}", *more, inprocess=inprocess)

    def log(self, output: str = "out") -> Any:
        return read_log(self.pytester.path / output)

    def outcomes(self, output: str = "out") -> dict[str, str]:
        return {check["id"]: check["outcome"] for check in self.log(output)["checks"]}

    def failed(self, output: str = "out") -> list[str]:
        return [name for name, outcome in self.outcomes(output).items() if outcome in ("failed", "error")]

    def reference(self, edit: Any = None) -> str:
        """Record a reference; edit it."""
        assert self.run("-q", output="reference").ret == 0
        path = self.pytester.path / "reference" / LOG
        if edit is not None:
            log = json.loads(path.read_text(encoding="utf-8"))
            edit(log)
            path.write_text(json.dumps(log), encoding="utf-8")
        return f"--parity-reference=reference/{LOG}"
