"""Fields and couplings as whole multiples of a step, and what the rounding costs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any, ClassVar, Literal, final

import numpy as np

from rapid_ising.capabilities import Capabilities
from rapid_ising.errors import CapabilityError, InvalidParameterError
from rapid_ising.ising import IsingModel
from rapid_ising.machine.stage import Decode, PlainStage
from rapid_ising.request import Request
from rapid_ising.typing import Floats, Range
from rapid_ising.validation import finite, positive_integer


@final
@dataclasses.dataclass(frozen=True)
class Quantized(PlainStage):
    r"""Round fields and couplings to whole multiples of a step; the offset stays.

    .. math:: \tilde x = \operatorname{sign}(x) \, \lceil |x| / \Delta - 1/2 \rceil \, \Delta

    to the nearest multiple of the step Delta, and between two towards 0; or at random to the one below or
    above, such that the mean is x. A value whose multiple lies outside the machine's range gets the last one
    inside.

    Parameters
    ----------
    backend
        The machine.
    step
        The step: 1 where ``Scaled``, around this stage, fills a range of whole numbers.
    rounding
        "nearest" or "stochastic".
    strict
        The largest relative error that is accepted: the RMS error of the coefficients that are not 0, over
        their RMS. None accepts any.

    Raises
    ------
    CapabilityError
        If the relative error is above ``strict``, or a coefficient is too large to be told in such steps.

    Examples
    --------
    >>> answer = Quantized("exact").sample(IsingModel([1.5, -0.5], [[0, 3.2], [3.2, 0]]), seed=0)
    >>> record = answer.info["rapid_ising"]["stages"][-1]
    >>> record["largest_error"], round(record["relative_error"], 3), record["zeroed"]
    (0.5, 0.206, 0.0)
    """

    stage: ClassVar[str] = "quantized"
    does: ClassVar[str] = "rounds to whole steps"

    step: float = 1.0
    rounding: Literal["nearest", "stochastic"] = "nearest"
    strict: float | None = None

    def _check_options(self, facts: Capabilities) -> None:
        finite("step", self.step, minimum=0, exclusive=True)
        if self.rounding not in ("nearest", "stochastic"):
            raise InvalidParameterError(f"rounding must be 'nearest' or 'stochastic', not {self.rounding!r}")
        if self.strict is not None:
            finite("strict", self.strict, minimum=0)
        if facts.integer_coefficients and self.step != round(self.step):
            raise InvalidParameterError(
                f"{self.name} takes whole numbers: step must be one, not {self.step!r}"
            )

    def _offered(self, facts: Capabilities) -> Capabilities:
        return dataclasses.replace(facts, integer_coefficients=False, step=self.step)

    def _encode(self, request: Request) -> tuple[Request, Decode]:
        facts = self.inner.capabilities
        rng = request.rng if self.rounding == "stochastic" else None
        model, tally = rounded(request.model, self.step, rng, facts.field_range, facts.coupling_range)
        error = tally.relative_error
        if self.strict is not None and error > self.strict:
            raise CapabilityError(
                f"steps of {self.step:g} change the coefficients by {error:.3g} of their size (RMS), more "
                f"than strict={self.strict:g}: use a smaller step or a wider range, or accept the error"
            )
        record = {"stage": self.stage, "step": float(self.step), "rounding": self.rounding, **tally.record()}
        return self._asked(request, model=model), lambda answer: answer.with_stage(record)


@final
@dataclasses.dataclass
class Tally:
    """What a rounding did to the coefficients that are not 0."""

    coefficients: int = 0
    couplings: int = 0
    zeroed: int = 0
    """The couplings that became 0."""
    held: int = 0
    """The coefficients that the range of the machine kept from their multiple."""
    squares: float = 0.0
    error_squares: float = 0.0
    largest_error: float = 0.0

    @property
    def rms_error(self) -> float:
        """The root of the mean squared error."""
        return math.sqrt(self.error_squares / max(1, self.coefficients))

    @property
    def relative_error(self) -> float:
        """The RMS error over the RMS coefficient; 0 where there are no coefficients."""
        return math.sqrt(self.error_squares / self.squares) if self.squares else 0.0

    def record(self) -> dict[str, Any]:
        """Return the figures for the record."""
        return {
            "rms_error": self.rms_error,
            "largest_error": self.largest_error,
            "relative_error": self.relative_error,
            "zeroed": self.zeroed / max(1, self.couplings),
            "held": self.held,
        }


def rounded(
    model: IsingModel,
    step: float,
    rng: np.random.Generator | None = None,
    field_range: Range | None = None,
    coupling_range: Range | None = None,
) -> tuple[IsingModel, Tally]:
    """Return a model with coefficients in whole steps, rounded at random if there is an ``rng``."""
    tally = Tally()

    def apply(values: Floats, allowed: Range | None) -> tuple[Floats, int]:
        """Return the values in whole steps, and how many of them were not 0."""
        old = values.astype(np.float64, copy=False)
        new = whole_steps(old, step, rng)
        if allowed is not None:
            low, high = ends(step, allowed, values.dtype)
            if new.min(initial=0) < low or new.max(initial=0) > high:
                tally.held += int(np.count_nonzero((new < low) | (new > high)))
                np.clip(new, low, high, out=new)
        new = new.astype(values.dtype, copy=False)
        error = new - old
        count = int(np.count_nonzero(old))
        tally.coefficients += count
        tally.squares += float(np.vdot(old, old))
        tally.error_squares += float(np.vdot(error, error))
        if not math.isfinite(tally.squares + tally.error_squares):
            raise CapabilityError(f"the problem is too large for steps of {step:g}: scale the problem")
        np.abs(error, out=error)
        tally.largest_error = max(tally.largest_error, float(error.max(initial=0)))
        return new, count

    def coupling(values: Floats) -> Floats:
        new, count = apply(values, coupling_range)
        tally.couplings += count
        tally.zeroed += count - int(np.count_nonzero(new))
        return new

    # What overflows shows in the sums.
    with np.errstate(over="ignore", invalid="ignore"):
        fields, _ = apply(model.fields, field_range)
        couplings = model.couplings.mapped(coupling)
    return IsingModel(fields, couplings, model.offset), tally


def whole_steps(values: Floats, step: float, rng: np.random.Generator | None = None) -> Floats:
    """Return the nearest multiples of the step, ties towards 0; with an ``rng``, one of the two neighbours.

    >>> whole_steps(np.array([0.5, -0.6, 1.5, -2.5]), 1.0)
    array([ 0., -1.,  1., -2.])
    """
    if rng is not None:
        multiples = np.divide(values, step)
        below = np.floor(multiples)
        multiples -= below
        below += rng.random(values.shape) < multiples
        below *= step
        return below
    found: Floats = np.abs(values)
    if step != 1:
        found /= step
    found -= 0.5
    np.ceil(found, out=found)
    if step != 1:
        found *= step
    np.copysign(found, values, out=found)
    # No -0.
    found += 0.0
    return found


def ends(step: float, allowed: Range, dtype: np.dtype[Any]) -> Range:
    """Return the lowest and the highest multiple of the step inside a range, as numbers of the type.

    >>> ends(0.4, (-1.0, 0.8), np.dtype(float))
    (-0.8, 0.8)
    """
    # One float further, for a bound that is a multiple but for the rounding of the quotient.
    low = max(allowed[0], step * math.ceil(math.nextafter(allowed[0] / step, -math.inf)))
    high = min(allowed[1], step * math.floor(math.nextafter(allowed[1] / step, math.inf)))
    found = np.array([low, high], dtype)
    if float(found[0]) < low or float(found[1]) > high:
        found = np.nextafter(found, dtype.type(0))
    return float(found[0]), float(found[1])


@final
@dataclasses.dataclass(frozen=True)
class QuantisationError:
    """The error of a model's coefficients in so many steps: the predicted one beside the measured one."""

    steps: int
    step: float
    predicted: float
    """step / sqrt(12), the RMS of a uniform error."""
    measured: float
    relative_predicted: float
    relative_measured: float
    """The two over the RMS coefficient."""
    zeroed: float
    """The share of the couplings that become 0."""


