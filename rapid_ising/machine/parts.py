"""One answer from several calls, a bounded number of them with the machine at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np

from rapid_ising.errors import BackendError, IncompleteError
from rapid_ising.job import Submission
from rapid_ising.request import Answer


@final
class Parts(Submission):
    """Several submissions as one; what has arrived is kept when one of them fails.

    Parameters
    ----------
    stage
        The name of the stage that splits, for the record.
    sends
        What sends each part and returns its submission.
    in_flight
        How many parts may be with the machine at once.
    """

    def __init__(self, stage: str, sends: Sequence[Callable[[], Submission]], in_flight: int) -> None:
        self._stage, self._in_flight = stage, in_flight
        self._waiting = list(sends)
        self._sent: list[Submission] = []
        self._answers: dict[int, Answer] = {}
        self._error: BackendError | None = None
        self._send()
        self.id = self._sent[0].id if self._sent else "local"

    def _send(self) -> None:
        """Send what may be sent: nothing more once a part has failed."""
        while (
            self._waiting and self._error is None and len(self._sent) - len(self._answers) < self._in_flight
        ):
            try:
                self._sent.append(self._waiting[0]())
            except BackendError as error:
                self._error = error
                return
            self._waiting.pop(0)

    def done(self) -> bool:
        """Return whether every part is there; sends the next ones as others finish."""
        if self._error is None and len(self._answers) == len(self._sent) and not self._waiting:
            return True
        pending = [place for place in range(len(self._sent)) if place not in self._answers]
        for place in pending:
            if self._sent[place].done():
                self._take(place, None)
        self._send()
        return len(self._answers) == len(self._sent) and (not self._waiting or self._error is not None)

    def _take(self, place: int, timeout: float | None) -> None:
        try:
            self._answers[place] = self._sent[place].answer(timeout)
        except IncompleteError as error:
            self._error = self._error or error
            if error.answer is not None:
                self._answers[place] = error.answer
        except BackendError as error:
            self._error = self._error or error

    def answer(self, timeout: float | None = None) -> Answer:
        """Return the answers of all parts, one after the other."""
        place = 0
        while place < len(self._sent):
            if place not in self._answers:
                self._take(place, timeout)
            self._send()
            place += 1
        arrived = [self._answers[key] for key in sorted(self._answers)]
        if self._error is None:
            return joined(self._stage, arrived)
        total = len(self._sent) + len(self._waiting)
        raise IncompleteError(
            f"{len(arrived)} of {total} calls arrived, then one failed: {self._error}",
            joined(self._stage, arrived) if arrived else None,
        ) from self._error

    def cancel(self) -> bool:
        """Ask the machine to stop what it has, and send no more."""
        stopped = bool(self._waiting)
        self._waiting.clear()
        for place, sent in enumerate(self._sent):
            if place not in self._answers:
                stopped = sent.cancel() or stopped
        return stopped


def joined(stage: str, answers: Sequence[Answer], **facts: Any) -> Answer:
    """Return the reads of all answers as one, with the record of each call."""
    weights = None
    if any(answer.weights is not None for answer in answers):
        weights = np.concatenate(
            [np.ones(len(a.states)) if a.weights is None else a.weights for a in answers]
        )
    record = {"stage": stage, "calls": len(answers), **facts, "parts": [list(a.stages) for a in answers]}
    return Answer(np.concatenate([answer.states for answer in answers]), [record], weights)
