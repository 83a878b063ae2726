"""The progress bar of a training, on standard error."""

from __future__ import annotations

from types import TracebackType
from typing import final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

SHOWN = {
    "hamming_test": "distance",
    "zero_temperature_test": "T=0",
    "log_likelihood_test": "log-lik.",
}
"""The measures shown beside the bar when a callback records them."""


@final
class EpochBar:
    """A bar that counts epochs and shows the last measures; silent when not ``shown``."""

    def __init__(self, total: int, done: int, shown: bool) -> None:
        self._progress = Progress(
            # The bar alone gives way where the line is too long for the terminal.
            BarColumn(),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TextColumn("epochs"),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[measures]}"),
            console=Console(stderr=True),
            disable=not shown,
        )
        self._task = self._progress.add_task("training", total=total, completed=done, measures="")

    def __enter__(self) -> EpochBar:
        # rich before 14 ends even a disabled bar with an empty line.
        if not self._progress.disable:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._progress.disable:
            self._progress.stop()

    def advance(self, record: dict[str, float]) -> None:
        """Count one epoch and show what its record holds."""
        parts = [f"{label} {record[key]:.3f}" for key, label in SHOWN.items() if key in record]
        if parts:
            self._progress.update(self._task, measures="held out: " + ", ".join(parts))
        self._progress.advance(self._task)
