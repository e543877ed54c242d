"""The tests do not touch what belongs to the user who runs them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_d0parity.capture.cache import default_folder


@pytest.fixture(scope="session")
def cache_of_a_session() -> Path:
    """What fixtures of a session and a module see, before the first test has begun."""
    return default_folder()


def test_no_fixture_uses_the_cache_of_the_user(cache_of_a_session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = default_folder()
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert len({mine, cache_of_a_session, default_folder()}) == 3
