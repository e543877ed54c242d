"""The pytest plugin: options and fixtures. Other modules are imported when a session asks for parity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ..scenario.options import add_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..scenario.scenario import Scenario
    from .dataset import ParityDataset
    from .session import ParitySession


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("d0parity", "parity of a photon-dose sweep")
    group.addoption(
        "--parity-scenario",
        metavar="ID",
        help="check the parity of this scenario; may name a table [tool.d0parity.scenarios.ID] in pyproject.toml",
    )
    add_options(group.addoption, "parity-")
    group.addoption(
        "--parity-update-reference",
        action="store_true",
        help="accept the observed values as the new reference, instead of comparing with it",
    )
    group.addoption(
        "--parity-attest",
        action="store_true",
        help="write what the log attests as an in-toto statement, dose_parity_statement.json",
    )
    group.addoption(
        "--parity-partial",
        action="store_true",
        help="checks that a conftest.py, another plugin or a configured addopts takes away are meant (shards)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Start a parity session if the options ask for one."""
    if config.getoption("parity_scenario") is not None:
        from .controller import start_session

        start_session(config)
        return
    for name in ("reference", "compare", "threshold", "update-reference", "attest"):
        if config.getoption(f"--parity-{name}"):  # whoever gives it expects parity to be checked
            raise pytest.UsageError(
                f"--parity-{name} has no effect without --parity-scenario=ID, which turns the checks on"
            )


def _session(request: pytest.FixtureRequest) -> ParitySession:
    if request.config.getoption("parity_scenario") is None:
        pytest.skip("it checks parity, and the session was started without --parity-scenario")
    from .session import PARITY

    return request.config.stash[PARITY]


@pytest.fixture(scope="session")
def parity_scenario(request: pytest.FixtureRequest) -> Scenario:
    """Return the scenario of this session."""
    return _session(request).scenario


@pytest.fixture(scope="session")
def parity_params(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the params of the baseline run, by name, read without executing anything: see `load_params`."""
    return _session(request).load_params()


@pytest.fixture
def parity_dataset(request: pytest.FixtureRequest) -> ParityDataset:
    """Run the test for each dataset of the sweep: its values are attributes, and ``load(name)`` loads an array."""
    session = _session(request)
    if not hasattr(request, "param"):
        from .session import why_not_parametrized

        pytest.fail(why_not_parametrized(request.cls), pytrace=False)
    return session.parity_dataset(request.param, request.node)


@pytest.fixture
def parity_record(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Record a value in the log, and compare it with the reference.

    ``parity_record(name, value, rel=None, abs=None)``: `name` is a text without blanks and colons, `value` a number,
    a text, a flag or None; `rel` (share of the reference) and `abs` (unit of the value) say how far it may be from
    the reference, unless a threshold of the project or of the command line covers the name.
    """
    _session(request)  # skips the test without a scenario
    from .recording import record_own

    def record(name: str, value: Any, rel: float | None = None, abs: float | None = None) -> None:  # noqa: A002
        __tracebackhide__ = True
        record_own(request.node, name, value, rel, abs)

    return record
