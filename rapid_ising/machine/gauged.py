"""Random spin-reversal gauges, over which a bias of the machine averages out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import ClassVar, final

import numpy as np

from rapid_ising.capabilities import Capabilities
from rapid_ising.machine.stage import Decode, SplitStage
from rapid_ising.request import Answer, Request
from rapid_ising.typing import Range, States
from rapid_ising.validation import positive_integer


@final
@dataclasses.dataclass(frozen=True)
class Gauged(SplitStage):
    r"""Split the reads over random gauges: in each, every spin s_i is called g_i s_i, with a random sign g_i.

    .. math:: h_i \to g_i h_i, \quad J_{ij} \to g_i g_j J_{ij}

    The law of the model stays as it is. What the machine adds of its own, a field that points the same way
    whatever it is asked, changes its sign with the gauge and averages out.

    Parameters
    ----------
    backend
        The machine.
    gauges
        How many; no more are used than there are reads.

    Notes
    -----
    A gauge turns signs, so that only ranges as wide on one side of 0 as on the other are offered. Around a
    ``Scaled`` whose ranges are not, each gauge has a factor of its own where the ranges are what limits the
    energies: of a machine with a temperature of its own the reads are then a mixture of several. ``prepare``
    gives such a ``Scaled`` even ranges where there are no chains; chains need the wide side, and with them
    this is left where a coupling is nearer to the end of its range than the chains are.

    Examples
    --------
    >>> from rapid_ising import IsingModel
    >>> answer = Gauged("exact", gauges=2).sample(IsingModel([9.0], [[0.0]]), num_reads=3, seed=0)
    >>> answer.record.sample.ravel(), answer.info["rapid_ising"]["stages"][0]["gauges"]
    (array([-1, -1, -1], dtype=int8), 2)
    """

    stage: ClassVar[str] = "gauged"
    does: ClassVar[str] = "averages over random gauges"
    counts: ClassVar[str] = "gauges"

    gauges: int = 4

    def _check_options(self, facts: Capabilities) -> None:
        super()._check_options(facts)
        positive_integer("gauges", self.gauges)

    def _offered(self, facts: Capabilities) -> Capabilities:
        return dataclasses.replace(
            facts,
            field_range=symmetric(facts.field_range),
            coupling_range=symmetric(facts.coupling_range),
        )

    def _split(self, request: Request) -> Iterator[tuple[Request, Decode]]:
        for part in self._shares(request, min(self.gauges, request.num_reads)):
            signs = 2 * request.rng.integers(2, size=request.model.num_variables, dtype=np.int8) - 1
            states = part.initial_states
            yield (
                dataclasses.replace(
                    part,
                    model=request.model.gauged(signs),
                    initial_states=None if states is None else states * signs,
                ),
                turned_back(signs),
            )


def turned_back(signs: States) -> Decode:
    """Return the way back from a gauge; the record of the whole stage is the one of its parts."""

    def decode(answer: Answer) -> Answer:
        return dataclasses.replace(answer, states=answer.states * signs)

    return decode


def symmetric(allowed: Range | None) -> Range | None:
    """Return the part of a range that is as wide on both sides of 0.

    >>> symmetric((-2.0, 1.0))
    (-1.0, 1.0)
    """
    if allowed is None:
        return None
    half = min(-allowed[0], allowed[1])
    return -half, half
