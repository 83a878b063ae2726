"""The negative phase from an Ising machine."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np
from dimod.core.sampler import Sampler

from rapid_ising.backend import Backend
from rapid_ising.models import Model
from rapid_ising.models.base import rows_of, weights_of
from rapid_ising.models.statistics import Statistics
from rapid_ising.registry import as_backend
from rapid_ising.training.negative_phase.base import NegativePhase
from rapid_ising.typing import Floats
from rapid_ising.use import Use
from rapid_ising.validation import finite, positive_integer

if TYPE_CHECKING:
    from rapid_ising.machine.calibrated import Calibrated

USE = ("machine_calls", "machine_reads", "machine_seconds")
"""What the record of an epoch calls that which its samples took of the machine."""


@final
@dataclasses.dataclass
class BackendSamples(NegativePhase):
    """The model's averages over low-energy samples of any Ising machine.

    The model's Ising problem is asked for at beta = 1, through the stages that it needs on this machine. Of
    the answer the visible spins are used; the hidden ones are replaced by their means given these, which has
    the same expectation and less noise. A machine that takes initial states starts at the patterns of the
    model, if it has patterns, and runs a few sweeps: the estimate of the paper, refreshed. Weights of the
    reads, where a stage gave them, are used.

    Each epoch's record has what its samples took: ``machine_calls``, ``machine_reads`` and, where the machine
    states them, ``machine_seconds``. Where a stage measures the temperature it also has, with their standard
    errors, ``reads_beta``, at which the reads of the epoch came (the asked one is 1), and ``machine_beta``,
    the machine's own as it is believed after the epoch.

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
    _use: Use = dataclasses.field(default_factory=Use, init=False, repr=False, compare=False)
    _labels: dict[str, str] = dataclasses.field(default_factory=dict, init=False, repr=False, compare=False)
    _calibrated: list[dict[str, Any]] = dataclasses.field(
        default_factory=list, init=False, repr=False, compare=False
    )

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
        self._use, self._calibrated, self._labels = Use(), [], {}

    def _ready(self, model: Model) -> Backend:
        """Return the machine with its stages, set for this model."""
        # Here, as below: the stages take longer to import than all of training.
        from rapid_ising.machine.prepare import prepare

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
        from rapid_ising.machine.calibration import Gain

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
        job = machine.submit(
            model.ising(),
            num_reads=self.reads(model),
            beta=1.0,
            seed=rng,
            initial_states=states,
            deadline=self.deadline,
        )
        answer = job.result()
        self._use.add(job.use)
        if calibrations(machine):
            from rapid_ising.machine.calibrated import Calibrated
            from rapid_ising.machine.plan import flattened

            self._calibrated.append(flattened(answer.info["rapid_ising"]["stages"]).get(Calibrated.stage, {}))
        found = model.statistics(rows_of(answer)[:, model.carried].astype(model.dtype))
        weights = weights_of(answer)
        return found if weights is None else found.weighted(weights)

    def measured(self) -> dict[str, float]:  # noqa: D102
        use, self._use = self._use, Use()
        told, self._calibrated = self._calibrated, []
        said = {"emulated": use.emulated, "twin": use.twin}
        self._labels = self._labels | {label: value for label, value in said.items() if value is not None}
        values = (use.calls, use.reads, use.seconds)
        found: dict[str, float] = {name: value for name, value in zip(USE, values, strict=True) if value}
        estimates = [(one["estimate"], one["error"]) for one in told if one.get("error")]
        weights = [1 / error**2 for _, error in estimates if math.isfinite(error)]
        if weights:
            known = [beta for beta, error in estimates if math.isfinite(error)]
            found["reads_beta"] = float(np.average(known, weights=weights))
            found["reads_beta_error"] = sum(weights) ** -0.5
        if told and told[-1].get("machine_beta") is not None:
            found["machine_beta"] = told[-1]["machine_beta"]
            found["machine_beta_error"] = told[-1]["machine_error"]
        return found

    def origin(self) -> dict[str, Any]:  # noqa: D102
        return {"machines": [{"name": as_backend(self.backend).name, **self._labels}]}


def calibrations(machine: Backend) -> list[Calibrated]:
    """Return the stages of a chain that measure a temperature."""
    from rapid_ising.machine.calibrated import Calibrated
    from rapid_ising.machine.prepare import stages

    return [stage for stage in stages(machine) if isinstance(stage, Calibrated)]
