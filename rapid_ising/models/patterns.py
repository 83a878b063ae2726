"""What every machine built from patterns has: its patterns, their common factor, and clamped spins."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rapid_ising.arrays import signs as signs_of
from rapid_ising.errors import InvalidParameterError
from rapid_ising.models.base import Model
from rapid_ising.typing import Floats
from rapid_ising.validation import MODEL, Seed, finite, generator, positive_integer


class PatternModel(Model):
    r"""A machine whose couplings are sums over K patterns, of each pair of spins that it couples.

    .. math:: J_{ij} = \frac{s}{\sqrt K} \sum_k \xi^k_i \xi^k_j

    Few patterns keep a machine out of the spin-glass phase. Biases are couplings to clamped spins, for which
    each pattern has entries too.
    """

    amplitude: float
    learn_scale: bool
    clamp_names: tuple[str, ...] = ()
    """The parameters that are entries of patterns for clamped spins, (K,) each."""

    def _set_patterns(
        self,
        n_patterns: int,
        sizes: Mapping[str, int],
        clamps: Sequence[str],
        *,
        seed: Seed,
        scale: float,
        amplitude: float,
        learn_scale: bool,
    ) -> None:
        """Make the parameters: patterns over ``sizes`` spins by name, scale, and clamped entries by name.

        All entries start as even signs times ``amplitude``: clamped spins that favour no pattern, and biases
        that start near zero.
        """
        self.n_patterns = positive_integer("n_patterns", n_patterns)
        self.amplitude = finite("amplitude", amplitude, minimum=0, exclusive=True)
        self.learn_scale = bool(learn_scale)
        rng = generator(seed, MODEL)

        def signs(*shape: int) -> Floats:
            drawn: Floats = (self.amplitude * (2 * rng.integers(2, size=shape) - 1)).astype(self.dtype)
            return drawn

        patterns = np.split(signs(self.n_patterns, sum(sizes.values())), np.cumsum([*sizes.values()])[:-1], 1)
        self.parameters = {name: part.copy() for name, part in zip(sizes, patterns, strict=True)}
        self.parameters["scale"] = np.array([finite("scale", scale)], self.dtype)
        if clamps:
            entries = signs(len(clamps), self.n_patterns)
            self.parameters |= {name: part.copy() for name, part in zip(clamps, entries, strict=True)}
        self.clamp_names = tuple(clamps)
        self.pattern_names = (*sizes, *clamps)

    @property
    def scale(self) -> float:
        """The factor s."""
        return float(self.parameters["scale"][0])

    @scale.setter
    def scale(self, value: float) -> None:
        self.parameters["scale"][0] = finite("scale", value)

    @property
    def factor(self) -> float:
        """The factor s / sqrt K of every coupling, rounded to the type of the parameters."""
        return float(self.dtype.type(self.scale / math.sqrt(self.n_patterns)))

    @property
    def linear_names(self) -> tuple[str, ...]:
        """The scale."""
        return ("scale",)

    def _signs(self, patterns: Floats, clamp: str) -> Floats:
        """Return patterns as states, with the signs that make the clamped spin +1."""
        signs = signs_of(patterns)
        if clamp in self.clamp_names:
            signs *= signs_of(self.parameters[clamp])[:, None]
        return signs

    def _scale_gradient(self, total: float) -> dict[str, Floats]:
        """Return the gradient in s, of which ``total`` is the sum over pairs of patterns and averages."""
        if not self.learn_scale:
            return {}
        return {"scale": self.place.put(np.array([total / math.sqrt(self.n_patterns)], self.dtype))}

    def _pattern_config(self) -> dict[str, Any]:
        """Return the arguments that all pattern machines take."""
        return {
            "n_patterns": self.n_patterns,
            "amplitude": self.amplitude,
            "learn_scale": self.learn_scale,
            "biases": bool(self.clamp_names),
            "dtype": self.dtype.name,
        }


def pattern_model(model: Model, method: str) -> PatternModel:
    """Return the model, or raise when it has no patterns that ``method`` needs."""
    if not isinstance(model, PatternModel):
        raise InvalidParameterError(
            f"{method} needs a model built from patterns and a {type(model).__name__} has none: "
            "use a PatternRBM, or the negative phase 'cd', 'pcd', 'exact' or a backend"
        )
    return model
