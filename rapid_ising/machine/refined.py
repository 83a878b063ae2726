"""A few Gibbs sweeps at the asked temperature from the machine's states."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, final

import numpy as np

from rapid_ising.capabilities import Capabilities
from rapid_ising.gibbs import gibbs_chains
from rapid_ising.machine.stage import Decode, PlainStage
from rapid_ising.request import Answer, Request
from rapid_ising.validation import positive_integer


@final
@dataclasses.dataclass(frozen=True)
class Refined(PlainStage):
    """Let each state of the machine run some Gibbs sweeps at the asked beta, in the model that was asked.

    The sweeps leave the Boltzmann law as it is and bring every other law nearer to it, soonest in what is
    local: a wrong temperature, rounded coefficients, broken chains. How often each valley of a rugged model
    was found stays as the machine left it. A model of two layers is swept by layers, else spin by spin.

    Parameters
    ----------
    backend
        The machine.
    sweeps
        How often every spin is drawn.

    Notes
    -----
    The states of a machine that returns each once, perhaps fewer than asked, are repeated in turn up to the
    number of reads: each starts a chain of its own, and the chains are a multiset.

    Examples
    --------
    >>> from rapid_ising import IsingModel
    >>> answer = Refined("exact", sweeps=2).sample(IsingModel([9.0], [[0.0]]), seed=0)
    >>> answer.info["rapid_ising"]["stages"][-1]
    {'stage': 'refined', 'sweeps': 2, 'beta': 1.0, 'update': 'by layers'}
    """

    stage: ClassVar[str] = "refined"
    rehearsed: ClassVar[bool] = False
    does: ClassVar[str] = "Gibbs sweeps from the machine's states"

    sweeps: int = 10

    def _check_options(self, facts: Capabilities) -> None:
        positive_integer("sweeps", self.sweeps)

    def _offered(self, facts: Capabilities) -> Capabilities:
        return dataclasses.replace(facts, returns="multiset")

    def _encode(self, request: Request) -> tuple[Request, Decode]:
        def decode(answer: Answer) -> Answer:
            if self.inner.capabilities.returns == "distinct":
                turns = np.arange(request.num_reads) % len(answer.states)
                weights = None if answer.weights is None else answer.weights[turns]
                answer = Answer(answer.states[turns], answer.stages, weights)
            states, update = gibbs_chains(
                request.model, answer.states, [self.sweeps], request.beta, request.rng, request.deadline
            )
            record = {"stage": self.stage, "sweeps": self.sweeps, "beta": request.beta, "update": update}
            return answer.with_stage(record, states=states)

        return self._asked(request), decode
