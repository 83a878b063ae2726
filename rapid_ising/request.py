"""What a machine is asked and what it answers, both in spins 0..N-1."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, final

import dimod
import numpy as np
import numpy.typing as npt

from rapid_ising.capabilities import Returns
from rapid_ising.deadline import Deadline
from rapid_ising.errors import BackendError, InvalidDataError
from rapid_ising.ising import IsingModel
from rapid_ising.typing import Reals, States
from rapid_ising.use import Use
from rapid_ising.validation import spins


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """The states that a machine gave, and how they came about."""

    states: States
    """One row a read, shape (reads, N)."""
    stages: Sequence[Mapping[str, Any]]
    """What each stage on the way did, the machine first."""
    weights: Reals | None = None
    """One importance weight a read, of mean 1; None when all reads count alike."""

    def with_stage(self, stage: Mapping[str, Any], states: States | None = None) -> Answer:
        """Return the answer after one more stage, which may have changed the states."""
        return Answer(self.states if states is None else states, [*self.stages, stage], self.weights)


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """A checked request, in spins 0..N-1, and the way back to the asker's variables."""

    model: IsingModel
    num_reads: int
    beta: float
    rng: np.random.Generator
    initial_states: States | None
    """One row a read, shape (num_reads, N), or None."""
    deadline: Deadline
    variables: list[Hashable]
    """The asker's labels of the spins: on a machine with a graph, its nodes."""
    vartype: dimod.Vartype
    returns: Returns
    provenance: dict[str, Any]
    use: Use = dataclasses.field(default_factory=Use, compare=False)
    """What the machine was asked for it so far."""
    asked: tuple[IsingModel, dimod.BinaryQuadraticModel] | None = None
    """The BQM that was asked, after the model that it was read as; stages put other models in its place."""

    def counted(self, answer: Answer) -> Answer:
        """Return an answer that the machine gave, once it is counted."""
        self.use.count(self.num_reads, answer.stages)
        return answer

    def bqm(self) -> dimod.BinaryQuadraticModel:
        """Return the problem as a BQM of spins or bits in its labels, to be read only.

        It is the one that was asked where no stage has changed the problem and its variables have the order
        of ours, so that what a seed gives does not hang on how it was built; else it is made.
        """
        if self.asked is not None:
            model, bqm = self.asked
            if model is self.model and bqm.dtype == np.float64 and list(bqm.variables) == self.variables:
                return bqm
        return self.model.to_bqm(variables=self.variables)

    def answer(
        self,
        states: npt.ArrayLike,
        stages: Sequence[Mapping[str, Any]],
        weights: Reals | None = None,
    ) -> Answer:
        """Return the answer with these states.

        Raises
        ------
        BackendError
            If they are not rows of spins, or not as many as were asked.
        """
        name = self.provenance["backend"]
        try:
            rows = spins("its answer", states, self.model.num_variables)
        except InvalidDataError as error:
            raise BackendError(f"{name} returned no states of this problem: {error}") from error
        fewest = self.num_reads if self.returns == "multiset" else 1
        if not fewest <= len(rows) <= self.num_reads:
            raise BackendError(f"{name} returned {len(rows)} reads where {self.num_reads} were asked")
        return Answer(rows, list(stages), weights)

    def sampleset(self, answer: Answer) -> dimod.SampleSet:
        """Return an answer in the asker's variables and vartype, energies recomputed from the problem.

        Where the reads have weights, each row has one in the field ``weight``.
        """
        rows = answer.states
        weights = {} if answer.weights is None else {"weight": answer.weights}
        samples: dimod.SampleSet = dimod.SampleSet.from_samples(
            (rows if self.vartype is dimod.SPIN else (rows + 1) // 2, self.variables),
            vartype=self.vartype,
            energy=self.model.energies(rows),
            info={"rapid_ising": {**self.provenance, "stages": [dict(stage) for stage in answer.stages]}},
            sort_labels=False,
            **weights,
        )
        return samples
