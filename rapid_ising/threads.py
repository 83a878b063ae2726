"""How many threads the library computes with: one setting for matrix products and compiled loops together.

Two pools of threads in one process are slow: those of a matrix product spin for a while after it and take
the cores from whatever comes next. So work is cut into pieces, each piece does its own products on one
thread, and the pieces share the threads. What the pieces are follows from the sizes of the work alone, so
that results do not depend on the number of threads.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ContextDecorator, contextmanager
from functools import cache
from itertools import count
from typing import Any, TypeVar

from rapid_ising.errors import InvalidParameterError
from rapid_ising.validation import positive_integer

VARIABLE = "RAPID_ISING_THREADS"
Piece = TypeVar("Piece")

_chosen: int | None = None
_lock = threading.Lock()
_holders = 0
_held: Any = None
"""How many are inside ``one_pool``, and what gives the products their threads back."""
_at_work = threading.local()


def threads() -> int:
    """Return the number of threads: as ``use_threads`` or RAPID_ISING_THREADS say, else one a core.

    Raises
    ------
    InvalidParameterError
        If RAPID_ISING_THREADS is not a positive integer.
    """
    if _chosen is not None:
        return _chosen
    given = os.environ.get(VARIABLE, "")
    if not given:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not given.isdecimal() or int(given) < 1:
        raise InvalidParameterError(f"{VARIABLE} must be an integer of at least 1, not {given!r}")
    return int(given)


@contextmanager
def use_threads(number: int) -> Iterator[None]:
    """Compute with so many threads, in matrix products and compiled loops alike; samples stay the same.

    Examples
    --------
    >>> with use_threads(1):
    ...     threads()
    1
    """
    global _chosen
    before, _chosen = _chosen, positive_integer("threads", number)
    try:
        with _blas().limit(limits=number):
            yield
    finally:
        _chosen = before


class _OnePool(ContextDecorator):
    """Holds products to one thread while anyone is inside; a class, since it is entered around small work."""

    def __enter__(self) -> None:
        global _holders, _held
        with _lock:
            _holders += 1
            if _holders == 1:
                _held = _blas().limit(limits=1)

    def __exit__(self, *error: object) -> None:
        global _holders
        with _lock:
            _holders -= 1
            if _holders == 0:
                _held.restore_original_limits()


_ONE_POOL = _OnePool()


def one_pool() -> _OnePool:
    """Hold matrix products to one thread each, so that the pieces of ``over_pieces`` have the cores.

    Around a whole training it also saves what a change of the setting costs at each call. A context manager,
    and a decorator.
    """
    return _ONE_POOL


@contextmanager
def one_thread() -> Iterator[None]:
    """Do what is inside on this thread alone, products and pieces alike, since others work beside it."""
    before = getattr(_at_work, "on_a_piece", False)
    _at_work.on_a_piece = True
    try:
        with one_pool():
            yield
    finally:
        _at_work.on_a_piece = before


def over_pieces(work: Callable[[Piece], object], pieces: Sequence[Piece]) -> None:
    """Do ``work`` on each piece, on several threads where there are several pieces.

    Pieces are begun in order, and each is free to write where no other one does. The first error that comes
    up is raised once all have ended; pieces that were not begun by then are left out. Pieces of a piece are
    done by the thread that has it.
    """
    crew = min(threads(), len(pieces)) if len(pieces) > 1 else 1
    if crew < 2 or getattr(_at_work, "on_a_piece", False):
        with _ONE_POOL:
            for piece in pieces:
                work(piece)
        return
    following = count()
    errors: list[BaseException] = []

    def take() -> None:
        _at_work.on_a_piece = True
        try:
            while not errors and (place := next(following)) < len(pieces):
                work(pieces[place])
        except BaseException as error:  # noqa: BLE001 - raised below, in the caller's thread
            errors.append(error)
        finally:
            _at_work.on_a_piece = False

    with _ONE_POOL:
        others = [_pool(threads()).submit(take) for _ in range(crew - 1)]
        take()
        for other in others:
            other.result()
    if errors:
        raise errors[0]


@cache
def _blas() -> Any:
    """Return what sets the threads of the products' library."""
    import numpy  # noqa: F401 - loads the library that is looked for
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}


def _pool(size: int) -> ThreadPoolExecutor:
    """Return the threads that help, of this process: a fork has none of its parent's."""
    with _lock:
        key = os.getpid(), size
        if key not in _pools:
            _pools[key] = ThreadPoolExecutor(size, thread_name_prefix="rapid-ising")
        return _pools[key]
