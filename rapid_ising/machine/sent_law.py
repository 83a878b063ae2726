"""How far the law of what a machine would be sent lies from the law that was asked."""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar, final

import numpy as np
import scipy

from rapid_ising.backend import Backend, Machine, Problem
from rapid_ising.ising import IsingModel
from rapid_ising.job import Finished, Submission
from rapid_ising.machine.gauged import Gauged
from rapid_ising.machine.quantized import rounded
from rapid_ising.machine.refined import Refined
from rapid_ising.machine.stage import Stage
from rapid_ising.machine.tiled import Tiled
from rapid_ising.request import Request
from rapid_ising.typing import Reals, States

ENUMERATED = 12
"""The most spins whose states are all looked at."""
STATES = 400
"""The random states that a law of more spins is predicted from; they tell the spread to 4 %."""
BOUND = math.sqrt(math.log(1e6) / (2 * 4000))
"""The total variation, 0.042, above which a chain is no sampler.

It is what the conformance suite allows 4000 independent reads beyond the mean of chance: reads of a law
nearer than this are not told from reads of the right one. In the study of every machine, 17 machines and nine
models, all 95 cases that pass it are within the tolerance of that suite, and two that do not are as well.
"""


@final
@dataclasses.dataclass(frozen=True)
class SentLaw:
    """How far the law of what is sent lies from the one that was asked."""

    distance: float
    """The total variation between the two laws."""
    enumerated: bool
    """Whether it is that of all states, not predicted from random ones."""
    sweeps: int = 0
    """The Gibbs sweeps that follow at the asked beta."""
    refined: float | None = None
    """The total variation after these, where it is known."""

    @property
    def left(self) -> float:
        """The total variation of what comes back, or the least that is known to bound it."""
        return self.distance if self.refined is None else self.refined

    def __str__(self) -> str:
        how = "all states" if self.enumerated else "predicted from random states"
        told = f"the law of what is sent is at total variation {self.distance:.2g} from the asked one ({how})"
        if not self.sweeps:
            return told
        after = "it is not known how much nearer" if self.refined is None else f"to {self.refined:.2g}"
        return f"{told}; {self.sweeps} Gibbs sweeps bring the reads nearer: {after}"


def sent_law(chain: Backend, problem: Problem, beta: float) -> SentLaw | None:
    r"""Return how far the law of what a chain of stages sends for a problem is from exp(-beta E) / Z.

    Known states go down the real chain, to a listener in the machine's place, as states to start from: each
    stage carries them on as it does the model, over chains and an ancilla, so that the energy E' of what is
    sent is had for each. With the beta' that is sent, the two laws differ by

    .. math:: d(s) = \beta' E'(s) - \beta E(s).

    Up to 12 spins all states are taken, and the total variation is exact. Of more spins random states are,
    and d is taken as normal, with the standard deviation sigma, as it is where many small errors add up:

    .. math:: TV = 2 \Phi(\sigma / 2) - 1.

    That is the law's own figure at a high temperature, a prediction elsewhere. Where the temperature is the
    machine's, beta' is the factor that brings the two nearest, by least squares: what calibration can reach.
    Chains are taken as whole; the breaks of a real machine come on top.

    Parameters
    ----------
    chain
        The stages around the machine.
    problem
        The problem.
    beta
        The asked inverse temperature.

    Returns
    -------
    SentLaw or None
        None where there is no law to compare: an optimiser, distinct states, beta = infinity, or a stage that
        does not carry the states on.

    Examples
    --------
    >>> from rapid_ising.machine import Quantized
    >>> print(sent_law(Quantized("exact"), IsingModel([0.6], [[0.0]]), 1.0))
    the law of what is sent is at total variation 0.11 from the asked one (all states)
    """
    facts = chain.capabilities
    if facts.temperature == "none" or facts.returns == "distinct" or math.isinf(beta):
        return None
    outer: list[Stage] = []
    machine = chain
    while isinstance(machine, Stage):
        outer.append(machine)
        machine = machine.inner
    listener = Listener(machine)
    staged: Backend = listener
    for stage in reversed(outer):
        if isinstance(stage, Gauged):
            # All gauges and all copies are alike.
            staged = dataclasses.replace(stage, backend=staged, gauges=1)
        elif isinstance(stage, Tiled):
            staged = dataclasses.replace(stage, backend=staged, copies=1)
        elif stage.rehearsed:
            staged = stage.around(staged)
    seed = 0 if staged.capabilities.seedable else None
    n = problem.num_variables
    states = all_states(n) if n <= ENUMERATED else random_states(n)
    own = machine.capabilities.temperature == "effective"
    request = staged._request(problem, len(states), 1.0 if own else beta, seed, None, None)
    staged._accept(dataclasses.replace(request, initial_states=states))().answer()
    if len(listener.energies) != len(states):
        return None
    asked = beta * request.model.energies(states).astype(np.float64)
    sent = np.array(listener.energies)
    law = (
        scipy.special.log_softmax(-asked) if n <= ENUMERATED else np.full(len(states), -math.log(len(states)))
    )
    if own:
        sent = nearest_multiple(sent, asked, np.exp(law))
    sweeps = next((stage.sweeps for stage in outer if isinstance(stage, Refined)), 0)
    if n > ENUMERATED:
        spread = float(np.std(sent - asked, ddof=1))
        return SentLaw(float(2 * scipy.special.ndtr(spread / 2) - 1), False, sweeps)
    found = np.exp(scipy.special.log_softmax(-sent))
    after = None
    if sweeps:
        after = total_variation(swept(found, law, sweeps, request.model), np.exp(law))
    return SentLaw(total_variation(found, np.exp(law)), True, sweeps, after)


