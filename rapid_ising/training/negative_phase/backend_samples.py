"""The negative phase from an Ising machine."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, final

import numpy as np
from dimod.core.sampler import Sampler

from rapid_ising.backend import Backend
from rapid_ising.machine.calibrated import Calibrated
from rapid_ising.machine.calibration import Gain
from rapid_ising.machine.prepare import prepare, stages
from rapid_ising.models import Model
from rapid_ising.models.base import rows_of, weights_of
from rapid_ising.models.statistics import Statistics
from rapid_ising.registry import as_backend
from rapid_ising.training.negative_phase.base import NegativePhase
from rapid_ising.typing import Floats
from rapid_ising.validation import finite, positive_integer


@final
@dataclasses.dataclass
class BackendSamples(NegativePhase):
    """The model's averages over low-energy samples of any Ising machine.

    The model's Ising problem is asked for at beta = 1, through the stages that it needs on this machine. Of
    the answer the visible spins are used; the hidden ones are replaced by their means given these, which has
    the same expectation and less noise. A machine that takes initial states starts at the patterns of the
    model, if it has patterns, and runs a few sweeps: the estimate of the paper, refreshed. Weights of the
    reads, where a stage gave them, are used.

    Parameters
    ----------
    backend
        A name, a Backend or any ``dimod.Sampler``.
    num_reads
        The reads of each update; None takes 64, or enough to start at each pattern equally often.
    from_patterns
        Whether to start at the patterns where machine and model allow it.
    sweeps
        The sweeps from there, on machines that let them be set.
    deadline
        The seconds that one call may take.
    prepared
        Whether to put the stages around the machine that the model needs, as ``prepare`` does; without
        them the model goes to the machine as it stands.

    Examples
    --------
    >>> BackendSamples("exact", num_reads=100)
    BackendSamples(backend=Exact(), num_reads=100, from_patterns=True, sweeps=5, deadline=None, prepared=True)
    """

    name: ClassVar[str] = "backend"

    backend: str | Backend | Sampler
    num_reads: int | None = None
    from_patterns: bool = True
    sweeps: int = 5
    deadline: float | None = None
    prepared: bool = True
    _machine: Backend | None = dataclasses.field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.num_reads is not None:
            positive_integer("num_reads", self.num_reads)
        positive_integer("sweeps", self.sweeps)
        if self.deadline is not None:
            finite("deadline", self.deadline, minimum=0, exclusive=True)
        self.backend = as_backend(self.backend)

    def reads(self, model: Model) -> int:
        """Return the number of reads of each update."""
        if self.num_reads is not None:
            return self.num_reads
        k = model.n_patterns or 1
        return k * max(1, -(-64 // k))

    def start(self, model: Model, data: Floats, rng: np.random.Generator) -> None:  # noqa: D102
        self._machine = self._ready(model)

    def _ready(self, model: Model) -> Backend:
        """Return the machine with its stages, set for this model."""
        machine, reads = as_backend(self.backend), self.reads(model)
        if self.prepared:
            machine = prepare(machine, model, num_reads=reads, show=False)
        else:
            machine.check(model.ising(), num_reads=reads)
        return machine.for_refresh(self.sweeps) if self._starts_at_patterns(model, machine) else machine

    def _starts_at_patterns(self, model: Model, machine: Backend) -> bool:
        return bool(self.from_patterns and model.n_patterns and machine.capabilities.initial_states)

    def state(self) -> dict[str, Floats]:
        """Return what is known of the machine's temperature, by which the next request is scaled."""
        gains = [] if self._machine is None else [stage.history.gain for stage in calibrations(self._machine)]
        return {
            f"calibration-{place}": np.array([gain.value, gain.error])
            for place, gain in enumerate(gains)
            if gain is not None
        }

    def restore(self, state: dict[str, Floats]) -> None:
        """Take back what ``state`` returned."""
        for place, stage in enumerate([] if self._machine is None else calibrations(self._machine)):
            gain = state.get(f"calibration-{place}")
            stage.history.gain = None if gain is None else Gain(*gain.tolist())

    def statistics(self, model: Model, chains: Floats, rng: np.random.Generator) -> Statistics:  # noqa: D102
        machine = self._machine or self._ready(model)
        states = None
        if self._starts_at_patterns(model, machine):
            # In turn from a random one on, so that no pattern is favoured where the reads do not go round.
            starts = model.relaxed(model.states())
            turns = rng.permutation(len(starts))[np.arange(self.reads(model)) % len(starts)]
            states = starts[turns]
        answer = machine.sample(
            model.ising(),
            num_reads=self.reads(model),
            beta=1.0,
            seed=rng,
            initial_states=states,
            deadline=self.deadline,
        )
        found = model.statistics(rows_of(answer)[:, model.carried].astype(model.dtype))
        weights = weights_of(answer)
        return found if weights is None else found.weighted(weights)


def calibrations(machine: Backend) -> list[Calibrated]:
    """Return the stages of a chain that measure a temperature."""
    return [stage for stage in stages(machine) if isinstance(stage, Calibrated)]
