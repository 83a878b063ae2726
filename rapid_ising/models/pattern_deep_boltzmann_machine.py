"""The deep Boltzmann machine whose weights are built from patterns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt

from rapid_ising.arrays import Device
from rapid_ising.couplings import Patterns
from rapid_ising.ising import IsingModel
from rapid_ising.models.base import float_type
from rapid_ising.models.layered import LayeredModel
from rapid_ising.models.patterns import PatternModel
from rapid_ising.models.statistics import Statistics
from rapid_ising.typing import Floats
from rapid_ising.validation import Seed


@final
class PatternDeepBoltzmannMachine(PatternModel, LayeredModel):
    r"""A deep Boltzmann machine of low rank: the weights of each two neighbouring layers from K patterns.

    .. math:: W^{(l)}_{ai} = \frac{s}{\sqrt K} \sum_k \xi^{(l) k}_a \xi^{(l-1) k}_i, \quad
              E(s) = -\sum_{l \ge 1} s^{(l)} W^{(l)} s^{(l-1)}

    Its parameters are the patterns of each layer, ``patterns_0`` (K, V), ``patterns_1`` (K, H1), ..., and
    ``scale`` s (1,). With ``biases`` one more spin is clamped at +1 and coupled to all layers; its entries
    are ``clamp`` u (K,):

    .. math:: b^{(l)}_i = \frac{s}{\sqrt K} \sum_k u^k \xi^{(l) k}_i

    Parameters
    ----------
    sizes
        The spins of each layer, (V, H1, H2, ...).
    n_patterns
        The number K of patterns.
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
        Gibbs steps of the hidden layers from unknown ones, with the data held, that make the positive phase.
    dtype
        float32 or float64.
    device
        "cpu" alone: see ``to``.

    Examples
    --------
    >>> model = PatternDeepBoltzmannMachine([16, 8, 4], n_patterns=3, seed=0)
    >>> model.weights(1).shape, model.states().shape
    ((8, 16), (3, 20))
    """

    name: ClassVar[str] = "pattern-deep-boltzmann-machine"

    def __init__(
        self,
        sizes: Sequence[int],
        n_patterns: int,
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
        self._set_sizes(sizes, positive_sweeps)
        self.dtype = float_type(dtype)
        self._set_patterns(
            n_patterns,
            {f"patterns_{layer}": size for layer, size in enumerate(self.layers)},
            ["clamp"] if biases else [],
            seed=seed,
            scale=scale,
            amplitude=amplitude,
            learn_scale=learn_scale,
        )

    def patterns(self, layer: int) -> Floats:
        """Return the patterns of a layer, shape (K, spins), the visible one being 0."""
        return self.parameters[f"patterns_{layer}"]

    def weights(self, layer: int) -> Floats:
        """Return the weights of a hidden layer, from 1 on, with the layer below it, formed anew."""
        formed: Floats = self.factor * (self.patterns(layer).T @ self.patterns(layer - 1))
        return formed

    def states(self) -> Floats:
        """Return the patterns as chains: their even layers, with the signs that make the clamped spin +1."""
        even = [self.patterns(layer) for layer in range(0, len(self.layers), 2)]
        return self._signs(np.hstack(even), "clamp")

    def gradient(self, positive: Statistics, negative: Statistics) -> dict[str, Floats]:
        r"""Return the gradient in the patterns, by the chain rule through the weights of both sides.

        .. math:: \frac{\partial}{\partial \xi^{(l) k}_i} = \frac{s}{\sqrt K}
                  \sum_{m = l \pm 1} \sum_j \xi^{(m) k}_j
                  (\langle s^{(m)}_j s^{(l)}_i \rangle_+ - \langle s^{(m)}_j s^{(l)}_i \rangle_-)
        """
        depth = len(self.layers)
        slopes = [np.zeros_like(self.patterns(layer)) for layer in range(depth)]
        total = 0.0
        for lower in range(depth - 1):
            for source, target in ((lower, lower + 1), (lower + 1, lower)):
                xi = self.patterns(source)
                slope = positive.onto(xi, source, target) - negative.onto(xi, source, target)
                slopes[target] += slope
            total += float(np.vdot(self.patterns(lower), slope))
        gradient: dict[str, Floats] = {}
        if self.clamp_names:
            clamp = self.parameters["clamp"]
            onto_clamp = np.zeros_like(clamp)
            for layer in range(depth):
                means = positive.mean(layer) - negative.mean(layer)
                slopes[layer] += np.outer(clamp, means)
                onto_clamp += self.patterns(layer) @ means
            gradient["clamp"] = self.factor * onto_clamp
            total += float(clamp @ onto_clamp)
        gradient |= {f"patterns_{layer}": self.factor * slope for layer, slope in enumerate(slopes)}
        return gradient | self._scale_gradient(total)

    def problem(self) -> IsingModel:  # noqa: D102
        patterns = np.hstack([self.patterns(layer) for layer in range(len(self.layers))])
        fields = np.zeros(patterns.shape[1], self.dtype)
        if self.clamp_names:
            fields = -self.factor * (self.parameters["clamp"] @ patterns)
        return IsingModel(fields, Patterns(patterns, -float(self.factor), self.layers))

    def config(self) -> dict[str, Any]:  # noqa: D102
        return {
            "sizes": list(self.layers),
            **self._pattern_config(),
            "positive_sweeps": self.positive_sweeps,
        }
