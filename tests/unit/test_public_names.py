"""What others import and call: names that stay."""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

import pytest_d0parity
from pytest_d0parity import json_schema, simulator
from scripts.tools import d0_parity_logger
from tests.support.command import d0parity

NAMES = {
    "CaptureInterrupted",
    "EvidenceLog",
    "LogError",
    "ParamsError",
    "ParityDataset",
    "ParityError",
    "Placeholder",
    "Scenario",
    "Threshold",
    "__version__",
    "capture_evidence",
    "compare",
    "convert_for_json",
    "json_schema",
    "load_params",
    "read_log",
    "scan",
    "sha256_file",
    "summarize_array",
    "summarize_grouped",
    "summarize_probe",
    "to_json",
    "verify",
}
OF_THE_SCRIPT = {
    "convert_for_json",
    "load_params",
    "main",
    "sha256_file",
    "summarize_array",
    "summarize_grouped",
    "summarize_probe",
}
RECORDS = {
    "AcceptedRun",
    "Attachment",
    "ArrayInfo",
    "Check",
    "Dataset",
    "Difference",
    "Dose",
    "EvidenceLog",
    "Finding",
    "Frames",
    "GroupedStats",
    "Histogram",
    "Histograms",
    "Layout",
    "Metadata",
    "NotCompared",
    "ParamValue",
    "PartStats",
    "Pattern",
    "Photons",
    "ProbeStats",
    "Problem",
    "Reference",
    "Scan",
    "SharedArray",
    "Split",
    "StageStats",
    "Stats",
}


def test_the_package() -> None:
    assert set(pytest_d0parity.__all__) == set(dir(pytest_d0parity)) == NAMES
    for name in NAMES:
        assert getattr(pytest_d0parity, name) is not None


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        pytest_d0parity.nothing  # noqa: B018


def test_the_script() -> None:
    assert set(d0_parity_logger.__all__) == OF_THE_SCRIPT
    for name in OF_THE_SCRIPT - {"main"}:
        assert getattr(d0_parity_logger, name) is getattr(pytest_d0parity, name)
    assert callable(d0_parity_logger.main)


@pytest.mark.parametrize("name", ["simulate_sweep", "make_probe", "write_params"])
def test_the_simulator(name: str) -> None:
    assert callable(getattr(simulator, name))


def test_the_entry_points() -> None:
    (plugin,) = [each for each in entry_points(group="pytest11") if each.name == "d0parity"]
    assert plugin.value == "pytest_d0parity.plugin"
    assert plugin.load() is importlib.import_module("pytest_d0parity.plugin")
    (command,) = [each for each in entry_points(group="console_scripts") if each.name == "d0parity"]
    assert command.value == "pytest_d0parity.__main__:run"
    assert callable(command.load())


def test_the_module_as_a_command() -> None:
    done = d0parity("--version")
    assert (done.returncode, done.stdout) == (0, f"d0parity {pytest_d0parity.__version__}\n")


def test_the_records_of_the_schema() -> None:
    assert set(json_schema()["$defs"]) == RECORDS


def test_a_public_name_is_imported_when_it_is_asked_for() -> None:
    code = "import sys, pytest_d0parity; print('numpy' in sys.modules); pytest_d0parity.summarize_array"
    assert subprocess.check_output([sys.executable, "-c", code], text=True, timeout=120) == "False\n"
