"""Tasks on a Dask cluster: each in a process of its own beside the cluster's worker."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence

from rapid_ising.errors import InvalidParameterError, MissingDependencyError
from rapid_ising.parallel import as_done
from rapid_ising.provenance import code_fingerprint
from rapid_ising.reproduction.task import Result, Task
from rapid_ising.reproduction.workers import LIMIT, results_of

ANSWERS = 10.0
"""The seconds in which a scheduler is to answer."""


def results_on_cluster(
    tasks: Sequence[Task],
    *,
    scheduler: str,
    environment: Mapping[str, str] | None = None,
    limit: float = LIMIT,
) -> Iterator[Result]:
    """Yield the result of each task as it is done, the long tasks begun first.

    A worker of the cluster starts for each task what a worker of ``results_of`` is: one process with one
    thread, so that the results are the same. Tasks of a worker that dies are given to another one. When the
    caller stops asking, or Ctrl-C comes, tasks that are not begun are dropped; the others end by themselves.

    Parameters
    ----------
    tasks, environment, limit
        As in ``results_of``.
    scheduler
        The address of Dask's scheduler, as in "tcp://10.0.0.1:8786".

    Raises
    ------
    MissingDependencyError
        If distributed is not installed.
    InvalidParameterError
        If no scheduler answers there.
    BackendError
        If the cluster gives a task up.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingDependencyError(
            "a cluster needs distributed, not installed here: pip install 'rapid-ising[dask]'"
        ) from error
    import joblib

    waiting = sorted(tasks, key=lambda task: -task.cost)
    if not waiting:
        return
    works = [functools.partial(result_of, task, dict(environment or {}), limit) for task in waiting]
    with contextlib.ExitStack() as open_:
        try:
            client = open_.enter_context(Client(scheduler, timeout=ANSWERS, set_as_default=False))
        except (OSError, ValueError) as error:
            raise InvalidParameterError(
                f"no Dask scheduler answers at {scheduler!r}: give the address that `dask scheduler` prints "
                f"({error})"
            ) from error
        open_.enter_context(joblib.parallel_config("dask", client=client))
        for _, result in as_done(works, patience=limit + 600.0):
            yield same_code(result)


def result_of(task: Task, environment: Mapping[str, str], limit: float) -> Result:
    """Do one task in a process of its own."""
    (result,) = results_of([task], workers=1, environment=environment, limit=limit)
    return result


def same_code(result: Result) -> Result:
    """Return a result, or an error in its place where the cluster's worker has other code than this process.

    >>> same_code(Result(Task("fig1", "cd", {}), code="another")).error
    "the cluster's worker has other code than this process: install the same there"
    """
    if result.code == code_fingerprint() or result.error is not None:
        return result
    return dataclasses.replace(
        result, error="the cluster's worker has other code than this process: install the same there"
    )
