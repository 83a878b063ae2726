"""How near a machine comes to the asked law: correlations of small random RBMs against enumeration."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, final

import numpy as np

from rapid_ising.backend import Backend
from rapid_ising.capabilities import Capabilities
from rapid_ising.couplings import Bipartite
from rapid_ising.enumeration import enumerate_model
from rapid_ising.ising import IsingModel
from rapid_ising.machine import Batched, Calibrated, Embedded, PlainStage, Scaled, prepare
from rapid_ising.machine.chain_strength import uniform_torque_compensation
from rapid_ising.machine.plan import flattened
from rapid_ising.machine.stage import Decode
from rapid_ising.registry import load_backend
from rapid_ising.request import Answer, Request
from rapid_ising.typing import Reals, States
from rapid_ising.validation import generator

VISIBLE, HIDDEN = 16, 8
SPINS = VISIBLE + HIDDEN
SIGMAS = (0.1, 0.3, 0.5)
BETAS = (0.4, 1.7, 3.5)
ANNEALER, TWIN = "annealer", "twin-dwave"


@final
@dataclasses.dataclass(frozen=True)
class OwnTemperature(PlainStage):
    """A machine that samples at a beta of its own whatever is asked: one to try a thermometer on."""

    stage: ClassVar[str] = "own-temperature"
    does: ClassVar[str] = "a beta of its own, whatever is asked"

    beta: float = 1.0

    def _offered(self, facts: Capabilities) -> Capabilities:
        return dataclasses.replace(facts, temperature="effective", initial_states=False)

    def _encode(self, request: Request) -> tuple[Request, Decode]:
        record = {"stage": self.stage, "beta": self.beta}
        return self._asked(request, beta=self.beta), lambda answer: answer.with_stage(record)


@final
@dataclasses.dataclass(frozen=True)
class Noted(PlainStage):
    """Hand each request and its answer to a function, and change neither."""

    stage: ClassVar[str] = "noted"
    does: ClassVar[str] = "counts"
    # What a plan tries is not asked of the machine.
    rehearsed: ClassVar[bool] = False

    note: Callable[[Request, Answer], None] = dataclasses.field(kw_only=True)

    def _encode(self, request: Request) -> tuple[Request, Decode]:
        def decode(answer: Answer) -> Answer:
            self.note(request, answer)
            return answer

        return self._asked(request), decode


def random_rbm(sigma: float, seed: int) -> IsingModel:
    """Return an RBM whose weights and biases are normal with standard deviation ``sigma``."""
    rng = generator(seed)
    return IsingModel(rng.normal(0, sigma, SPINS), Bipartite(rng.normal(0, sigma, (VISIBLE, HIDDEN))))


def machine_of(facts: Mapping[str, Any]) -> Backend:
    """Return the machine of a task."""
    if facts["machine"] == ANNEALER:
        return OwnTemperature("simulated-annealing", beta=facts["beta"])
    machine = load_backend(TWIN, **facts["options"])
    if "prefactor" not in facts:
        return machine
    # The torque rule alone, or as the library has it.
    prefactor = facts["prefactor"]
    rule = None if prefactor is None else partial(uniform_torque_compensation, prefactor=prefactor)
    return Embedded(Scaled(Batched(machine)), chain_strength=rule)


def correlation_error(states: States, exact: Reals) -> float:
    """Return the RMS error of <s_i s_j> over all pairs of spins."""
    rows = states.astype(np.float64)
    found = rows.T @ rows / len(rows)
    pairs = np.triu_indices(len(found), k=1)
    return float(np.sqrt(np.mean((found - exact)[pairs] ** 2)))


def exact_correlations(model: IsingModel) -> Reals:
    """Return <s_i s_j> of the law at beta = 1, by enumeration."""
    found: Reals = enumerate_model(model).moments(whole=True).pairs
    return found


def calibration(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the errors of the exact machine, of the machine as it is, and of the prepared one."""
    model = random_rbm(facts["sigma"], facts["seed"])
    truth = exact_correlations(model)
    reads, seed = facts["reads"], facts["seed"]
    machine = machine_of(facts)
    prepared = prepare(machine, model, num_reads=reads, show=False, **facts.get("choices", {}))
    samplers = {"exact": load_backend("exact"), "prepared": prepared}
    if not isinstance(machine, Embedded):
        samplers["raw"] = Scaled(machine)
    answers = {name: sampler.sample(model, num_reads=reads, seed=seed) for name, sampler in samplers.items()}
    found = flattened(answers["prepared"].info["rapid_ising"]["stages"])
    own = getattr(machine, "beta", None)
    return {
        "errors": {name: correlation_error(answer.record.sample, truth) for name, answer in answers.items()},
        "true_beta": own,
        "machine_beta": found[Calibrated.stage]["machine_beta"],
        "chain_breaks": found.get(Embedded.stage, {}).get("broken_chains"),
    }


def root_mean_square(values: Sequence[float]) -> float:
    """Return the root of the mean of the squares.

    >>> root_mean_square([3.0, 4.0])
    3.5355339059327378
    """
    return float(np.sqrt(np.mean(np.square(values))))
