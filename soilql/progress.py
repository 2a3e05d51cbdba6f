"""What a run shows while it goes: live lines on a terminal, plain lines in a log, nothing when quiet."""

from __future__ import annotations

import time
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from soilql.alike import gathered
from soilql.errors import Severity
from soilql.values import Note

if TYPE_CHECKING:
    from rich.console import Console


class NodeState(StrEnum):
    """What became of a node."""

    STORED = "stored"
    RUNNING = "running"
    DONE = "done"
    LAZY = "made when needed"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_RUN = "not run"


class Progress(Protocol):
    """Where a run tells how it goes."""

    def start(self, total: int) -> None:
        """Begin a run of so many nodes."""
        ...

    def begin(self, number: int, name: str, what: str) -> None:
        """Begin a node: its position from 1, its name and its kind."""
        ...

    def update(self, done: int, total: int) -> None:
        """Tell how much of the node that runs is done."""
        ...

    def message(self, text: str) -> None:
        """Say something about the node that runs."""
        ...

    def end(self, state: NodeState, seconds: float, because: str = "", notes: Iterable[Note] = ()) -> None:
        """End the node: what became of it, how long it took, and what travels with its value."""
        ...

    def stop(self) -> None:
        """End the run, however it ended."""
        ...


class Quiet:
    """Show nothing."""

    def start(self, total: int) -> None:
        """Begin."""

    def begin(self, number: int, name: str, what: str) -> None:
        """Begin a node."""

    def update(self, done: int, total: int) -> None:
        """Go on."""

    def message(self, text: str) -> None:
        """Say nothing."""

    def end(self, state: NodeState, seconds: float, because: str = "", notes: Iterable[Note] = ()) -> None:
        """End a node."""

    def stop(self) -> None:
        """End."""


class Plain:
    """One line a node, for logs and pipes.

    Examples
    --------
    >>> import io
    >>> stream = io.StringIO()
    >>> shown = Plain(stream)
    >>> shown.start(9)
    >>> shown.begin(3, "rs", "predict")
    >>> shown.end(NodeState.DONE, 12.34, notes=[Note("SQ802", "zone `boreal`: 3 rows, 10 needed: not fitted")])
    >>> print(stream.getvalue(), end="")
    [3/9] rs predict ... 12.3 s
          warning SQ802 zone `boreal`: 3 rows, 10 needed: not fitted
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._total = 0
        self._head = ""
        self._open = False

    def start(self, total: int) -> None:
        """Begin a run of so many nodes."""
        self._total = total

    def begin(self, number: int, name: str, what: str) -> None:
        """Write the head of a node's line."""
        self._head = f"[{number}/{self._total}] {name} {what} ... "
        self._write(self._head)
        self._open = True

    def update(self, done: int, total: int) -> None:
        """Write nothing: a log is not to be filled with percentages."""

    def message(self, text: str) -> None:
        """Write a line of its own."""
        self._write(("\n" if self._open else "") + f"      {text}\n")
        self._open = False

    def end(self, state: NodeState, seconds: float, because: str = "", notes: Iterable[Note] = ()) -> None:
        """Write the rest of a node's line, and its notes below, of several zones as one."""
        self._write(("" if self._open else self._head) + outcome(state, seconds, because) + "\n")
        self._open = False
        for note in gathered(notes):
            self._write(f"      {note_line(note)}\n")

    def stop(self) -> None:
        """End the line that may be open."""
        if self._open:
            self._write("\n")
            self._open = False

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class Live:
    """The node that runs with its bar, below those that are finished."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._console: Console | None = None
        self._bars: Any = None
        self._task: Any = None
        self._total = 0
        self._head = ""

    def start(self, total: int) -> None:
        """Begin a run of so many nodes."""
        from rich.console import Console

        self._total = total
        self._console = Console(file=self._stream, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def begin(self, number: int, name: str, what: str) -> None:
        """Show a bar for a node, without end until it tells how much there is to do."""
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

        width = len(str(self._total))
        self._head = f"[{number:>{width}}/{self._total}] {name} {what}"
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
        )
        self._bars = Progress(*columns, console=self._console, transient=True)
        self._task = self._bars.add_task(self._head, total=None)
        self._bars.start()

    def update(self, done: int, total: int) -> None:
        """Move the bar."""
        if self._bars is not None:
            self._bars.update(self._task, completed=done, total=total)

    def message(self, text: str) -> None:
        """Write a line above the bar."""
        if self._console is not None:
            self._console.print(f"      {text}", style="dim")

    def end(self, state: NodeState, seconds: float, because: str = "", notes: Iterable[Note] = ()) -> None:
        """Replace the bar by the node's line, and write its notes below, of several zones as one."""
        self.stop()
        if self._console is None:
            return
        style = {NodeState.FAILED: "bold red", NodeState.SKIPPED: "yellow", NodeState.DONE: "green"}.get(state, "dim")
        self._console.print(f"{self._head}  ", end="")
        self._console.print(outcome(state, seconds, because), style=style)
        for note in gathered(notes):
            self._console.print(f"      {note_line(note)}", style="yellow" if note.severity != Severity.INFO else "dim")

    def stop(self) -> None:
        """Take the bar away."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None


class Timed:
    """Tell another Progress no more often than a terminal can show: a computation may report thousands of tasks."""

    def __init__(self, progress: Progress, interval: float = 0.1) -> None:
        self._progress = progress
        self._interval = interval
        self._next = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Pass on how much is done."""
        now = time.monotonic()
        if now >= self._next or done >= total:
            self._next = now + self._interval
            self._progress.update(done, total)


def make_progress(stream: TextIO, *, quiet: bool = False) -> Progress:
    """Return what fits a stream: live lines where it is a terminal, else plain ones; nothing when quiet."""
    if quiet:
        return Quiet()
    return Live(stream) if stream.isatty() else Plain(stream)


def outcome(state: NodeState, seconds: float, because: str = "") -> str:
    """Return what became of a node, in a few words.

    Examples
    --------
    >>> outcome(NodeState.DONE, 75.2), outcome(NodeState.SKIPPED, 0.0, "`rs` failed")
    ('1 min 15 s', 'skipped because `rs` failed')
    """
    if state is NodeState.DONE:
        return duration(seconds)
    reason = f" because {because}" if because else ""
    return f"{state}{reason}"


def duration(seconds: float) -> str:
    """Return a time in the units that suit it.

    Examples
    --------
    >>> [duration(value) for value in (0.04, 12.34, 59.96, 75.2, 7384)]
    ['0.0 s', '12.3 s', '1 min 0 s', '1 min 15 s', '2 h 3 min']
    """
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def note_line(note: Note) -> str:
    """Return a note as one line."""
    return f"{'note' if note.severity == Severity.INFO else note.severity} {note.code} {note.message}"
