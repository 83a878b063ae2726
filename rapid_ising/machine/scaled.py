"""One factor that brings fields and couplings into the ranges of a machine."""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar, final

import numpy as np

from rapid_ising.capabilities import Capabilities
from rapid_ising.couplings import Patterns
from rapid_ising.errors import CapabilityError, InvalidParameterError
from rapid_ising.ising import IsingModel
from rapid_ising.machine.stage import Decode, PlainStage
from rapid_ising.request import Request
from rapid_ising.typing import Floats, Range


@final
@dataclasses.dataclass(frozen=True)
class Scaled(PlainStage):
    r"""Multiply all fields and couplings by one factor c, the largest with c h and c J in the ranges.

    The law is kept, since exp(-beta E) = exp(-(beta / c) c E): a machine whose temperature can be set is
    asked at beta / c, and its ranges are used in full, so that its noise and its steps weigh least. Where the
    temperature is the machine's own, c is at most 1: a factor would change the law, and ``Calibrated``,
    around this stage, chooses it; with whole-number coefficients the ranges are used in full nevertheless.

    Parameters
    ----------
    backend
        The machine.
    field_range, coupling_range
        The ranges to use, each (lowest, highest) with 0 inside; None takes the machine's.

    Raises
    ------
    CapabilityError
        If fields and couplings are of such different sizes that, at the factor that fits both, every coupling
        would be less than half a step of the machine.

    Examples
    --------
    >>> machine = Scaled("exact", coupling_range=(-1, 1))
    >>> answer = machine.sample(IsingModel([0.0, 0.0], [[0, -4], [-4, 0]]), seed=0)
    >>> answer.info["rapid_ising"]["stages"][-1]
    {'stage': 'scaled', 'factor': 0.25, 'beta': 4.0}
    """

    stage: ClassVar[str] = "scaled"
    does: ClassVar[str] = "one factor into the machine's ranges"

    field_range: Range | None = None
    coupling_range: Range | None = None

    def _check_options(self, facts: Capabilities) -> None:
        for kind, given in (("field", self.field_range), ("coupling", self.coupling_range)):
            if given is not None and not (given[0] <= 0 <= given[1] and given[0] < given[1]):
                raise InvalidParameterError(
                    f"{kind}_range must go from at most 0 to at least 0, not {given!r}"
                )
            if given is None and facts.integer_coefficients:
                own = facts.field_range if kind == "field" else facts.coupling_range
                if own is None and (kind == "coupling" or facts.fields):
                    raise InvalidParameterError(
                        f"{self.name} takes whole numbers of any size: give the {kind}_range to use"
                    )

    def _offered(self, facts: Capabilities) -> Capabilities:
        return dataclasses.replace(facts, field_range=None, coupling_range=None, max_beta=None)

    def factor(self, model: IsingModel) -> float:
        """Return the factor c for a model."""
        facts = self.inner.capabilities
        fits = self._room(model)
        if math.isinf(fits):
            return 1.0
        fills = facts.temperature == "settable" or step_of(facts) > 0
        return fits if fills else min(1.0, fits)

    def _room(self, model: IsingModel) -> float:
        facts = self.inner.capabilities
        return min(
            room(model.fields, self.field_range or facts.field_range),
            room(model.couplings.values(), self.coupling_range or facts.coupling_range),
        )

    def _encode(self, request: Request) -> tuple[Request, Decode]:
        facts, factor = self.inner.capabilities, self.factor(request.model)
        # Not looked at where there are no steps: a pass over all couplings.
        values = request.model.couplings.values() if step_of(facts) else np.zeros(0)
        largest = max(-values.min(initial=0.0), values.max(initial=0.0)) * factor
        if 0 < largest < step_of(facts) / 2:
            raise CapabilityError(
                f"{self.name} takes multiples of {step_of(facts):g}, and at the factor {factor:.3g} that "
                f"brings the fields into its range the largest coupling is {largest:.3g}, which rounds to 0: "
                "use a machine with a wider range of fields, or a model with smaller ones"
            )
        model = request.model if factor == 1.0 else request.model.scaled(factor)
        while isinstance(model.couplings, Patterns) and self._room(model) < 1.0:
            # Couplings that are sums of patterns are rounded anew, perhaps over the edge of the range.
            factor *= 1 - 4 * float(np.finfo(model.dtype).eps)
            model = request.model.scaled(factor)
        settable = facts.temperature == "settable"
        beta = request.beta / factor if settable else request.beta
        record = {"stage": self.stage, "factor": factor, "beta": beta}
        return self._asked(request, model=model, beta=beta), lambda answer: answer.with_stage(record)


def step_of(facts: Capabilities) -> float:
    """Return the step of a machine's coefficients, 0 where they are real numbers."""
    return 1.0 if facts.integer_coefficients else facts.step or 0.0


def room(values: Floats, allowed: Range | None) -> float:
    """Return the largest factor that keeps all values within a range; infinite where nothing limits it.

    >>> room(np.array([0.5, -2.0]), (-1.0, 4.0))
    0.5
    """
    if allowed is None or not values.size:
        return math.inf
    low, high = values.min(), values.max()
    factor = min(allowed[0] / low if low < 0 else math.inf, allowed[1] / high if high > 0 else math.inf)
    if math.isinf(factor):
        return math.inf
    found = values.dtype.type(factor)
    while high * found > allowed[1] or low * found < allowed[0]:
        # A product was rounded up, over the edge of the range.
        found = np.nextafter(found, values.dtype.type(0))
    return float(found)
