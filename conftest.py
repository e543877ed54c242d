"""What all tests share."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from pytest_d0parity import EvidenceLog

pytest_plugins = ["pytester"]

settings.register_profile("d0parity", deadline=None)  # no test waits on the clock
settings.load_profile("d0parity")

# The maintainers keep a real sweep beside the repository; the tests that use it say so when it is not there.
SHARED = Path(os.environ.get("D0PARITY_SHARED", Path(__file__).parent.parent / "shared"))


def pytest_configure(config: pytest.Config) -> None:
    """Keep the user's own cache out of the tests and their fixtures of any scope, also in workers of xdist."""
    place = tempfile.TemporaryDirectory(prefix="d0parity-tests-", ignore_cleanup_errors=True)
    config.add_cleanup(place.cleanup)
    environment = pytest.MonkeyPatch()
    config.add_cleanup(environment.undo)
    environment.setenv("XDG_CACHE_HOME", place.name)


@pytest.fixture(autouse=True)
def _no_ci_system(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever runs the tests, what they start shall not write where that one reads."""
    for variable in ("ARTIFACT_DIR", "GITHUB_STEP_SUMMARY", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(variable, raising=False)
    # Nor shall one test know what another one has measured.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session", autouse=True)
def _ending_signals() -> Iterator[None]:
    """Let signals end what the tests start, also where they are ignored here: in the background, by ``nohup`` or cron.

    What is caught here is the default of a child.
    """
    caught = {signal.SIGINT: signal.default_int_handler}
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        caught[signal.SIGHUP] = lambda *_: None  # which this process goes on to ignore
    before = {name: signal.signal(name, handler) for name, handler in caught.items()}
    yield
    for name, handler in before.items():
        signal.signal(name, handler)


@pytest.fixture(scope="session")
def photon_grid() -> Path:
    """A real sweep of two doses with its real params.dill."""
    folder = SHARED / "data" / "photon_grid"
    if not folder.is_dir():
        pytest.skip(f"the real sweep is not here (looked in {folder})")
    return folder


@pytest.fixture(scope="session")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated sweep of three doses with its params.dill. Not to be written to."""
    from pytest_d0parity.simulator import simulate_sweep, write_params

    folder = tmp_path_factory.mktemp("sweep")
    simulate_sweep(str(folder), ["1e3", "1e5", "1e9"], frames=40)
    write_params(str(folder / "params.dill"), frames=40)
    return folder


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A smaller sweep, of two doses. Not to be written to."""
    from pytest_d0parity.simulator import simulate_sweep, write_params

    folder = tmp_path_factory.mktemp("pair")
    simulate_sweep(str(folder), ["1e4", "1e6"], frames=20)
    write_params(str(folder / "params.dill"), frames=20)
    return folder


@pytest.fixture(scope="session")
def log(sweep: Path) -> EvidenceLog:
    """The log of `sweep`."""
    from pytest_d0parity import Scenario, capture_evidence

    params = str(sweep / "params.dill")
    return capture_evidence(Scenario(scenario_id="SIM", dataset_root=str(sweep), baseline_params=params))