@final
class Listener(Machine):
    """A machine's place in a chain: it notes beta times the energy of the states that it is given."""

    name: ClassVar[str] = "listener"

    def __init__(self, machine: Backend) -> None:
        self.__dict__["name"] = machine.name
        # All states in one call, whatever the machine's limits.
        self.capabilities = dataclasses.replace(
            machine.capabilities, initial_states=True, max_reads=None, max_call_time=None
        )
        self.energies: list[float] = []

    def _submit(self, request: Request) -> Submission:
        states = request.initial_states
        if states is None:
            return Finished(request.answer(np.ones((request.num_reads, request.model.num_variables)), []))
        model, step = request.model, self.capabilities.step
        if step is not None:
            # The machine rounds on its own.
            model = rounded(model, step)[0]
        self.energies += (request.beta * model.energies(states).astype(np.float64)).tolist()
        return Finished(request.answer(states, []))


def nearest_multiple(values: Reals, target: Reals, weights: Reals) -> Reals:
    """Return the positive multiple of the values that is nearest to the target but for a constant.

    >>> nearest_multiple(np.array([0.0, 1.0]), np.array([5.0, 8.0]), np.array([0.5, 0.5]))
    array([0., 3.])
    """
    mean = weights @ values
    variance = float(weights @ (values - mean) ** 2)
    factor = float(weights @ ((values - mean) * target)) / variance if variance > 0 else 0.0
    found: Reals = max(factor, 0.0) * values
    return found


def swept(start: Reals, law: Reals, sweeps: int, model: IsingModel) -> Reals:
    """Return the probabilities of all states after Gibbs sweeps that leave exp(``law``) as it is.

    The spins are drawn in the order of ``Refined``.
    """
    n = model.num_variables
    split = model.bipartition()
    order = np.arange(n)
    if split is not None and split[0].couplings.layers is not None:
        cut = split[0].couplings.layers[0]
        order = np.concatenate([split[1][cut:], split[1][:cut]])
    found, cube = start.reshape((2,) * n), law.reshape((2,) * n)
    for spin in np.tile(order, sweeps):
        conditional = np.exp(scipy.special.log_softmax(cube, axis=spin))
        found = found.sum(axis=spin, keepdims=True) * conditional
    return found.ravel()


def total_variation(first: Reals, second: Reals) -> float:
    """Return half of the sum of the differences of two laws.

    >>> total_variation(np.array([0.5, 0.5]), np.array([0.25, 0.75]))
    0.25
    """
    return 0.5 * float(np.abs(first - second).sum())


def all_states(spins: int) -> States:
    """Return every state of so many spins, the last spin running fastest.

    >>> all_states(2).tolist()
    [[-1, -1], [-1, 1], [1, -1], [1, 1]]
    """
    bits = np.arange(2**spins)[:, np.newaxis] >> np.arange(spins)[::-1] & 1
    return (2 * bits - 1).astype(np.int8)


def random_states(spins: int) -> States:
    """Return the states that a law of many spins is predicted from, the same each time."""
    drawn = np.random.default_rng(0).integers(2, size=(STATES, spins), dtype=np.int8)
    return 2 * drawn - 1
