"""One answer from several calls, a bounded number of them with the machine at once."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np

from rapid_ising.deadline import Deadline
from rapid_ising.errors import (
    BackendError,
    BudgetExceededError,
    DeadlineExceededError,
    IncompleteError,
    RapidIsingError,
)
from rapid_ising.job import Submission
from rapid_ising.progress import Bar
from rapid_ising.request import Answer


@final
class Parts(Submission):
    """Several submissions as one; what has arrived is kept when one of them fails.

    Nothing more is sent once a part has failed or the deadline has passed; those with the machine are still
    waited for.

    Parameters
    ----------
    stage
        The name of the stage that splits, for the record.
    sends
        What sends each part and returns its submission.
    in_flight
        How many parts may be with the machine at once.
    deadline
        When the whole is to be there.
    counts
        What the parts are called in the record.
    distinct
        Whether each state is to come once.
    """

    def __init__(
        self,
        stage: str,
        sends: Sequence[Callable[[], Submission]],
        in_flight: int,
        deadline: Deadline | None = None,
        *,
        counts: str = "calls",
        distinct: bool = False,
    ) -> None:
        self._stage, self._in_flight, self._counts, self._distinct = stage, in_flight, counts, distinct
        self._deadline = deadline or Deadline(None)
        self._total = len(sends)
        self._waiting = deque(enumerate(sends))
        self._running: dict[int, Submission] = {}
        self._answers: dict[int, Answer] = {}
        self._error: RapidIsingError | None = None
        self.id = "local"
        try:
            self._send()
        except BaseException:
            # Nobody will ever hold this submission.
            self.cancel()
            raise

    def _send(self) -> None:
        """Send what may be sent."""
        with self._bar() as bar:
            while self._waiting and self._error is None and len(self._running) < self._in_flight:
                place, send = self._waiting[0]
                try:
                    self._deadline.check(self._stage)
                    sent = send()
                except RapidIsingError as error:
                    self._error = error
                    return
                self._waiting.popleft()
                if place == 0:
                    self.id = sent.id
                self._running[place] = sent
                if sent.id == "local":
                    # Done already: it makes room for the next.
                    self._take(place, None)
                    bar.advance()

    def _bar(self) -> Bar:
        return Bar(self._counts, self._total, done=len(self._answers))

    def _take(self, place: int, timeout: float | None) -> None:
        """Move the answer of a part to the others, or note that there will be none."""
        try:
            self._answers[place] = self._running[place].answer(timeout)
        except IncompleteError as error:
            self._error = self._error or error
            if error.answer is not None:
                self._answers[place] = error.answer
        except RapidIsingError as error:
            if isinstance(error, DeadlineExceededError) and timeout is not None and not self._deadline.passed:
                # This wait was too short; the part goes on.
                raise
            self._error = self._error or error
        del self._running[place]

    def _collect(self) -> None:
        """Take what is done, and send as much again."""
        for place, sent in list(self._running.items()):
            if sent.done():
                self._take(place, None)
        self._send()

    def done(self) -> bool:
        """Return whether all is there that will be; sends the next parts as others finish."""
        self._collect()
        return not self._running and (not self._waiting or self._error is not None)

    def answer(self, timeout: float | None = None) -> Answer:
        """Return the answers of all parts, one after the other.

        Raises
        ------
        DeadlineExceededError
            If ``timeout`` is over, when one may ask again, or if nothing arrived before the deadline.
        IncompleteError
            If a part failed; it has what the others gave.
        """
        end = math.inf if timeout is None else time.monotonic() + timeout
        self._send()
        with self._bar() as bar:
            while self._running:
                before = len(self._answers)
                # The oldest; what finished meanwhile is collected after it.
                self._take(min(self._running), None if timeout is None else max(0.0, end - time.monotonic()))
                self._collect()
                bar.advance(len(self._answers) - before)
        arrived = [self._answers[place] for place in sorted(self._answers)]
        return complete(
            self._stage, arrived, self._total, self._error, counts=self._counts, distinct=self._distinct
        )

    def cancel(self) -> bool:
        """Ask the machine to stop what it has, and send no more."""
        stopped = [place for place, sent in self._running.items() if sent.cancel()]
        if self._error is None and (stopped or self._waiting):
            self._error = BackendError("cancelled")
        self._waiting.clear()
        for place in stopped:
            del self._running[place]
        return self._error is not None


def complete(
    stage: str,
    arrived: Sequence[Answer],
    total: int,
    error: RapidIsingError | None,
    *,
    counts: str = "calls",
    distinct: bool = False,
    **facts: Any,
) -> Answer:
    """Return the answers of all ``total`` parts as one, as ``joined`` does, where no error has ended one.

    Raises
    ------
    DeadlineExceededError, BudgetExceededError
        If that is the error and nothing arrived.
    IncompleteError
        If there is an error; it has what arrived.
    """
    if not arrived and isinstance(error, DeadlineExceededError | BudgetExceededError):
        raise error
    answer = joined(stage, arrived, counts=counts, distinct=distinct, **facts) if arrived else None
    if error is None and answer is not None:
        return answer
    what = "the next was not sent" if isinstance(error, BudgetExceededError) else "then one failed"
    raise IncompleteError(f"{len(arrived)} of {total} {counts} arrived, {what}: {error}", answer) from error


def joined(
    stage: str, answers: Sequence[Answer], *, counts: str = "calls", distinct: bool = False, **facts: Any
) -> Answer:
    """Return the reads of all answers as one, with the record of each call.

    With ``distinct``, each state comes once, and each answer weighs the same.
    """
    states = np.concatenate([answer.states for answer in answers])
    weights = None
    if any(answer.weights is not None for answer in answers):
        shares = [np.ones(len(a.states)) if a.weights is None else a.weights for a in answers]
        # The number of distinct states does not tell how many reads an answer stands for.
        weights = np.concatenate([share / share.sum() for share in shares] if distinct else shares)
    record = {"stage": stage, counts: len(answers), **facts, "parts": [list(a.stages) for a in answers]}
    answer = Answer(states, [record], weights)
    return once_each(answer) if distinct else answer


def once_each(answer: Answer) -> Answer:
    """Return an answer with each state once, where it came first; weights of equal states add up.

    >>> twice = Answer(np.array([[1, 1], [1, -1], [1, 1]], np.int8), [], np.array([1.0, 1.5, 0.5]))
    >>> once_each(twice).states.tolist(), once_each(twice).weights
    ([[1, 1], [1, -1]], array([1., 1.]))
    """
    _, first, group = np.unique(answer.states, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    weights = None
    if answer.weights is not None:
        sums = np.bincount(group.ravel(), answer.weights)[order]
        weights = sums / sums.mean()
    return Answer(answer.states[first[order]], answer.stages, weights)
