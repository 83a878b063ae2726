"""An RBM of spins 0 and 1 in PyTorch, written plainly: what somebody writes who knows PyTorch.

In its best way here: float32, plain tensors that record no gradient, biases added within the products
(``addmm``), parameters changed in place.
"""

from __future__ import annotations

from typing import Any

import torch


class PlainRBM:
    """Weights (V, H), biases, and persistent chains."""

    def __init__(self, visible: int, hidden: int, chains: int) -> None:
        torch.manual_seed(0)
        self.weights = 0.01 * torch.randn(visible, hidden)
        self.visible_biases = torch.zeros(visible)
        self.hidden_biases = torch.zeros(hidden)
        self.chains = torch.bernoulli(torch.full((chains, visible), 0.5))

    def hidden_means(self, visible: Any) -> Any:
        return torch.sigmoid(torch.addmm(self.hidden_biases, visible, self.weights))

    def visible_means(self, hidden: Any) -> Any:
        return torch.sigmoid(torch.addmm(self.visible_biases, hidden, self.weights.T))

    def sweeps(self, visible: Any, steps: int) -> Any:
        for _ in range(steps):
            hidden = torch.bernoulli(self.hidden_means(visible))
            visible = torch.bernoulli(self.visible_means(hidden))
        return visible

    def update(self, batch: Any, steps: int, persistent: bool, rate: float = 0.01) -> None:
        """Take a step of contrastive divergence, from the batch or from the persistent chains."""
        positive = self.hidden_means(batch)
        chains = self.sweeps(self.chains if persistent else batch, steps)
        if persistent:
            self.chains = chains
        negative = self.hidden_means(chains)
        self.weights.addmm_(batch.T, positive, alpha=rate / len(batch))
        self.weights.addmm_(chains.T, negative, alpha=-rate / len(chains))
        self.visible_biases += rate * (batch.mean(0) - chains.mean(0))
        self.hidden_biases += rate * (positive.mean(0) - negative.mean(0))

    def epoch(self, data: Any, size: int, steps: int, persistent: bool) -> None:
        for rows in torch.randperm(len(data)).split(size):
            self.update(data[rows], steps, persistent)
