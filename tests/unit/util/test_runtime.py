"""Signals that end a run."""

from __future__ import annotations

import signal
import threading
import weakref

import pytest

from pytest_d0parity.util.runtime import Interruption


class _Thing:
    pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_that_comes_while_python_cannot_pass_it_on_is_not_lost(
    number: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    """What a callback of a weak reference raises is printed and forgotten, as `import` has such callbacks."""
    things = [_Thing()]
    reference = weakref.ref(things[0], lambda _: signal.raise_signal(number))

    def lose() -> None:
        with interruption:
            things.clear()
            threading.Event().wait(60)

    interruption = Interruption()
    with pytest.raises(KeyboardInterrupt):
        lose()
    assert reference() is None
    assert interruption.exit_code == 128 + number
    assert "Traceback" not in capfd.readouterr().err
