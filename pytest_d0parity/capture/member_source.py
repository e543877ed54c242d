"""An array of an NPZ file as a stream of blocks, read ahead in a thread of its own where that is asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import Any, TypeVar

from numpy.typing import NDArray

from ..readers.npz import Member, NpzFile
from ..statistics.blocks import unit_of

T = TypeVar("T")
Progress = Callable[[float], None]

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


class ProgressCounter:
    """Adds up work that is done, and reports its share of the total."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total = max(total, 1)
        self._done = 0
        self._progress = progress

    def advance(self, amount: int) -> None:
        """Add work that is done."""
        self._done += amount
        self._progress(self._done / self._total)


class MemberSource:
    """An array of an NPZ file as a `statistics.blocks.Source`."""

    def __init__(
        self, npz: NpzFile, member: Member, progress: Progress = lambda _: None, overlap: bool = False
    ) -> None:
        self._npz = npz
        self._overlap = overlap
        self._member = member
        self._counter = ProgressCounter(member.size, progress)
        self.shape = member.shape
        self.dtype = member.dtype
        self.fortran_order = member.fortran_order
        self.unit = self.row = unit_of(member.shape, fortran_order=member.fortran_order)

    def blocks(self, sizes: Iterable[int]) -> Iterator[NDArray[Any]]:
        """Yield pieces of these sizes: see `Source.blocks`."""
        blocks = self._npz.blocks(self._member, sizes)
        for block in read_ahead(blocks) if self._overlap else blocks:
            yield block
            self._counter.advance(block.size)
