"""Work that overlaps: one thread prepares what another one uses."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import TypeVar

T = TypeVar("T")

_AHEAD = 4  # items that wait at the most: memory is theirs


def ahead(items: Iterable[T]) -> Iterator[T]:
    """Iterate in a thread of its own, some items ahead of whoever asks for them.

    Parameters
    ----------
    items : iterable
        Worth a thread where its work leaves the interpreter free, like inflating and hashing do.

    Yields
    ------
    object
        The items, in their order; an exception is raised where it happened.
    """
    ready: Queue[tuple[bool, T | BaseException | None]] = Queue(_AHEAD)
    stop = threading.Event()

    def put(last: bool, item: T | BaseException | None) -> None:
        while not stop.is_set():
            with suppress(Full):
                ready.put((last, item), timeout=0.1)
                break

    def work() -> None:
        try:
            for item in items:
                put(False, item)
                if stop.is_set():
                    return
        except BaseException as error:
            put(True, error)
        else:
            put(True, None)

    thread = threading.Thread(target=work, name="d0parity-ahead", daemon=True)
    thread.start()
    try:
        while True:
            last, item = ready.get()
            if not last:
                yield item  # type: ignore[misc]
            elif isinstance(item, BaseException):
                raise item
            else:
                return
    finally:
        # Who asks no more must not leave a thread behind that reads a closed file.
        stop.set()
        while thread.is_alive():
            with suppress(Empty):
                ready.get(timeout=0.01)
