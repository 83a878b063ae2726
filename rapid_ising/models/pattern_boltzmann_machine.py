"""The fully connected Boltzmann machine whose couplings are built from patterns."""

from __future__ import annotations

from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt

from rapid_ising.arrays import Device
from rapid_ising.couplings import Patterns
from rapid_ising.ising import IsingModel
from rapid_ising.models.base import float_type
from rapid_ising.models.graph import GraphModel
from rapid_ising.models.patterns import PatternModel
from rapid_ising.models.statistics import Statistics
from rapid_ising.typing import Floats
from rapid_ising.validation import Seed, positive_integer


@final
class PatternBoltzmannMachine(PatternModel, GraphModel):
    r"""A Boltzmann machine of low rank: every pair of its N spins is coupled, by K patterns of all of them.

    .. math:: J_{ij} = \frac{s}{\sqrt K} \sum_k \xi^k_i \xi^k_j, \quad E(s) = -\sum_{i<j} J_{ij} s_i s_j

    Without hidden spins it is a Hopfield model whose patterns are learned, and the negative phase "patterns"
    unlearns what it stores. No N x N matrix is formed: a sweep costs K N a chain.

    Its parameters are ``patterns`` (K, N) and ``scale`` s (1,). With ``biases`` one more spin is clamped at
    +1 and coupled to all others; its entries are ``clamp`` u (K,):

    .. math:: b_i = \frac{s}{\sqrt K} \sum_k u^k \xi^k_i

    Parameters
    ----------
    n_spins
        The number N of spins.
    n_patterns
        The number K of patterns.
    n_visible
        How many of the spins are visible, the first ones; left out, all. The others are hidden.
    seed
        Seeds the patterns, even signs times ``amplitude``.
    scale
        The factor s, an inverse temperature of the model.
    amplitude
        The size of the pattern entries at the start; small patterns make a warm model.
    learn_scale
        Whether training changes s.
    biases
        Whether there is a clamped spin.
    positive_sweeps
        Sweeps over the hidden spins from unknown ones, with the data held, that make the positive phase.
    dtype
        float32 or float64.
    device
        "cpu" alone: see ``to``.

    Examples
    --------
    >>> model = PatternBoltzmannMachine(n_spins=20, n_patterns=4, n_visible=16, seed=0)
    >>> model.n_hidden, model.patterns.shape
    (4, (4, 20))
    """

    name: ClassVar[str] = "pattern-boltzmann-machine"

    def __init__(
        self,
        n_spins: int,
        n_patterns: int,
        n_visible: int | None = None,
        *,
        seed: Seed = None,
        scale: float = 1.0,
        amplitude: float = 0.2,
        learn_scale: bool = False,
        biases: bool = False,
        positive_sweeps: int = 10,
        dtype: npt.DTypeLike = np.float32,
        device: Device = "cpu",
    ) -> None:
        self.to(device)
        self._set_spins(positive_integer("n_spins", n_spins), n_visible, positive_sweeps)
        self.dtype = float_type(dtype)
        self._set_patterns(
            n_patterns,
            {"patterns": self.num_spins},
            ["clamp"] if biases else [],
            seed=seed,
            scale=scale,
            amplitude=amplitude,
            learn_scale=learn_scale,
        )

    @property
    def patterns(self) -> Floats:
        """The patterns, shape (K, N)."""
        return self.parameters["patterns"]

    @property
    def biases(self) -> Floats | None:
        """The biases b, shape (N,), or None without a clamped spin."""
        if not self.clamp_names:
            return None
        formed: Floats = self.factor * (self.parameters["clamp"] @ self.patterns)
        return formed

    def states(self) -> Floats:
        """Return the patterns as states (K, N), with the signs that make the clamped spin +1."""
        return self._signs(self.patterns, "clamp")

    def gradient(self, positive: Statistics, negative: Statistics) -> dict[str, Floats]:
        r"""Return the gradient in the patterns, by the chain rule through J.

        .. math:: \frac{\partial}{\partial \xi^k_i} = \frac{s}{\sqrt K} \sum_{j \ne i} \xi^k_j
                  (\langle s_i s_j \rangle_+ - \langle s_i s_j \rangle_-)
        """
        xi = self.patterns
        slope = positive.onto(xi, 0, 0) - negative.onto(xi, 0, 0)
        # Each pair is met from both of its ends.
        total = float(np.vdot(xi, slope)) / 2
        gradient: dict[str, Floats] = {}
        if self.clamp_names:
            means = positive.mean(0) - negative.mean(0)
            slope = slope + np.outer(self.parameters["clamp"], means)
            onto_clamp = xi @ means
            gradient["clamp"] = self.factor * onto_clamp
            total += float(self.parameters["clamp"] @ onto_clamp)
        return gradient | {"patterns": self.factor * slope} | self._scale_gradient(total)

    def problem(self) -> IsingModel:  # noqa: D102
        biases = self.biases
        fields = np.zeros(self.num_spins, self.dtype) if biases is None else -biases
        return IsingModel(fields, Patterns(self.patterns, -float(self.factor)))

    def config(self) -> dict[str, Any]:  # noqa: D102
        return {
            "n_spins": self.num_spins,
            "n_visible": self.n_visible,
            **self._pattern_config(),
            "positive_sweeps": self.positive_sweeps,
        }
