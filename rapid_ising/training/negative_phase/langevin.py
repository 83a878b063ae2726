"""A Langevin-like sampler of the visible spins: all are proposed at once, along the gradient."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar, final

import numpy as np

from rapid_ising.arrays import namespace, to_numpy
from rapid_ising.models import Model, TwoLayerModel, two_layer_model
from rapid_ising.models.statistics import Statistics
from rapid_ising.training.negative_phase.base import NegativePhase
from rapid_ising.typing import Floats, Reals
from rapid_ising.validation import finite, positive_integer

TARGET = 0.574
"""The best share of accepted proposals of Langevin samplers: Roberts and Rosenthal (1998)."""
STEPS = (0.01, 100.0)
"""The least and the largest step size that is looked for."""


@final
@dataclasses.dataclass
class Langevin(NegativePhase):
    r"""Persistent chains of visible states, moved by discrete Langevin proposals.

    All visible spins are proposed independently, along the gradient of the free energy, continued to real v,

    .. math:: q(v' | v) \propto \exp\left[-\tfrac{1}{2} \nabla F(v) \cdot (v' - v)
              - \frac{|v' - v|^2}{2 \alpha}\right], \quad
              \nabla F(v) = -b - W^T \tanh(c + W v)

    and accepted with probability min(1, P(v') q(v | v') / P(v) q(v' | v)), which leaves P as it is. Zhang,
    Liu and Liu, ICML (2022); reference 10 of arXiv:1910.01592 has such proposals for the visible layer.

    Parameters
    ----------
    k
        The proposals at each update.
    chains
        The number of chains.
    step_size
        The step size alpha; None seeks the one at which 57.4 % of proposals are accepted, before training
        and from update to update. During an update it stays.
    burn_in
        The proposals before training.

    Raises
    ------
    InvalidParameterError
        If the model has not two layers.

    Examples
    --------
    >>> Langevin(k=5, step_size=0.5)
    Langevin(k=5, chains=128, step_size=0.5, burn_in=100)
    """

    name: ClassVar[str] = "langevin"

    k: int = 10
    chains: int = 128
    step_size: float | None = None
    burn_in: int = 100
    accepted: float = dataclasses.field(default=0.0, init=False, repr=False, compare=False)
    """The share of the last update's proposals that were accepted."""
    _chains: Any = dataclasses.field(default=None, init=False, repr=False, compare=False)
    _step: float = dataclasses.field(default=1.0, init=False, repr=False)

    def __post_init__(self) -> None:
        positive_integer("k", self.k)
        positive_integer("chains", self.chains)
        positive_integer("burn_in", self.burn_in, minimum=0)
        if self.step_size is not None:
            finite("step_size", self.step_size, minimum=0, exclusive=True)

    def start(self, model: Model, data: Floats, rng: np.random.Generator) -> None:  # noqa: D102
        machine = two_layer_model(model, "the Langevin sampler")
        # NumPy's, wherever the model lies: fields are worked out there, and proposals drawn here.
        self._chains = to_numpy(machine.random_chains(self.chains, rng))
        self._step = 1.0 if self.step_size is None else self.step_size
        for _ in range(self.burn_in):
            self._move(machine, 1, rng)

    def statistics(self, model: Model, chains: Floats, rng: np.random.Generator) -> Statistics:  # noqa: D102
        self._move(two_layer_model(model, "the Langevin sampler"), self.k, rng)
        return model.statistics(self._chains)

    def _move(self, model: TwoLayerModel, steps: int, rng: np.random.Generator) -> None:
        """Make some proposals to each chain, then adapt the step size to the share that was accepted."""
        visible = self._chains
        odds, energies = flip_odds(model, visible, self._step), model.free_energy(visible)
        taken = 0.0
        for _ in range(steps):
            flips = rng.random(visible.shape) < 1 / (1 + np.exp(-odds))
            proposed = np.where(flips, -visible, visible)
            back, new = flip_odds(model, proposed, self._step), model.free_energy(proposed)
            # The same spins flip on the way back.
            log_ratio = energies - new + _log_proposal(back, flips) - _log_proposal(odds, flips)
            accept = np.log(1.0 - rng.random(len(visible))) < log_ratio
            visible = np.where(accept[:, np.newaxis], proposed, visible)
            odds = np.where(accept[:, np.newaxis], back, odds)
            energies = np.where(accept, new, energies)
            taken += float(accept.mean())
        self._chains = visible
        self.accepted = taken / steps
        if self.step_size is None:
            change = math.exp(0.2 * (self.accepted - TARGET))
            self._step = min(max(self._step * change, STEPS[0]), STEPS[1])

    def state(self) -> dict[str, Floats]:  # noqa: D102
        return {"chains": self._chains.copy(), "step": np.array([self._step])}

    def restore(self, state: dict[str, Floats]) -> None:  # noqa: D102
        self._chains = state["chains"].copy()
        self._step = float(state["step"][0])


def flip_odds(model: TwoLayerModel, visible: Floats, step_size: float) -> Reals:
    r"""Return the log-odds that each visible spin is proposed to flip, shape (n, V).

    .. math:: \log \frac{q_i}{1 - q_i} = v_i \, \nabla_i F(v) - \frac{2}{\alpha}
    """
    hidden = model.hidden_fields(visible)
    gradient = -to_numpy(model.visible_fields(namespace(hidden).tanh(hidden)))
    odds: Reals = (visible * gradient).astype(np.float64) - 2 / step_size
    # Beyond this a float64 knows no difference between sure and all but sure.
    return np.clip(odds, -700.0, 700.0)


def _log_proposal(odds: Reals, flips: Any) -> Reals:
    """Return log q of these flips, shape (n,)."""
    logarithms: Reals = -np.logaddexp(0.0, np.where(flips, -odds, odds)).sum(axis=1)
    return logarithms
