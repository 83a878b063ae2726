"""The RAPID update of arXiv:1910.01592 in plain NumPy: the peer of the library's own, which never forms W.

W = xi_h^T xi_v / sqrt K (H, V) is formed once an update, and each phase is two products with it: the fields
of the hidden spins, and their correlations with the visible ones,

    G = <tanh(W v) v^T> over the batch - <tanh(W s) s^T> over the patterns' signs s = sign xi_v,

from which the patterns learn by the chain rule: d xi_v = xi_h G / sqrt K, d xi_h = xi_v G^T / sqrt K. In its
best way: float32 throughout, fields turned into tanh in place, and nothing larger than W or a batch's fields.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


class DenseRapid:
    """Patterns of both layers, shapes (K, V) and (K, H), which training changes in place."""

    def __init__(self, visible_patterns: Floats, hidden_patterns: Floats) -> None:
        self.visible, self.hidden = visible_patterns.copy(), hidden_patterns.copy()

    def epoch(self, data: Floats, order: npt.NDArray[np.intp], size: int, rate: float, signs: bool) -> None:
        """Go through the data, shape (n, V), in batches; with ``signs`` patterns become their signs then.

        A short last batch is divided by the nominal size, as in the authors' program.
        """
        for start in range(0, len(data), size):
            self.update(data[order[start : start + size]], min(size, len(data)), rate)
        if signs:
            np.copysign(1, self.visible, out=self.visible)
            np.copysign(1, self.hidden, out=self.hidden)

    def update(self, batch: Floats, divisor: int, rate: float) -> None:
        factor = np.float32(1 / math.sqrt(len(self.visible)))
        weights = self.hidden.T @ self.visible
        weights *= factor
        states: Floats = np.copysign(np.float32(1), self.visible)
        gradient = self.correlations(weights, batch, divisor)
        gradient -= self.correlations(weights, states, len(states))
        visible, hidden = self.hidden @ gradient, self.visible @ gradient.T
        self.visible += np.float32(rate * factor) * visible
        self.hidden += np.float32(rate * factor) * hidden

    @staticmethod
    def correlations(weights: Floats, states: Floats, divisor: int) -> Floats:
        """Return sum_n <h>_n v_n^T / divisor, shape (H, V)."""
        means: Floats = states @ weights.T
        np.tanh(means, out=means)
        found = means.T @ states
        found /= np.float32(divisor)
        return found
