"""Where the model's averages come from, one file a method."""

from __future__ import annotations

from rapid_ising.training.negative_phase.backend_samples import BackendSamples as BackendSamples
from rapid_ising.training.negative_phase.base import NegativePhase as NegativePhase
from rapid_ising.training.negative_phase.contrastive_divergence import (
    ContrastiveDivergence as ContrastiveDivergence,
)
from rapid_ising.training.negative_phase.contrastive_divergence import (
    PersistentContrastiveDivergence as PersistentContrastiveDivergence,
)
from rapid_ising.training.negative_phase.exact import ExactExpectation as ExactExpectation
from rapid_ising.training.negative_phase.langevin import Langevin as Langevin
from rapid_ising.training.negative_phase.mixture import Mixture as Mixture
from rapid_ising.training.negative_phase.parallel_tempering import ParallelTempering as ParallelTempering
from rapid_ising.training.negative_phase.patterns import PatternCorrelations as PatternCorrelations
from rapid_ising.training.negative_phase.simulated_tempering import SimulatedTempering as SimulatedTempering
from rapid_ising.training.negative_phase.wang_landau import WangLandau as WangLandau
from rapid_ising.training.parts import as_part

NEGATIVE_PHASES: dict[str, type[NegativePhase]] = {
    PatternCorrelations.name: PatternCorrelations,
    ContrastiveDivergence.name: ContrastiveDivergence,
    PersistentContrastiveDivergence.name: PersistentContrastiveDivergence,
    ExactExpectation.name: ExactExpectation,
    ParallelTempering.name: ParallelTempering,
    SimulatedTempering.name: SimulatedTempering,
    WangLandau.name: WangLandau,
    Langevin.name: Langevin,
}
"""The methods that need no argument, by name."""


def as_negative_phase(phase: str | NegativePhase) -> NegativePhase:
    """Return a negative phase from its name."""
    return as_part("negative phase", phase, NegativePhase, NEGATIVE_PHASES)
