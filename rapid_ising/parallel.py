"""Pieces of work over threads, processes or a cluster, by joblib."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from typing import Any, Generic, Literal, TypeVar, final, get_args

from rapid_ising.deadline import Deadline
from rapid_ising.errors import BackendError, DeadlineExceededError, InvalidParameterError
from rapid_ising.threads import one_thread, threads
from rapid_ising.validation import positive_integer

Engine = Literal["threads", "processes", "serial"]
"""What runs the pieces."""
JOBLIB: dict[Engine, str] = {"threads": "threading", "processes": "loky", "serial": "sequential"}
"""What joblib calls them."""
NEW_POOLS = 3
"""How often the pieces that a dead process took with it are begun again, by new processes."""

Outcome = TypeVar("Outcome")


def as_done(
    pieces: Sequence[Callable[[], Outcome]],
    *,
    engine: Engine | None = None,
    workers: int | None = None,
    deadline: Deadline | None = None,
    patience: float = 3600.0,
) -> Iterator[tuple[int, Outcome]]:
    """Yield the place and the outcome of each piece as it is done; the first ones are begun first.

    Pieces of a process that died, or was killed, are done again by new ones; a cluster does so by itself.

    Parameters
    ----------
    pieces
        Functions without arguments; for processes and clusters they and their outcomes must pickle.
    engine
        "threads", "processes", "serial", or None for what ``joblib.parallel_config`` says in this thread:
        without it local processes.
    workers
        How many pieces run at once; None is what joblib is told, without it as many as ``threads()``. A
        cluster has its own number.
    deadline, patience
        When all is to be there, and the most seconds that may pass without an outcome.

    Raises
    ------
    DeadlineExceededError
        If it takes longer. Processes are ended then, and a cluster drops what it has not begun; threads
        cannot be stopped and end by themselves.
    BackendError
        If a piece raises, cannot be sent, or its processes die again and again.

    Examples
    --------
    >>> list(as_done([lambda: "a", lambda: "b"], engine="serial"))
    [(0, 'a'), (1, 'b')]
    """
    import multiprocessing

    import joblib

    used = engine_in_use(engine, workers)
    if used == "dask":
        _prepare_dask(pieces)
    left = dict(enumerate(pieces))
    for attempt in range(1 + NEW_POOLS):
        # One piece a message; and all at once, so that none waits for this process to send it.
        pool = joblib.Parallel(
            n_jobs=_workers(engine, workers),
            backend=None if engine is None else JOBLIB[engine],
            return_as="generator_unordered",
            batch_size=1,
            pre_dispatch="all",
            # Processes share large arrays, which are copied where written to: none is read-only to kernels.
            mmap_mode="c",
        )
        try:
            outcomes = pool([joblib.delayed(done)(Piece(*item, used != "serial")) for item in left.items()])
            # Told late, since where pieces run in this thread joblib warns that it cannot watch them.
            pool.timeout = _wait(deadline, patience)
            for place, outcome in outcomes:
                del left[place]
                yield place, outcome
                pool.timeout = _wait(deadline, patience)
        except BrokenExecutor as error:
            if attempt == NEW_POOLS:
                raise BackendError(
                    f"processes died {attempt + 1} times with {len(left)} of {len(pieces)} pieces not done, "
                    f"for want of memory perhaps: use fewer workers ({error})"
                ) from error
        except multiprocessing.TimeoutError as error:
            raise _late(deadline, patience, len(left)) from error
        except Exception as error:
            raise BackendError(_told(error)) from error
        else:
            return


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Piece(Generic[Outcome]):
    """A piece that knows its place.

    Without weak references, for which Dask would put it on some worker beforehand, and could not make it
    again where that one dies.
    """

    place: int
    work: Callable[[], Outcome]
    alone: bool
    """Whether it has one thread, since others run beside it."""


def done(piece: Piece[Outcome]) -> tuple[int, Outcome]:
    """Do a piece; return its place and outcome."""
    with one_thread() if piece.alone else contextlib.nullcontext():
        return piece.place, piece.work()


def check_engine(engine: Any, workers: Any) -> None:
    """Raise InvalidParameterError for an engine or a number of workers that there is not."""
    if engine is not None and engine not in JOBLIB:
        known = ", ".join(map(repr, get_args(Engine)))
        raise InvalidParameterError(
            f"engine must be {known} or None for what joblib.parallel_config says, not {engine!r}"
        )
    if workers is not None:
        positive_integer("workers", workers)


def engine_in_use(engine: Engine | None, workers: int | None = None) -> str:
    """Return the name of what will run the pieces: an ``Engine``, or that of a cluster.

    One worker is the thread that asks.

    >>> engine_in_use("threads", 2), engine_in_use(None, 2), engine_in_use("processes", 1)
    ('threads', 'processes', 'serial')
    """
    from joblib.parallel import get_active_backend

    if engine is None:
        told = type(get_active_backend()[0]).__name__.removesuffix("Backend").lower()
        short = {
            "loky": "processes",
            "threading": "threads",
            "sequential": "serial",
            "daskdistributed": "dask",
        }
        name = short.get(told, told)
    else:
        name = engine
    return "serial" if name in JOBLIB and _workers(engine, workers) == 1 else name


def _workers(engine: Engine | None, workers: int | None) -> int:
    from joblib.parallel import get_active_backend

    told = get_active_backend()[1] if engine is None else None
    return workers or told or threads()


def _prepare_dask(pieces: Sequence[Callable[[], Any]]) -> None:
    """Have all pieces done by the cluster, and its own errors raised.

    joblib hands on the errors of the work only, and waits; and where the cluster has one core at the moment,
    it does the work itself.
    """
    from distributed.protocol.serialize import serialize
    from joblib.parallel import get_active_backend

    try:
        for piece in pieces[:1]:
            serialize(piece, on_error="raise")
    except Exception as error:
        raise BackendError(_told(error)) from error
    backend = get_active_backend()[0]
    submit, cores = type(backend).submit, type(backend).effective_n_jobs

    def watched(work: Any, callback: Any = None) -> Any:
        def tell(over: Any) -> None:
            if over.exception() is not None:
                callback(over.exception())

        future = submit(backend, work, callback)
        future.add_done_callback(tell)
        return future

    def enough(number: int) -> int:
        there: int = cores(backend, number)
        return there and max(there, 2)

    backend.submit, backend.effective_n_jobs = watched, enough


def _wait(deadline: Deadline | None, patience: float) -> float:
    return patience if deadline is None else max(0.0, min(patience, deadline.remaining))


def _late(deadline: Deadline | None, patience: float, left: int) -> DeadlineExceededError:
    if deadline is not None and deadline.remaining < 1e-2:
        return deadline.exceeded("the work")
    return DeadlineExceededError(
        f"none of the {left} pieces not done came in for {patience:g} s: see whether the workers still "
        "run, or give a longer timeout"
    )


def _told(error: Exception) -> str:
    """Return what went wrong outside the work, or in it without being told as its outcome."""
    text = f"a piece failed: {type(error).__name__}: {error}"
    if "pickl" in text.lower() or "serializ" in text.lower():
        text += '; what cannot travel to another process runs with engine="threads"'
    return text
