"""The methods of Fig. 2b and their settings."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from rapid_ising.models import RBM, Model, PatternRBM, start_from_data
from rapid_ising.training.negative_phase import PatternCorrelations, PersistentContrastiveDivergence
from rapid_ising.training.optimizers import SGD
from rapid_ising.training.schedules import Linear
from rapid_ising.typing import States

RAPID, EQUAL, LONG = "RAPID", "PCD-5, equal time", "PCD-5, longer"
PLAIN, LARGE = "RAPID, clamped spins", "RAPID, paper's size"
METHODS = (RAPID, EQUAL, LONG, PLAIN, LARGE)
REFERENCES = 6000
"""The training images, at most, that samples are compared with."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What both methods share, and the rates of each, falling linearly to 0 over all epochs."""

    rapid: float
    large: float
    """The rate of RAPID with the paper's size."""
    pcd: float
    gain: float = 0.5
    """Of the start at the data."""
    gibbs_steps: int = 5
    chains: int = 100
    restart: float = 0.01
    """The share of RAPID's chains that start anew at patterns at each update."""
    batch_size: int = 100


SETTINGS = {"mnist": Settings(0.06, 0.1, 0.015), "digits": Settings(0.2, 0.2, 0.05)}
"""The best settings of small scans for each method, by the data."""


def rapid(
    data: States, hidden: int, patterns: int, rate: float, epochs: int, settings: Settings, seed: int
) -> tuple[Model, dict[str, Any]]:
    """Return a pattern model at the data, and how it is trained."""
    model = PatternRBM(data.shape[1], hidden, patterns, biases="free", seed=seed)
    start_from_data(model, data, gain=settings.gain, seed=seed)
    phase = PatternCorrelations(
        gibbs_steps=settings.gibbs_steps, num_chains=settings.chains, restart=settings.restart
    )
    return model, {
        "negative_phase": phase,
        "optimizer": SGD(rate, schedule=Linear(epochs)),
        "constraint": "free",
        "centred": True,
        "temperature": 1.0,
        "batch_size": settings.batch_size,
        "epochs": epochs,
    }


def pcd(
    data: States, hidden: int, epochs: int, settings: Settings, seed: int
) -> tuple[Model, dict[str, Any]]:
    """Return an RBM at the data, and how it is trained."""
    model = RBM(data.shape[1], hidden, seed=seed)
    start_from_data(model, data, seed=seed)
    return model, {
        "negative_phase": PersistentContrastiveDivergence(k=settings.gibbs_steps, chains=settings.chains),
        "optimizer": SGD(settings.pcd, schedule=Linear(epochs)),
        "centred": True,
        "batch_size": settings.batch_size,
        "epochs": epochs,
    }


def whole_epochs(budget: float, epoch: float) -> int:
    """Return how many epochs of some seconds take at least a budget.

    >>> whole_epochs(10.0, 3.0), whole_epochs(1.0, 3.0)
    (4, 1)
    """
    return max(1, math.ceil(budget / epoch))
