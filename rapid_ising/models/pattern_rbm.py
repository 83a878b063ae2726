"""The RBM whose weights are built from patterns: the paper's regularized associations."""

from __future__ import annotations

import math
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt

from rapid_ising.couplings import Patterns
from rapid_ising.errors import InvalidParameterError
from rapid_ising.ising import IsingModel
from rapid_ising.models.base import Model, float_type
from rapid_ising.models.statistics import Statistics
from rapid_ising.models.two_layers import TwoLayerModel
from rapid_ising.typing import Floats
from rapid_ising.validation import MODEL, Seed, finite, generator, positive_integer


@final
class PatternRBM(TwoLayerModel):
    r"""An RBM of low rank whose weights are sums over K patterns of both layers.

    .. math:: W_{ai} = \frac{s}{\sqrt K} \sum_k \xi^k_a \xi^k_i, \quad E(v, h) = -\sum_{ai} W_{ai} h_a v_i

    Eq. 1 of arXiv:1910.01592 has s = 1. Few patterns keep the model out of the spin-glass phase. W is formed
    only where that is less work than K (V + H) a state.

    Its parameters are ``visible_patterns`` (K, V), ``hidden_patterns`` (K, H) and ``scale`` s (1,).

    With ``biases`` each layer has one more spin, clamped at +1, and each pattern an entry for it, in
    ``visible_clamp`` u and ``hidden_clamp`` w, both (K,). The couplings to the clamped spins are the biases:

    .. math:: c_a = \frac{s}{\sqrt K} \sum_k \xi^k_a u^k, \quad b_i = \frac{s}{\sqrt K} \sum_k w^k \xi^k_i

    They end the symmetry between an image and its negative.

    Parameters
    ----------
    n_visible, n_hidden
        The sizes V and H of the layers.
    n_patterns
        The number K of patterns.
    seed
        Seeds the patterns, even signs times ``amplitude``.
    scale
        The factor s, an inverse temperature of the model.
    amplitude
        The size of the pattern entries at the start. Small patterns make a warm model that can be sampled;
        the paper's are 1, and ``recipe="paper"`` sets them so.
    learn_scale
        Whether training changes s.
    biases
        Whether there are clamped spins.
    dtype
        float32 or float64.

    Examples
    --------
    >>> model = PatternRBM(n_visible=16, n_hidden=100, n_patterns=8, seed=0)
    >>> model.weights.shape, float(np.abs(model.weights).max()) <= 8 / 8**0.5
    ((100, 16), True)
    """

    name: ClassVar[str] = "pattern-rbm"

    def __init__(
        self,
        n_visible: int,
        n_hidden: int,
        n_patterns: int,
        *,
        seed: Seed = None,
        scale: float = 1.0,
        amplitude: float = 0.2,
        learn_scale: bool = False,
        biases: bool = False,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        self.n_visible = positive_integer("n_visible", n_visible)
        self.n_hidden = positive_integer("n_hidden", n_hidden)
        self.n_patterns = positive_integer("n_patterns", n_patterns)
        self.amplitude = finite("amplitude", amplitude, minimum=0, exclusive=True)
        self.learn_scale = bool(learn_scale)
        self.dtype = float_type(dtype)
        size = self.n_visible + self.n_hidden
        rng = generator(seed, MODEL)
        signs = 2 * rng.integers(2, size=(self.n_patterns, size)) - 1
        patterns = (self.amplitude * signs).astype(self.dtype)
        self.parameters = {
            "visible_patterns": patterns[:, : self.n_visible].copy(),
            "hidden_patterns": patterns[:, self.n_visible :].copy(),
            "scale": np.array([finite("scale", scale)], self.dtype),
        }
        if biases:
            # Even signs: clamped spins that favour no pattern, and biases that start near zero.
            clamps = (self.amplitude * (2 * rng.integers(2, size=(2, self.n_patterns)) - 1)).astype(
                self.dtype
            )
            self.parameters |= {"visible_clamp": clamps[0].copy(), "hidden_clamp": clamps[1].copy()}
        self.pattern_names = tuple(name for name in self.parameters if name != "scale")

    @property
    def visible_patterns(self) -> Floats:
        """The visible halves of the patterns, shape (K, V)."""
        return self.parameters["visible_patterns"]

    @property
    def hidden_patterns(self) -> Floats:
        """The hidden halves of the patterns, shape (K, H)."""
        return self.parameters["hidden_patterns"]

    @property
    def scale(self) -> float:
        """The factor s."""
        return float(self.parameters["scale"][0])

    @scale.setter
    def scale(self, value: float) -> None:
        self.parameters["scale"][0] = finite("scale", value)

    @property
    def biases(self) -> Floats | None:
        """The visible biases b, shape (V,), or None without clamped spins."""
        if "hidden_clamp" not in self.parameters:
            return None
        formed: Floats = self._factor * (self.parameters["hidden_clamp"] @ self.visible_patterns)
        return formed

    def states(self) -> Floats:
        """Return the patterns as visible states (K, V), with the signs that make the clamped spin +1."""
        signs: Floats = np.copysign(1, self.visible_patterns)
        if "visible_clamp" in self.parameters:
            signs *= np.copysign(1, self.parameters["visible_clamp"])[:, None]
        return signs

    @property
    def _factor(self) -> Any:
        return self.dtype.type(self.scale / math.sqrt(self.n_patterns))

    @property
    def weights(self) -> Floats:
        """The weights W, shape (H, V), formed anew at each call."""
        formed: Floats = self._factor * (self.hidden_patterns.T @ self.visible_patterns)
        return formed

    def hidden_fields(self, visible: Floats) -> Floats:  # noqa: D102
        overlaps = visible @ self.visible_patterns.T
        if "visible_clamp" in self.parameters:
            overlaps += self.parameters["visible_clamp"]
        fields: Floats = overlaps @ self.hidden_patterns
        # The factor last: sums over +-1 patterns stay whole numbers, so that fields which cancel are 0.
        fields *= self._factor
        return fields

    def visible_fields(self, hidden: Floats) -> Floats:  # noqa: D102
        overlaps = hidden @ self.hidden_patterns.T
        if "hidden_clamp" in self.parameters:
            overlaps += self.parameters["hidden_clamp"]
        fields: Floats = overlaps @ self.visible_patterns
        fields *= self._factor
        return fields

    def gradient(self, positive: Statistics, negative: Statistics) -> dict[str, Floats]:
        r"""Return the gradient in the patterns, by the chain rule through W.

        .. math:: \frac{\partial}{\partial \xi^k_i} = \frac{s}{\sqrt K} \sum_a \xi^k_a
                  (\langle h_a v_i \rangle_+ - \langle h_a v_i \rangle_-)

        and likewise for the hidden patterns. No H x V matrix is formed.
        """
        visible = positive.onto(self.hidden_patterns, 1, 0) - negative.onto(self.hidden_patterns, 1, 0)
        hidden = positive.onto(self.visible_patterns, 0, 1) - negative.onto(self.visible_patterns, 0, 1)
        total = float(np.vdot(self.visible_patterns, visible))
        clamps: dict[str, Floats] = {}
        if "visible_clamp" in self.parameters:
            # The clamped spins are +1 in both phases, so that their products are the other layer's means.
            means = [positive.mean(layer) - negative.mean(layer) for layer in (0, 1)]
            to_hidden = self.hidden_patterns @ means[1]
            to_visible = self.visible_patterns @ means[0]
            u, w = self.parameters["visible_clamp"], self.parameters["hidden_clamp"]
            visible = visible + np.outer(w, means[0])
            hidden = hidden + np.outer(u, means[1])
            clamps = {"visible_clamp": self._factor * to_hidden, "hidden_clamp": self._factor * to_visible}
            total += float(u @ to_hidden + w @ to_visible)
        gradient = {"visible_patterns": self._factor * visible, "hidden_patterns": self._factor * hidden}
        gradient |= clamps
        if self.learn_scale:
            total /= math.sqrt(self.n_patterns)
            gradient["scale"] = np.array([total], self.dtype)
        return gradient

    def problem(self) -> IsingModel:  # noqa: D102
        patterns = np.hstack([self.visible_patterns, self.hidden_patterns])
        couplings = Patterns(patterns, -float(self._factor), (self.n_visible, self.n_hidden))
        fields = np.zeros(patterns.shape[1], self.dtype)
        if "visible_clamp" in self.parameters:
            clamps = self.parameters["hidden_clamp"], self.parameters["visible_clamp"]
            fields = -self._factor * np.concatenate(
                [clamps[0] @ self.visible_patterns, clamps[1] @ self.hidden_patterns]
            )
        return IsingModel(fields, couplings)

    def rescale(self, beta: float) -> None:  # noqa: D102
        self.scale *= finite("beta", beta, minimum=0, exclusive=True)

    def config(self) -> dict[str, Any]:  # noqa: D102
        return {
            "n_visible": self.n_visible,
            "n_hidden": self.n_hidden,
            "n_patterns": self.n_patterns,
            "amplitude": self.amplitude,
            "learn_scale": self.learn_scale,
            "biases": "visible_clamp" in self.parameters,
            "dtype": self.dtype.name,
        }


def pattern_model(model: Model, method: str) -> Model:
    """Return the model, or raise when it has no patterns that ``method`` needs."""
    if not model.n_patterns:
        raise InvalidParameterError(
            f"{method} needs a model built from patterns and a {type(model).__name__} has none: "
            "use a PatternRBM, or the negative phase 'cd', 'pcd', 'exact' or a backend"
        )
    return model
