"""What a run does grows with the number of datasets and no faster: no function is called by the square of it.

Counted by Python's profiler, since a clock tells of the machine as well.
"""

from __future__ import annotations

import cProfile
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

import pytest_d0parity
from pytest_d0parity.cli import main
from pytest_d0parity.cli.arguments import DONE, DRIFT
from pytest_d0parity.simulator import simulate_sweep
from tests.support.command import LOG
from tests.support.parity import run_session

FEW, MANY = 12, 36
OFTEN = 4 * MANY  # calls below which a function may look up what it does at first
OTHER = "other"
PACKAGE = str(Path(pytest_d0parity.__file__).parent)


def calls(run: Callable[[], object]) -> Counter[str]:
    profile = cProfile.Profile()
    profile.runcall(run)
    found: Counter[str] = Counter()
    for entry in profile.getstats():
        code = entry.code
        if not isinstance(code, str) and code.co_filename.startswith(PACKAGE):
            found[f"{Path(code.co_filename).relative_to(PACKAGE)}:{code.co_firstlineno} {code.co_name}"] += (
                entry.callcount
            )
    return found


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Sweeps of few and of many datasets, each with its log, and in a folder of it another of the same doses."""
    found = {}
    for size in (FEW, MANY):
        found[size] = tmp_path_factory.mktemp(f"sweep-{size}")
        for seed, folder in enumerate((found[size], found[size] / OTHER)):
            simulate_sweep(str(folder), [f"{1000 + 10 * number}" for number in range(size)], 4, seed)
            assert main(["log", "-q", "--no-cache", "--dataset-root", str(folder), "--output", str(folder)]) == 0
    return found


LOGGED = ["log", "--no-cache", "--jobs", "1", "--dataset-root", "{sweep}", "--output", "{output}"]
COMMANDS = {
    "log": LOGGED,
    "log with a reference": [*LOGGED, "--reference", "{log}"],
    "compare": ["compare", "{log}", "{log}"],
    "compare what differs": ["compare", "{other}", "{log}"],
    "log what differs": [*LOGGED, "--reference", "{other}"],
    "verify": ["verify", "{log}", "--dataset-root", "{sweep}", "--measure"],
    "report": ["report", "{log}", "{log}", "--output", "{output}"],
    "bundle": ["bundle", "{log}", "--dataset-root", "{sweep}", "--output", "{output}/{turn}.tar"],
}


@pytest.mark.parametrize("words", list(COMMANDS.values()), ids=list(COMMANDS))
def test_commands(words: list[str], sweeps: dict[int, Path], tmp_path: Path) -> None:
    turns = count()

    def run(sweep: Path) -> None:
        places = {
            "sweep": sweep,
            "log": sweep / LOG,
            "other": sweep / OTHER / LOG,
            "output": tmp_path,
            "turn": next(turns),
        }
        assert main([word.format(**places) for word in words]) == (DRIFT if "{other}" in words else DONE)

    assert_linear(run, sweeps)


@pytest.mark.parametrize("with_reference", [False, True])
def test_sessions(with_reference: bool, sweeps: dict[int, Path], pytester: pytest.Pytester) -> None:
    def run(sweep: Path) -> None:
        options = ["--parity-scenario=T", f"--parity-dataset-root={sweep}", "--parity-no-cache", "--parity-output=out"]
        more = [f"--parity-reference={sweep / LOG}"] if with_reference else []
        assert run_session(pytester, *options, *more).ret == 0

    assert_linear(run, sweeps)


def assert_linear(run: Callable[[Path], None], sweeps: dict[int, Path]) -> None:
    run(sweeps[FEW])  # what is imported and kept for later must not count
    few, many = (calls(lambda sweep=sweeps[size]: run(sweep)) for size in (FEW, MANY))
    most = 1.2 * MANY / FEW
    assert {name: (few[name], n) for name, n in many.items() if n > OFTEN and n > most * few[name]} == {}
