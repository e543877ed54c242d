"""Iteration in a thread of its own, some items ahead of the consumer."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import TypeVar

T = TypeVar("T")

_MAX_WAITING = 4  # items; each of them takes memory


def read_ahead(items: Iterable[T]) -> Iterator[T]:
    """Iterate in a thread of its own, some items ahead of the consumer.

    Parameters
    ----------
    items : iterable
        What to iterate over. It should spend its time outside the GIL, as inflating and hashing do.

    Yields
    ------
    object
        The items in their order. An exception is raised again at the place where it happened.
    """
    ready: Queue[tuple[bool, T | BaseException | None]] = Queue(_MAX_WAITING)
    stop = threading.Event()

    def put(last: bool, item: T | BaseException | None) -> None:
        while not stop.is_set():
            with suppress(Full):
                ready.put((last, item), timeout=0.1)
                break

    def produce() -> None:
        try:
            for item in items:
                put(False, item)
                if stop.is_set():
                    return
        except BaseException as error:
            put(True, error)
        else:
            put(True, None)

    thread = threading.Thread(target=produce, name="d0parity-read-ahead", daemon=True)
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
        # The thread must not go on reading a file that the consumer closes.
        stop.set()
        while thread.is_alive():
            with suppress(Empty):
                ready.get(timeout=0.01)
