"""The RBM whose weights are built from patterns: the paper's regularized associations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, final

import numpy as np
import numpy.typing as npt

from rapid_ising.arrays import Device, concatenated, dot, is_numpy, outer, signs
from rapid_ising.couplings import Patterns
from rapid_ising.errors import InvalidParameterError
from rapid_ising.ising import IsingModel
from rapid_ising.layer_fields import LayerFields
from rapid_ising.models.base import float_type
from rapid_ising.models.onto_patterns import onto_patterns, total
from rapid_ising.models.patterns import PatternModel
from rapid_ising.models.statistics import SampleStatistics, Statistics
from rapid_ising.models.two_layers import TwoLayerModel
from rapid_ising.typing import Floats
from rapid_ising.validation import Seed, positive_integer


@final
class PatternRBM(PatternModel, TwoLayerModel):
    r"""An RBM of low rank whose weights are sums over K patterns of both layers.

    .. math:: W_{ai} = \frac{s}{\sqrt K} \sum_k \xi^k_a \xi^k_i, \quad E(v, h) = -\sum_{ai} W_{ai} h_a v_i

    Eq. 1 of arXiv:1910.01592 has s = 1. Few patterns keep the model out of the spin-glass phase. W is formed
    only where that is less work than K (V + H) a state.

    Its parameters are ``visible_patterns`` (K, V), ``hidden_patterns`` (K, H) and ``scale`` s (1,).

    With ``biases`` each layer has one more spin, clamped at +1, and each pattern an entry for it, in
    ``visible_clamp`` u and ``hidden_clamp`` w, both (K,). The couplings to the clamped spins are the biases:

    .. math:: c_a = \frac{s}{\sqrt K} \sum_k \xi^k_a u^k, \quad b_i = \frac{s}{\sqrt K} \sum_k w^k \xi^k_i

    They end the symmetry between an image and its negative. With ``biases="free"`` they are parameters of
    their own, ``visible_biases`` b (V,) and ``hidden_biases`` c (H,), not of low rank, and the machine has a
    centred gradient.

    Parameters
    ----------
    n_visible
        The number V of visible spins, as many as an image has pixels.
    n_hidden
        The number H of hidden spins.
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
        False, True or "clamped" for clamped spins, or "free".
    dtype
        float32 or float64.
    device
        Where parameters lie and spins are drawn: see ``to``.

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
        biases: bool | Literal["clamped", "free"] = False,
        dtype: npt.DTypeLike = np.float32,
        device: Device = "cpu",
    ) -> None:
        self.n_visible = positive_integer("n_visible", n_visible)
        self.n_hidden = positive_integer("n_hidden", n_hidden)
        self.dtype = float_type(dtype)
        if biases not in (False, True, "clamped", "free"):
            raise InvalidParameterError(f"biases must be False, True, 'clamped' or 'free', not {biases!r}")
        self._set_patterns(
            n_patterns,
            {"visible_patterns": self.n_visible, "hidden_patterns": self.n_hidden},
            ["visible_clamp", "hidden_clamp"] if biases in (True, "clamped") else [],
            seed=seed,
            scale=scale,
            amplitude=amplitude,
            learn_scale=learn_scale,
        )
        if biases == "free":
            self.bias_names = ("visible_biases", "hidden_biases")
            for name, size in zip(self.bias_names, self.layers, strict=True):
                self.parameters[name] = np.zeros(size, self.dtype)
        self.to(device)

    @property
    def linear_names(self) -> tuple[str, ...]:
        """The scale, and free biases."""
        return ("scale", *self.bias_names)

    @property
    def visible_patterns(self) -> Floats:
        """The visible halves of the patterns, shape (K, V)."""
        return self.parameters["visible_patterns"]

    @property
    def hidden_patterns(self) -> Floats:
        """The hidden halves of the patterns, shape (K, H)."""
        return self.parameters["hidden_patterns"]

    @property
    def biases(self) -> Floats | None:
        """The visible biases b, shape (V,), or None where the model has none."""
        if self.bias_names:
            return self.parameters["visible_biases"]
        if "hidden_clamp" not in self.parameters:
            return None
        formed: Floats = self.factor * (self.parameters["hidden_clamp"] @ self.visible_patterns)
        return formed

    def states(self) -> Floats:
        """Return the patterns as visible states (K, V), with the signs that make the clamped spin +1.

        With free biases an image and its negative differ, and a pattern is known by its hidden half: the
        states are those that the visible spins relax to beside the signs of the hidden halves and beside
        their negatives, (2K, V).
        """
        if self.bias_names:
            hidden = signs(self.hidden_patterns)
            return signs(self.visible_fields(concatenated([hidden, -hidden])))
        return self._signs(self.visible_patterns, "visible_clamp")

    @property
    def weights(self) -> Floats:
        """The weights W, shape (H, V), formed anew at each call."""
        formed: Floats = self.factor * (self.hidden_patterns.T @ self.visible_patterns)
        return formed

    def layer_fields(self, states: int = 1) -> tuple[LayerFields, LayerFields]:  # noqa: D102
        v, h, k = self.n_visible, self.n_hidden, self.n_patterns
        clamps = [self.parameters.get(name) for name in ("visible_clamp", "hidden_clamp")]
        biases = [-self.parameters[name] for name in self.bias_names] or [
            self.place.put(np.zeros(size, self.dtype)) for size in self.layers
        ]
        gain = -self.factor
        if 2 * states * (k * (v + h) - v * h) > k * v * h:
            # The weights without their factor, which comes last.
            formed = self.visible_patterns.T @ self.hidden_patterns
            for layer, inner in enumerate(clamps):
                if inner is not None:
                    patterns = (self.hidden_patterns, self.visible_patterns)[layer]
                    biases[1 - layer] = gain * (inner @ patterns)
            return LayerFields((formed,), gain, biases[1]), LayerFields((formed.T,), gain, biases[0])
        up = LayerFields((self.visible_patterns.T, self.hidden_patterns), gain, biases[1], clamps[0])
        down = LayerFields((self.hidden_patterns.T, self.visible_patterns), gain, biases[0], clamps[1])
        return up, down

    def gradient(self, positive: Statistics, negative: Statistics) -> dict[str, Floats]:
        r"""Return the gradient in the patterns, by the chain rule through W.

        .. math:: \frac{\partial}{\partial \xi^k_i} = \frac{s}{\sqrt K} \sum_a \xi^k_a
                  (\langle h_a v_i \rangle_+ - \langle h_a v_i \rangle_-)

        and likewise for the hidden patterns. No H x V matrix is formed.
        """
        visible, hidden = self._onto_less(positive, negative)
        # A sum over pairs that only the scale's gradient needs: on a device it would be waited for.
        pairs = dot(self.visible_patterns, visible) if self.learn_scale else 0.0
        factor = self.factor
        clamps: dict[str, Floats] = {}
        for layer, name in enumerate(self.bias_names):
            clamps[name] = positive.mean(layer) - negative.mean(layer)
        if "visible_clamp" in self.parameters:
            # The clamped spins are +1 in both phases, so that their products are the other layer's means.
            means = [positive.mean(layer) - negative.mean(layer) for layer in (0, 1)]
            to_hidden = self.hidden_patterns @ means[1]
            to_visible = self.visible_patterns @ means[0]
            u, w = self.parameters["visible_clamp"], self.parameters["hidden_clamp"]
            visible = visible + outer(w, means[0])
            hidden = hidden + outer(u, means[1])
            clamps = {"visible_clamp": factor * to_hidden, "hidden_clamp": factor * to_visible}
            pairs += float(u @ to_hidden + w @ to_visible) if self.learn_scale else 0.0
        visible *= factor
        hidden *= factor
        gradient = {"visible_patterns": visible, "hidden_patterns": hidden}
        return gradient | clamps | self._scale_gradient(pairs)

    def _onto_less(self, positive: Statistics, negative: Statistics) -> tuple[Floats, Floats]:
        """Return ``onto_less`` of the hidden patterns and of the visible ones."""
        visible, hidden = self.visible_patterns, self.hidden_patterns
        biased = self.bias_names or self.clamp_names
        # With biases the means of the hidden spins are needed too; on few pixels W has fewer entries.
        if (
            biased
            or self.n_patterns > self.n_visible
            or not isinstance(positive, SampleStatistics)
            or not isinstance(negative, SampleStatistics)
            or not is_numpy(visible)
        ):
            return positive.onto_less(negative, hidden, 1, 0), positive.onto_less(negative, visible, 0, 1)
        parts = [onto_patterns(visible, hidden, self.factor, *rows) for rows in positive.rows_less(negative)]
        return total(part[0] for part in parts), total(part[1] for part in parts)

    def centred(self, gradient: Mapping[str, Floats], offsets: Sequence[Floats]) -> dict[str, Floats]:  # noqa: D102
        changes = [gradient[name] for name in self.bias_names]
        patterns = [self.visible_patterns, self.hidden_patterns]
        onto_offsets, onto_changes = (
            [xi @ x for xi, x in zip(patterns, values, strict=True)] for values in (offsets, changes)
        )
        moved = dict(gradient)
        for layer, name in enumerate(("visible_patterns", "hidden_patterns")):
            other = 1 - layer
            taken = outer(onto_offsets[other], changes[layer])
            taken += outer(onto_changes[other], offsets[layer])
            moved[name] = gradient[name] - self.factor * taken
        if self.learn_scale:
            total = sum(float(onto_offsets[i] @ onto_changes[1 - i]) for i in (0, 1))
            moved["scale"] = gradient["scale"] - self._scale_gradient(total)["scale"]
        return moved

    def pulls(self, layers: Sequence[Floats]) -> list[Floats]:  # noqa: D102
        onto = [self.visible_patterns @ layers[0], self.hidden_patterns @ layers[1]]
        return [
            self.factor * (onto[1] @ self.visible_patterns),
            self.factor * (onto[0] @ self.hidden_patterns),
        ]

    def problem(self) -> IsingModel:  # noqa: D102
        own = self.numpy_parameters()
        visible, hidden = own["visible_patterns"], own["hidden_patterns"]
        patterns = np.hstack([visible, hidden])
        couplings = Patterns(patterns, -self.factor, (self.n_visible, self.n_hidden))
        fields = np.zeros(patterns.shape[1], self.dtype)
        if "visible_clamp" in self.parameters:
            biases = [own["hidden_clamp"] @ visible, own["visible_clamp"] @ hidden]
            fields = -self.factor * np.concatenate(biases)
        if self.bias_names:
            fields = -np.concatenate([own[name] for name in self.bias_names])
        return IsingModel(fields, couplings)

    def config(self) -> dict[str, Any]:  # noqa: D102
        return {
            "n_visible": self.n_visible,
            "n_hidden": self.n_hidden,
            **self._pattern_config(),
            "biases": "free" if self.bias_names else bool(self.clamp_names),
        }
