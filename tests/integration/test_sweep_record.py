"""Whether a sweep differs in its dose alone: what its files share, and which of them differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_d0parity.cli import main
from tests.support.command import read_log
from tests.support.patterns import amplitudes, write

RNG = np.random.default_rng(0)
LENS = RNG.normal(size=(16, 16)) + 1j * RNG.normal(size=(16, 16))
X = np.arange(40.0)

# The probes of a sweep of four files, and what is said of them.
PROBES: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "one": ([LENS] * 4, {"same": True, "differ": []}),
    "times the root of the dose": (
        [LENS, LENS, LENS, LENS * 3.5],
        {"same": False, "differ": ["data_p4e4.npz"], "up_to_a_factor": True},
    ),
    "turned": (
        [LENS, LENS, LENS.T * 2, LENS * np.exp(1j)],
        {"same": False, "differ": ["data_p3e4.npz", "data_p4e4.npz"]},
    ),
    "another": ([LENS, LENS + 0.01, LENS, LENS], {"same": False, "differ": ["data_p2e4.npz"]}),
    "in three of four": ([LENS, LENS, None, LENS], {"same": True, "differ": []}),
    "one that is no numbers": ([LENS, np.array("x"), LENS, LENS], {"same": False, "differ": ["data_p2e4.npz"]}),
    "none that is numbers": ([np.array(text) for text in "abaa"], {"same": False, "differ": ["data_p2e4.npz"]}),
    "in one": ([LENS, None, None, None], {}),
}


def logged(root: Path, output: Path) -> Any:
    assert main(["log", "-q", "--no-cache", "--jobs", "1", "--dataset-root", str(root), "--output", str(output)]) in (
        0,
        1,
    )
    return read_log(output)


@pytest.mark.parametrize("case", PROBES)
def test_probes(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    probes, said = PROBES[case]
    for number, probe in enumerate(probes, 1):
        arrays = {} if probe is None else {"probeGuess": probe}
        write(tmp_path / "s" / f"data_p{number}e4.npz", diff3d=amplitudes(number * 1e4), **arrays)
    (split,) = logged(tmp_path / "s", tmp_path / "out")["sweep"]
    assert (split["name"], split["datasets"]) == ("", 4)
    assert split["arrays"].get("probeGuess", {}) == said
    assert "Traceback" not in capsys.readouterr().err


def test_each_split_is_looked_at_by_itself(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        for split, shift in (("train", 0), ("test", 5)):
            x = X + shift + (number == 2 and split == "test")
            name = f"data_p{number}e4_{split}.npz"
            write(
                tmp_path / "s" / name,
                diff3d=amplitudes(number * 1e4),
                xcoords=x,
                ycoords=X,
                scan_index=np.zeros(40, int),
            )
    write(tmp_path / "s" / "data_p9e4_valid.npz", diff3d=amplitudes(9e4), xcoords=X)  # alone, it shares nothing
    log = logged(tmp_path / "s", tmp_path / "out")
    assert [(split["name"], split["datasets"]) for split in log["sweep"]] == [("test", 3), ("train", 3)]
    test, train = (split["arrays"] for split in log["sweep"])
    assert test["xcoords"] == {"same": False, "differ": ["data_p2e4_test.npz"]}
    assert {name for name, shared in train.items() if shared["same"]} == {"xcoords", "ycoords", "scan_index"}
    assert not [problem for dataset in log["datasets"] for problem in dataset["problems"]]  # a remark, and no more
    digest = (tmp_path / "out" / "dose_parity_log.md").read_text(encoding="utf-8")
    assert "| the same in all 3 of test | ycoords, scan_index; xcoords differs in data_p2e4_test.npz |" in digest
    assert "| the same in all 3 of train | xcoords, ycoords, scan_index |" in digest
