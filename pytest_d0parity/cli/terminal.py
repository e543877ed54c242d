"""Output to the terminal: messages, progress, and the outcome."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from ..util.progress import Listener
from ..util.text import counted, printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from ..evidence.dataset import Problem
    from ..evidence.model import EvidenceLog


class Terminal(Listener):
    """A listener that prints: problems to standard error, the outcome to standard output.

    Parameters
    ----------
    quiet : bool
        Say nothing but what is wrong.
    progress : bool or None
        Show a progress bar; None: when standard error is a terminal.
    """

    def __init__(self, *, quiet: bool = False, progress: bool | None = None) -> None:
        self._quiet = quiet
        self._wants_bar = not quiet and (_is_terminal(sys.stderr) if progress is None else progress)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._sizes: dict[str, int] = {}
        self._done: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_bar()

    def say(self, text: str) -> None:
        """Print a message, unless quiet."""
        if not self._quiet:
            _print(sys.stdout, text)

    def say_always(self, text: str) -> None:
        """Print a message; if quiet, to standard error."""
        _print(sys.stderr if self._quiet else sys.stdout, text)

    def error(self, text: str) -> None:
        """Print an error."""
        self._print_error(f"error: {text}")

    def note(self, text: str) -> None:
        """Print a note, which does not stand in the log."""
        self._print_error(f"note: {text}")

    def hint(self, text: str) -> None:
        """Print a note that nothing is wrong with, unless quiet."""
        if not self._quiet:
            self.note(text)

    def problem(self, problem: Problem) -> None:
        """Print a problem of the log."""
        from ..evidence.dataset import problem_line

        self._print_error(problem_line(problem))

    def planned(self, datasets: Sequence[tuple[str, int]]) -> None:
        """Begin the progress bar."""
        self._stop_bar()
        self._sizes, self._done = dict(datasets), {}
        if not self._wants_bar or not datasets:
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns: list[Any] = [
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %", markup=False),
            TimeRemainingColumn(),
        ]
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("", total=max(sum(self._sizes.values()), 1))
        self._bar.start()

    def progress(self, filename: str, share: float) -> None:
        """Move the progress bar, also within a file."""
        if self._bar is None or self._task is None:
            return
        # Several datasets are measured at once.
        self._done[filename] = share * self._sizes[filename]
        self._bar.update(self._task, description=printable(filename), completed=sum(self._done.values()))

    def done(self, log: EvidenceLog, output: str | None) -> None:
        """Print the outcome and, if it was written, where."""
        from ..evidence.artifacts import PAGE
        from ..reports.outcome import outcome_of

        self._stop_bar()
        count = counted(log.total_datasets, "dataset")
        outcome = outcome_of(log)
        line = f"{log.verdict}: {count} of {printable(log.metadata.dataset_root)}{_tally(log.all_problems)}"
        if log.reference is None:
            line += outcome.known
        else:
            line = "\n".join(filter(None, [f"{line}; {outcome.sentence}", outcome.text()]))
        if log.verdict == "drift" and self._quiet:
            self.error(line)
        self.say(line)
        if log.datasets and not self._quiet:
            from ..reports.sweep_table import sweep_table  # imports rich

            self.say(f"\n{sweep_table(log, outcome)}\n")
        if output is None:
            return
        self.say(
            f"Read {printable(os.path.join(output, 'dose_parity_log.md'))}; every digit is in the .json beside it."
        )
        if os.path.exists(page := os.path.join(output, PAGE)):
            self.say(f"Look at {printable(page)}.")

    def _stop_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _print_error(self, text: str) -> None:
        text = "\n".join(map(printable, text.split("\n")))  # whatever name of a file stands in it
        if self._bar is None:
            _print(sys.stderr, text)
        else:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


def _print(stream: TextIO | None, text: str) -> None:
    """Print a line. A stream that cannot be written to is silently closed: it does not change the outcome."""
    if stream is None:
        return
    try:
        encoding = stream.encoding or "utf-8"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        stream.flush()
    except (OSError, ValueError):
        # The reader has closed the pipe, or the disk is full. The rest of the buffer must not
        # raise once more when the interpreter exits.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _tally(problems: Sequence[Problem]) -> str:
    parts = []
    for severity in ("error", "warning"):
        count = sum(problem.severity == severity and not problem.accepted for problem in problems)
        if count:
            parts.append(counted(count, severity))
    return f" ({', '.join(parts)})" if parts else ""
