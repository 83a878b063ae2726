"""The restricted Boltzmann machine with free weights and biases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt

from rapid_ising.arrays import Device, outer
from rapid_ising.couplings import Bipartite
from rapid_ising.ising import IsingModel
from rapid_ising.layer_fields import LayerFields
from rapid_ising.models.base import float_type
from rapid_ising.models.statistics import Statistics
from rapid_ising.models.two_layers import TwoLayerModel
from rapid_ising.typing import Floats
from rapid_ising.validation import MODEL, Seed, finite, generator, positive_integer


@final
class RBM(TwoLayerModel):
    r"""A restricted Boltzmann machine of spins -1 and +1.

    .. math:: E(v, h) = -\sum_{ai} W_{ai} h_a v_i - \sum_i b_i v_i - \sum_a c_a h_a

    Its parameters are ``weights`` W (H, V), ``visible_biases`` b (V,) and ``hidden_biases`` c (H,).

    Parameters
    ----------
    n_visible
        The number V of visible spins, as many as an image has pixels.
    n_hidden
        The number H of hidden spins.
    seed
        Seeds the weights.
    weight_std
        The standard deviation of the weights at the start; biases start at 0.
    dtype
        float32 or float64.
    device
        Where parameters lie and spins are drawn: see ``to``.

    Examples
    --------
    >>> RBM(4, 2, seed=0).sample(3, seed=0).shape
    (3, 4)
    """

    name: ClassVar[str] = "rbm"
    bias_names: tuple[str, ...] = ("visible_biases", "hidden_biases")

    def __init__(
        self,
        n_visible: int,
        n_hidden: int,
        *,
        seed: Seed = None,
        weight_std: float = 0.01,
        dtype: npt.DTypeLike = np.float32,
        device: Device = "cpu",
    ) -> None:
        self.n_visible = positive_integer("n_visible", n_visible)
        self.n_hidden = positive_integer("n_hidden", n_hidden)
        self.weight_std = finite("weight_std", weight_std, minimum=0)
        self.dtype = float_type(dtype)
        weights = generator(seed, MODEL).normal(0.0, self.weight_std, (self.n_hidden, self.n_visible))
        self.parameters = {
            "weights": weights.astype(self.dtype),
            "visible_biases": np.zeros(self.n_visible, self.dtype),
            "hidden_biases": np.zeros(self.n_hidden, self.dtype),
        }
        self.to(device)

    @property
    def weights(self) -> Floats:
        """The weights W, shape (H, V)."""
        return self.parameters["weights"]

    def layer_fields(self, states: int = 1) -> tuple[LayerFields, LayerFields]:  # noqa: D102
        visible, hidden = (-self.parameters[name] for name in self.bias_names)
        return LayerFields((self.weights.T,), -1.0, hidden), LayerFields((self.weights,), -1.0, visible)

    def gradient(self, positive: Statistics, negative: Statistics) -> dict[str, Floats]:
        """Return <h_a v_i>, <v_i> and <h_a> of the data less those of the model."""
        return {
            "weights": positive.correlations_less(negative, 1, 0),
            "visible_biases": positive.mean(0) - negative.mean(0),
            "hidden_biases": positive.mean(1) - negative.mean(1),
        }

    def centred(self, gradient: Mapping[str, Floats], offsets: Sequence[Floats]) -> dict[str, Floats]:  # noqa: D102
        visible, hidden = (gradient[name] for name in self.bias_names)
        block = gradient["weights"] - outer(offsets[1], visible)
        block -= outer(hidden, offsets[0])
        return {**gradient, "weights": block}

    def pulls(self, layers: Sequence[Floats]) -> list[Floats]:  # noqa: D102
        return [layers[1] @ self.weights, self.weights @ layers[0]]

    def problem(self) -> IsingModel:  # noqa: D102
        weights, visible, hidden = self.numpy_parameters().values()
        return IsingModel(-np.concatenate([visible, hidden]), Bipartite(-weights.T))

    def config(self) -> dict[str, Any]:  # noqa: D102
        return {
            "n_visible": self.n_visible,
            "n_hidden": self.n_hidden,
            "weight_std": self.weight_std,
            "dtype": self.dtype.name,
        }
