"""How far work has come and the time left, on standard error or in a notebook; silent where nobody looks.

What takes long opens a ``Bar`` around its loop and counts its steps. Nothing is drawn in the first second,
off the main thread, where standard error is no terminal, inside ``hide_progress`` or a bar that is not shown,
in a process forked inside a bar, and where RAPID_ISING_PROGRESS is 0. Bars inside a bar are lines below it.
"""

from __future__ import annotations

import importlib
import io
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, final

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

VARIABLE = "RAPID_ISING_PROGRESS"
DELAY = 1.0
"""Seconds before a bar is drawn: shorter work needs none."""
PERIOD = 30.0
"""The seconds that the speed is averaged over."""
NOTEBOOK_WIDTH, NOTEBOOK_PAUSE = 100, 0.2
"""Columns of a bar in a notebook, and the seconds from one state of it to the next."""

_hiding = 0
"""How many blocks of the main thread hide progress; other threads draw none anyway."""


def _on_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextmanager
def hide_progress() -> Iterator[None]:
    """Draw no progress inside the block.

    Examples
    --------
    >>> with hide_progress(), Bar("steps", 3) as bar:
    ...     bar.advance()
    """
    with Bar("", None, shown=False):
        yield


@final
class Bar:
    """A bar that counts the steps of a loop.

    Parameters
    ----------
    what
        The name of the steps, plural.
    total
        How many there are; None where that is not known, when the time that has passed is shown.
    done
        How many are done already.
    shown
        Whether it is drawn, and bars inside.
    delay
        The seconds after which it is drawn; one when left out.
    keep
        Whether its last state stays.
    period
        The seconds that the speed is averaged over.
    """

    def __init__(
        self,
        what: str,
        total: float | None,
        *,
        done: float = 0,
        shown: bool = True,
        delay: float | None = None,
        keep: bool = False,
        period: float = PERIOD,
    ) -> None:
        self._what, self._total, self._done = what, total, done
        self._shown, self._keep, self._period = shown, keep, period
        self._delay = DELAY if delay is None else delay
        self._count: str | None = None
        self._note = ""
        self._screen: _Screen | None = None
        self._task: TaskID | None = None
        self._open = False
        self._began = 0.0

    def __enter__(self) -> Bar:
        global _hiding
        if _on_main_thread():
            self._open = self._shown and not _hiding
            _hiding += not self._shown
        self._began = time.monotonic()
        if self._delay <= 0:
            self._draw()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        global _hiding
        if _on_main_thread():
            _hiding -= not self._shown
        self._open = False
        if self._screen is not None and self._task is not None:
            self._screen.end(self._task, keep=self._keep)

    def advance(self, steps: float = 1, *, count: str | None = None, note: str | None = None) -> None:
        """Count steps; ``count`` is shown in place of their number, and ``note`` beside them."""
        self._done += steps
        self._count = self._count if count is None else count
        self._note = self._note if note is None else note
        if self._open and time.monotonic() - self._began >= self._delay:
            self._draw()

    def _draw(self) -> None:
        if not self._open:
            return
        if self._screen is None:
            self._screen = _Screen.current(self._period)
            if self._screen is None:
                self._open = False
                return
            self._task = self._screen.add(self._total, self._counted())
        if self._task is not None:
            self._screen.show(self._task, self._done, self._counted(), self._note)

    def _counted(self) -> str:
        if self._count is not None:
            return self._count
        return f"{self._done:g}/{self._total:g} {self._what}" if self._total is not None else self._what


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show what is waited for, and for how long, while the block lasts: work whose steps are not known."""
    with Bar(what, None, delay=0):
        yield


@final
class _Screen:
    """Where bars are drawn: the lines at the end of a terminal, or a piece of a notebook's output."""

    _open: ClassVar[_Screen | None] = None
    """The one that there is, for as long as it has bars."""

    def __init__(self, progress: Progress, notebook: bool) -> None:
        self._progress = progress
        self._bars = 0
        self._handle: Any = None
        self._last = 0.0
        self._process = os.getpid()
        if notebook:
            display = importlib.import_module("IPython.display").display
            self._handle = display({"text/plain": ""}, raw=True, display_id=True)
        else:
            progress.start()

    @classmethod
    def current(cls, period: float) -> _Screen | None:
        """Return the screen, opened where there is none, or None where nobody would see it."""
        if cls._open is None:
            cls._open = cls._opened(period)
        return cls._open if cls._open is not None and cls._open._ours() else None

    def _ours(self) -> bool:
        """Return whether this process opened it: one that was forked since leaves it alone."""
        return self._process == os.getpid()

    @classmethod
    def _opened(cls, period: float) -> _Screen | None:
        import multiprocessing

        if os.environ.get(VARIABLE) == "0" or multiprocessing.current_process().name != "MainProcess":
            return None
        from rich.console import Console
        from rich.errors import LiveError
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.table import Column

        console = Console(stderr=True)
        if not (console.is_terminal or console.is_jupyter):
            return None
        progress = Progress(
            # The bar alone gives way where the line is too long for the terminal.
            BarColumn(),
            TextColumn("{task.fields[count]}", markup=False, table_column=Column(no_wrap=True)),
            TimeElapsedColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[left]}"),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
            speed_estimate_period=period,
        )
        try:
            return cls(progress, console.is_jupyter)
        except LiveError:
            # Somebody else's live display has the terminal.
            return None

    def add(self, total: float | None, count: str) -> TaskID:
        """Add a bar."""
        self._bars += 1
        left = "" if total is None else "left"
        return self._progress.add_task("", total=total, count=count, left=left, note="")

    def show(self, task: TaskID, done: float, count: str, note: str) -> None:
        """Set the state of a bar; a terminal draws it by itself."""
        if not self._ours():
            return
        self._progress.update(task, completed=done, count=count, note=note)
        if self._handle is not None and time.monotonic() - self._last >= NOTEBOOK_PAUSE:
            self._write()

    def end(self, task: TaskID, *, keep: bool) -> None:
        """Take a bar away, and with the last one the screen."""
        if not self._ours():
            return
        self._bars -= 1
        if not keep:
            self._progress.remove_task(task)
        if self._bars:
            return
        type(self)._open = None
        if self._handle is not None:
            self._write()
        else:
            # What is kept stays, whichever bar ends last.
            self._progress.live.transient = not self._progress.tasks
            self._progress.stop()

    def _write(self) -> None:
        from rich.console import Console

        self._last = time.monotonic()
        page = Console(file=io.StringIO(), width=NOTEBOOK_WIDTH, force_jupyter=False, force_terminal=False)
        if self._progress.tasks:
            page.print(self._progress.get_renderable())
        text = page.file.getvalue()  # type: ignore[attr-defined]  # the StringIO that it was given
        self._handle.update({"text/plain": text}, raw=True)
