"""From the names of studies to their results: what is missing is computed, the rest is taken from disk."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import final

from rapid_ising.datasets.mnist_files import DATA_FOLDER
from rapid_ising.errors import RapidIsingError
from rapid_ising.progress import Bar
from rapid_ising.reproduction.cluster import results_on_cluster
from rapid_ising.reproduction.results import Store
from rapid_ising.reproduction.study import Scale, Study
from rapid_ising.reproduction.task import Result, Task
from rapid_ising.reproduction.workers import results_of

RESULTS = "results"
PERIOD = 900.0
"""The seconds that the speed of the tasks is averaged over."""


@final
@dataclasses.dataclass(frozen=True)
class Outcome:
    """The results of some studies at one scale."""

    scale: Scale
    seed: int
    workers: int | None
    """How many there were; None for a cluster."""
    results: dict[str, list[Result]]
    """What each study has, by its name on the command line."""
    left_out: dict[str, str]
    """Why a study was left out."""
    seconds: float
    """How long this run took by the clock."""

    @property
    def every(self) -> list[Result]:
        """Every result once, also where two studies share it."""
        return list({result.task.key: result for found in self.results.values() for result in found}.values())

    @property
    def failed(self) -> list[Result]:
        """The results that are errors."""
        return [result for result in self.every if result.error is not None]


def reproduce(
    studies: Mapping[str, Study],
    out: Path,
    *,
    scale: Scale = "quick",
    seed: int = 0,
    workers: int = 1,
    data: Path | None = None,
    fresh: bool = False,
    keep: bool = False,
    progress: bool = True,
    scheduler: str | None = None,
) -> Outcome:
    """Do the tasks of studies, but for those whose results are there already.

    Parameters
    ----------
    studies
        The studies by name.
    out
        The folder; results go to its folder ``results``, each as soon as it is there.
    scale, seed, data
        As in ``Study.tasks``.
    workers
        How many processes work at once, each with one thread, so that sums are rounded alike whatever the
        number of cores.
    fresh
        Whether everything is computed anew.
    keep
        Whether results that other code made are used too.
    progress
        Whether to show progress on standard error, where that is a terminal.
    scheduler
        The address of a Dask cluster's scheduler: its workers do the tasks, as many as they are.
    """
    began = time.perf_counter()
    wanted, left_out = _tasks(studies, scale, seed, data)
    store = Store(out / RESULTS, keep)
    todo = {task.key: task for tasks in wanted.values() for task in tasks}
    found = {} if fresh else {key: result for key, task in todo.items() if (result := store.get(task))}
    missing = [task for key, task in todo.items() if key not in found]
    environment = {} if data is None else {DATA_FOLDER: os.fspath(data.absolute())}
    if scheduler is None:
        coming = results_of(missing, workers=workers, environment=environment)
    else:
        coming = results_on_cluster(missing, scheduler=scheduler, environment=environment)
    # The bar grows with the cost of the tasks, which are few and long.
    cost = sum(task.cost for task in missing)
    with Bar("tasks", cost, shown=progress and bool(missing), delay=0, keep=True, period=PERIOD) as bar:
        for number, result in enumerate(coming, start=1):
            store.put(result)
            found[result.task.key] = result
            bar.advance(result.task.cost, count=f"{number}/{len(missing)} tasks")
    results = {name: [found[task.key] for task in tasks] for name, tasks in wanted.items()}
    return Outcome(
        scale, seed, workers if scheduler is None else None, results, left_out, time.perf_counter() - began
    )


def _tasks(
    studies: Mapping[str, Study], scale: Scale, seed: int, data: Path | None
) -> tuple[dict[str, list[Task]], dict[str, str]]:
    """Return the tasks of each study, and of those that cannot be done the reason."""
    wanted: dict[str, list[Task]] = {}
    left_out: dict[str, str] = {}
    for name, study in studies.items():
        try:
            wanted[name] = study.tasks(scale, seed, data)
        except RapidIsingError as error:
            left_out[name] = str(error)
    return wanted, left_out