def quantisation_error(model: IsingModel, steps: Iterable[int]) -> list[QuantisationError]:
    r"""Return the RMS error of rounding a model's coefficients, for each number of steps.

    .. math:: \Delta = \max |x| / L, \quad \text{error} = \Delta / \sqrt{12}

    where the coefficients x are the fields and couplings that are not 0, and the errors are taken as uniform
    between -Delta/2 and Delta/2, which holds for many steps.

    Parameters
    ----------
    model
        The Ising model.
    steps
        Numbers L of steps from 0 to the largest coefficient: 2^n - 1 for n bits beside the sign.

    Examples
    --------
    >>> model = IsingModel(np.linspace(-1, 1, 1000), np.zeros((1000, 1000)))
    >>> [(e.steps, round(e.predicted, 4), round(e.measured, 4)) for e in quantisation_error(model, [1, 7])]
    [(1, 0.2887, 0.2885), (7, 0.0412, 0.0412)]
    """
    kinds = (model.fields, model.couplings.values())
    largest = max(float(max(-values.min(initial=0), values.max(initial=0))) for values in kinds)
    if not largest:
        raise InvalidParameterError("a model without fields and couplings has no steps")
    found = []
    for count in steps:
        step = largest / positive_integer("steps", count)
        tally = rounded(model, step)[1]
        size = math.sqrt(tally.squares / tally.coefficients)
        uniform = step / math.sqrt(12)
        found.append(
            QuantisationError(
                int(count),
                step,
                uniform,
                tally.rms_error,
                uniform / size,
                tally.relative_error,
                tally.zeroed / max(1, tally.couplings),
            )
        )
    return found
