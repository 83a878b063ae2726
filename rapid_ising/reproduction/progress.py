"""The progress bar of many tasks, on standard error."""

from __future__ import annotations

from types import TracebackType
from typing import final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

PERIOD = 900.0
"""The seconds that the speed is averaged over: tasks are few and long."""


@final
class TaskBar:
    """A bar that counts tasks and grows with their cost; silent when not ``shown``."""

    def __init__(self, cost: float, count: int, shown: bool) -> None:
        self._progress = Progress(
            BarColumn(),
            TextColumn("{task.fields[done]}/{task.fields[count]} tasks", table_column=Column(no_wrap=True)),
            TimeElapsedColumn(table_column=Column(no_wrap=True)),
            TextColumn("left"),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
            console=Console(stderr=True),
            disable=not (shown and count),
            speed_estimate_period=PERIOD,
        )
        self._done = 0
        self._task = self._progress.add_task("tasks", total=cost, done=0, count=count)

    def __enter__(self) -> TaskBar:
        # rich before 14 ends even a disabled bar with an empty line.
        if not self._progress.disable:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._progress.disable:
            self._progress.stop()

    def advance(self, cost: float) -> None:
        """Count one task."""
        self._done += 1
        self._progress.update(self._task, advance=cost, done=self._done)
