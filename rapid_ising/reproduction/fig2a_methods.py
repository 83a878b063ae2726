"""The methods of Fig. 2a and their settings."""

from __future__ import annotations

import dataclasses

from rapid_ising.training.negative_phase import (
    ContrastiveDivergence,
    NegativePhase,
    PersistentContrastiveDivergence,
)

PATTERNS = 30
PAPER_SETTINGS = {"recipe": "paper", "learning_rate": 0.005, "batch_size": 100}
"""No Gibbs steps, and patterns that become their signs after each epoch; the rate and the batches are those
that suit 12 x 12 pixels, as the paper names none."""
RAPID, LARGE, PAPER = "RAPID", "RAPID, more hidden", "RAPID, paper's recipe"


@dataclasses.dataclass(frozen=True)
class Baseline:
    """The settings of a method with free weights."""

    phase: NegativePhase
    hidden: int
    learning_rate: float
    decay: float = 1.0
    """The factor on the rate after each epoch."""
    batch_size: int = 100
    centred: bool = False


BASELINES = {
    "CD-1": Baseline(ContrastiveDivergence(k=1), 300, 0.04, decay=0.96),
    "CD-10": Baseline(ContrastiveDivergence(k=10), 300, 0.01, centred=True),
    "PCD-10": Baseline(PersistentContrastiveDivergence(k=10, chains=100), 300, 0.005),
}
"""The best settings of a small scan for each method, on this task and at this time."""
