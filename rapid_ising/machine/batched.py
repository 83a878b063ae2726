"""The reads of one request split over several calls."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import ClassVar, final

from rapid_ising.capabilities import Capabilities
from rapid_ising.machine.stage import Decode, SplitStage
from rapid_ising.request import Request


@final
@dataclasses.dataclass(frozen=True)
class Batched(SplitStage):
    """Split the reads over as few calls as the machine's limits allow, a bounded number of them at once.

    The limits are the reads of a call and the machine's time in a call. The calls have nearly equal shares of
    the reads, and of the initial states with them.

    Parameters
    ----------
    backend
        The machine.
    in_flight
        How many calls may be with the machine at once.

    Raises
    ------
    IncompleteError
        If a call fails: ``samples`` are the reads of the others.

    Examples
    --------
    >>> from rapid_ising import IsingModel
    >>> answer = Batched("exact").sample(IsingModel([9.0], [[0.0]]), num_reads=3, seed=0)
    >>> answer.info["rapid_ising"]["stages"][0]["calls"]
    1
    """

    stage: ClassVar[str] = "batched"
    does: ClassVar[str] = "splits the reads over calls"

    def _offered(self, facts: Capabilities) -> Capabilities:
        return dataclasses.replace(facts, max_reads=None, max_call_time=None)

    def _split(self, request: Request) -> Iterator[tuple[Request, Decode]]:
        most = self.inner.capabilities.reads_a_call or request.num_reads
        for part in self._shares(request, -(-request.num_reads // most)):
            yield part, lambda answer: answer
