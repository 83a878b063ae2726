"""The deep Boltzmann machine: several hidden layers, with free weights and biases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt

from rapid_ising.arrays import Device
from rapid_ising.couplings import Layered
from rapid_ising.ising import IsingModel
from rapid_ising.models.base import float_type
from rapid_ising.models.layered import LayeredModel
from rapid_ising.models.statistics import Statistics
from rapid_ising.typing import Floats
from rapid_ising.validation import MODEL, Seed, finite, generator


@final
class DeepBoltzmannMachine(LayeredModel):
    r"""A Boltzmann machine of layers of spins -1 and +1, each coupled to the next.

    .. math:: E(s) = -\sum_{l \ge 1} s^{(l)} W^{(l)} s^{(l-1)} - \sum_l b^{(l)} s^{(l)}

    with the visible spins in layer 0. Its parameters are ``weights_1`` (H1, V), ``weights_2`` (H2, H1), ...,
    and ``biases_0`` (V,), ``biases_1`` (H1,), ... Salakhutdinov and Hinton, AISTATS (2009).

    Parameters
    ----------
    sizes
        The spins of each layer, (V, H1, H2, ...).
    seed
        Seeds the weights.
    weight_std
        The standard deviation of the weights at the start; biases start at 0.
    positive_sweeps
        Gibbs steps of the hidden layers from unknown ones, with the data held, that make the positive phase.
    dtype
        float32 or float64.
    device
        "cpu" alone: see ``to``.

    Examples
    --------
    >>> model = DeepBoltzmannMachine([16, 8, 4], seed=0)
    >>> model.n_visible, model.n_hidden, model.weights(2).shape
    (16, 12, (4, 8))
    """

    name: ClassVar[str] = "deep-boltzmann-machine"

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        seed: Seed = None,
        weight_std: float = 0.01,
        positive_sweeps: int = 10,
        dtype: npt.DTypeLike = np.float32,
        device: Device = "cpu",
    ) -> None:
        self.to(device)
        self._set_sizes(sizes, positive_sweeps)
        self.weight_std = finite("weight_std", weight_std, minimum=0)
        self.dtype = float_type(dtype)
        rng = generator(seed, MODEL)
        self.bias_names = tuple(f"biases_{layer}" for layer in range(len(self.layers)))
        self.parameters = {
            f"weights_{layer}": rng.normal(0.0, self.weight_std, (above, below)).astype(self.dtype)
            for layer, (below, above) in enumerate(pairwise(self.layers), 1)
        }
        self.parameters |= {
            f"biases_{layer}": np.zeros(size, self.dtype) for layer, size in enumerate(self.layers)
        }

    def weights(self, layer: int) -> Floats:
        """Return the weights of a hidden layer, from 1 on, with the layer below it."""
        return self.parameters[f"weights_{layer}"]

    def biases(self, layer: int) -> Floats:
        """Return the biases of a layer, the visible one being 0."""
        return self.parameters[f"biases_{layer}"]

    def gradient(self, positive: Statistics, negative: Statistics) -> dict[str, Floats]:
        """Return the averages of products of neighbouring layers and of spins, data less model."""
        gradient: dict[str, Floats] = {}
        for layer in range(len(self.layers)):
            gradient[f"biases_{layer}"] = positive.mean(layer) - negative.mean(layer)
            if layer:
                ends = layer, layer - 1
                gradient[f"weights_{layer}"] = positive.correlations(*ends) - negative.correlations(*ends)
        return gradient

    def centred(self, gradient: Mapping[str, Floats], offsets: Sequence[Floats]) -> dict[str, Floats]:  # noqa: D102
        moved = dict(gradient)
        for layer in range(1, len(self.layers)):
            block = gradient[f"weights_{layer}"] - np.outer(offsets[layer], gradient[f"biases_{layer - 1}"])
            block -= np.outer(gradient[f"biases_{layer}"], offsets[layer - 1])
            moved[f"weights_{layer}"] = block
        return moved

    def pulls(self, layers: Sequence[Floats]) -> list[Floats]:  # noqa: D102
        added = [np.zeros_like(layer) for layer in layers]
        for layer in range(1, len(layers)):
            added[layer] += self.weights(layer) @ layers[layer - 1]
            added[layer - 1] += layers[layer] @ self.weights(layer)
        return added

    def problem(self) -> IsingModel:  # noqa: D102
        depth = len(self.layers)
        fields = -np.concatenate([self.biases(layer) for layer in range(depth)])
        return IsingModel(fields, Layered([-self.weights(layer).T for layer in range(1, depth)]))

    def config(self) -> dict[str, Any]:  # noqa: D102
        return {
            "sizes": list(self.layers),
            "weight_std": self.weight_std,
            "positive_sweeps": self.positive_sweeps,
            "dtype": self.dtype.name,
        }
