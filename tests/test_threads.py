"""One setting for the threads of products and compiled loops."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from rapid_ising.errors import InvalidParameterError
from rapid_ising.threads import VARIABLE, one_pool, one_thread, over_pieces, threads, use_threads


def product_threads() -> set[int]:
    return {part["num_threads"] for part in threadpool_info() if part["user_api"] == "blas"}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_every_piece_is_done_once(number: int) -> None:
    done = np.zeros(100, int)

    def work(piece: int) -> None:
        done[piece] += 1

    with use_threads(number):
        over_pieces(work, range(100))
    assert (done == 1).all()


def test_pieces_share_the_threads_and_products_have_one() -> None:
    meeting = threading.Barrier(2)
    seen: list[set[int]] = []

    def work(piece: int) -> None:
        meeting.wait(timeout=60)
        seen.append(product_threads())

    with use_threads(2):
        before = product_threads()
        over_pieces(work, [0, 1])
        assert product_threads() == before
    assert seen == [{1}, {1}]


def test_pieces_of_pieces_are_done_by_the_thread_that_has_them() -> None:
    names: list[tuple[str, str]] = []

    def work(piece: int) -> None:
        outer = threading.current_thread().name
        over_pieces(lambda part: names.append((outer, threading.current_thread().name)), range(3))

    with use_threads(2):
        over_pieces(work, range(8))
    assert len(names) == 24
    assert all(outer == inner for outer, inner in names)


def test_an_error_of_a_piece_comes_out_and_what_follows_is_left() -> None:
    begun: list[int] = []

    def work(piece: int) -> None:
        begun.append(piece)
        raise ValueError(f"piece {piece}")

    with use_threads(2), pytest.raises(ValueError, match="piece"):
        over_pieces(work, range(1000))
    assert len(begun) <= 2


def test_two_callers_at_once_give_the_products_their_threads_back() -> None:
    before = product_threads()
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with one_pool():
            inside.set()
            leave.wait(timeout=60)

    other = threading.Thread(target=hold)
    with one_pool():
        other.start()
        assert inside.wait(timeout=60)
    assert product_threads() == {1}
    leave.set()
    other.join(timeout=60)
    assert product_threads() == before


def test_work_beside_other_work_has_one_thread() -> None:
    found: set[int] = set()
    before = product_threads()
    with use_threads(2):
        with one_thread():
            over_pieces(lambda piece: found.add(threading.get_ident()), range(100))
            assert product_threads() == {1}
        assert found == {threading.get_ident()}
    assert product_threads() == before


def test_the_setting_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "3")
    assert threads() == 3
    with use_threads(1):
        assert threads() == 1
    monkeypatch.setenv(VARIABLE, "many")
    with pytest.raises(InvalidParameterError, match="RAPID_ISING_THREADS must be an integer"):
        threads()
    with pytest.raises(InvalidParameterError, match="threads must be an integer"), use_threads(0):
        pass
