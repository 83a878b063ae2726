"""Importance weights that bring reads to the inverse temperature that was asked."""

from __future__ import annotations

import dataclasses
import math
import warnings
from typing import ClassVar, final

import numpy as np

from rapid_ising.capabilities import Capabilities
from rapid_ising.errors import CapabilityError
from rapid_ising.machine.calibration import verdict
from rapid_ising.machine.stage import Decode, PlainStage
from rapid_ising.machine.temperature import EffectiveBeta, effective_beta
from rapid_ising.notices import WeightsWarning
from rapid_ising.request import Answer, Request
from rapid_ising.typing import Reals
from rapid_ising.validation import finite


@final
@dataclasses.dataclass(frozen=True)
class Reweighted(PlainStage):
    r"""Give each read the weight by which the asked law and the law that it was drawn from differ.

    .. math:: w_n \propto e^{-(\beta - \hat\beta) E(s_n)}, \qquad
        n_{\mathrm{eff}} = \frac{(\sum_n w_n)^2}{\sum_n w_n^2},

    with the effective beta of the reads: what ``Calibrated`` just inside recorded, else measured here. The
    weights, of mean 1, are the field ``weight`` of the SampleSet, and training uses them. The rows themselves
    stay as they were drawn.

    It serves reads that are somewhat too hot. Cold reads have not seen what a hotter law needs, and where few
    effective reads are left the average is one of few states, whatever the error bar says.

    Parameters
    ----------
    backend
        The machine.
    warn_below
        The effective reads below which a warning is given.

    Raises
    ------
    CapabilityError
        If the machine returns each state once, which leaves no frequencies to correct.

    Warns
    -----
    WeightsWarning
        If few effective reads are left, or no weights can be given.

    Examples
    --------
    >>> from rapid_ising import IsingModel
    >>> answer = Reweighted("exact").sample(IsingModel([0.5], [[0.0]]), num_reads=1000, seed=0)
    >>> round(float(answer.record.weight.mean()), 6)
    1.0
    """

    stage: ClassVar[str] = "reweighted"
    does: ClassVar[str] = "weights to the asked beta"
    rehearsed: ClassVar[bool] = False

    warn_below: float = 100.0

    def _check_options(self, facts: Capabilities) -> None:
        finite("warn_below", self.warn_below, minimum=0)
        if facts.returns != "multiset":
            raise CapabilityError(
                f"{self.name} returns each state once: weights correct frequencies, and it gives none"
            )

    def _encode(self, request: Request) -> tuple[Request, Decode]:
        return self._asked(request), lambda answer: self._weighted(request, answer)

    def _weighted(self, request: Request, answer: Answer) -> Answer:
        found = measured_beta(request, answer)
        estimate = None if math.isnan(found.beta) else found.beta
        record = {"stage": self.stage, "asked": request.beta, "estimate": estimate}
        if not (math.isfinite(found.beta) and math.isfinite(request.beta)):
            reason = found.reason or "ground states were asked"
            if math.isfinite(request.beta) and not verdict(request.beta, found, 0.0):
                warnings.warn(
                    f"{self.name}: {reason}, so that its reads have no weights at beta = {request.beta:g}: "
                    "calibrate the machine first",
                    WeightsWarning,
                    stacklevel=2,
                )
            return answer.with_stage({**record, "effective_reads": None, "reason": reason})
        energies = request.model.energies(answer.states)
        weights = importance_weights(energies, request.beta - found.beta, answer.weights)
        effective = float(weights.sum() ** 2 / (weights**2).sum())
        if effective < self.warn_below:
            warnings.warn(
                f"the {len(weights)} reads of {self.name}, weighted from beta = {found.beta:.4g} to "
                f"{request.beta:g}, count as {effective:.3g}, below {self.warn_below:g}: take more reads, "
                "or calibrate the machine first",
                WeightsWarning,
                stacklevel=2,
            )
        stages = [*answer.stages, {**record, "effective_reads": effective}]
        return Answer(answer.states, stages, weights)


def measured_beta(request: Request, answer: Answer) -> EffectiveBeta:
    """Return the beta of the reads: from the calibration that made them, else measured."""
    last = answer.stages[-1] if answer.stages else {}
    if last.get("stage") == "calibrated" and math.isfinite(last.get("estimate") or math.nan):
        return EffectiveBeta(last["estimate"], last["error"], last["estimate"])
    return effective_beta(request.model, answer.states, answer.weights)


def importance_weights(energies: Reals, step: float, weights: Reals | None = None) -> Reals:
    """Return weights of mean 1 in proportion to exp(-step E), times given ones.

    >>> importance_weights(np.array([0.0, np.log(3)]), 1.0)
    array([1.5, 0.5])
    """
    exponents = -step * energies
    found = np.exp(exponents - exponents.max(initial=-math.inf))
    if weights is not None:
        found *= weights
    result: Reals = found * (len(found) / found.sum())
    return result
