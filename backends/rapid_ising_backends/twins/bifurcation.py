"""A digital twin of simulated bifurcation machines: oscillators whose signs fall into low energies."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, final

import numpy as np

from rapid_ising import Capabilities, IsingModel, LocalBackend, Request
from rapid_ising.errors import InvalidParameterError
from rapid_ising.typing import Floats, States
from rapid_ising.validation import finite, positive_integer


@final
@dataclasses.dataclass(frozen=True)
class TwinBifurcation(LocalBackend):
    r"""What a simulated bifurcation machine computes, here: positions x and momenta y of coupled oscillators.

    A step of symplectic Euler, for the energy E = sum_i h_i s_i + sum_{i<j} J_ij s_i s_j that is minimised:

    .. math:: y_i \leftarrow y_i - \left[ (1 - a) x_i + c \Bigl( h_i + \sum_j J_{ij} z_j \Bigr) \right] dt,
              \quad x_i \leftarrow x_i + y_i \, dt

    with a rising from 0 to 1. Ballistic: z = x; discrete: z = sign(x), whose forces are those of spins. Where
    \|x\| > 1, x stops at the wall, +-1, and y at 0. Heated: y grows by gamma y dt besides, with the y of
    before the step, so that momenta at walls do not stay 0 and oscillators leave them again. The spins are
    the signs of x at the end. Fields enter as a constant force, as from an oscillator that stays at +1. The
    coupling is

    .. math:: c = \frac{1}{2 \sqrt{N}} \sqrt{\frac{N (N + 1)}{\sum_{ij} J_{ij}^2 + 2 \sum_i h_i^2}}

    so that the scale of the energy has no effect. It obeys no temperature: beta has no effect.

    Parameters
    ----------
    variant
        "ballistic" or "discrete".
    heated
        Whether momenta are heated.
    steps
        The steps of a read.
    time_step
        dt.
    heating
        gamma, where heated.

    Notes
    -----
    Goto et al., Science Advances 7, eabe7953 (2021); heated, Kanao and Goto, Communications Physics 5, 153
    (2022).

    Examples
    --------
    >>> TwinBifurcation().sample(IsingModel([9.0], [[0.0]]), seed=0).first.sample
    {0: np.int8(-1)}
    """

    name: ClassVar[str] = "twin-bifurcation"
    capabilities = Capabilities(temperature="none")

    variant: Literal["ballistic", "discrete"] = "ballistic"
    heated: bool = False
    steps: int = 1000
    time_step: float = 0.5
    heating: float = 0.06

    def __post_init__(self) -> None:
        if self.variant not in ("ballistic", "discrete"):
            raise InvalidParameterError(f"variant must be 'ballistic' or 'discrete', not {self.variant!r}")
        if not isinstance(self.heated, bool):
            raise InvalidParameterError(f"heated must be True or False, not {self.heated!r}")
        positive_integer("steps", self.steps)
        finite("time_step", self.time_step, minimum=0, exclusive=True)
        finite("heating", self.heating, minimum=0)

    def _draw(self, request: Request) -> tuple[States, Mapping[str, Any]]:
        model, strength = request.model, coupling_strength(request.model)
        shape = (request.num_reads, model.num_variables)
        x = request.rng.uniform(-0.1, 0.1, shape).astype(model.dtype)
        y = request.rng.uniform(-0.1, 0.1, shape).astype(model.dtype)
        for step in range(self.steps):
            self._advance(model, x, y, step / self.steps, strength)
            request.deadline.check(self.name)
        return np.where(x < 0, -1, 1).astype(np.int8), {
            "twin": True,
            "variant": self.variant,
            "heated": self.heated,
            "steps": self.steps,
            "time_step": self.time_step,
            "heating": self.heating if self.heated else 0.0,
            "coupling_strength": strength,
        }

    def _advance(self, model: IsingModel, x: Floats, y: Floats, pump: float, strength: float) -> None:
        """Take a step of every read, in place."""
        dt = model.dtype.type(self.time_step)
        force = model.couplings.dot(x if self.variant == "ballistic" else np.copysign(1, x))
        force += model.fields.astype(model.dtype)
        force *= model.dtype.type(-strength)
        force -= model.dtype.type(1 - pump) * x
        heat = model.dtype.type(self.heating) * dt * y if self.heated else None
        y += dt * force
        x += dt * y
        beyond = np.abs(x) > 1
        np.clip(x, -1, 1, out=x)
        y[beyond] = 0
        if heat is not None:
            y += heat


def coupling_strength(model: IsingModel) -> float:
    """Return c, half of one over the spread of the couplings and sqrt(N); 1 where there are none."""
    n = model.num_variables
    pairs = float(np.square(model.couplings.to_coo()[2].astype(np.float64)).sum())
    squares = 2 * (pairs + float(np.square(model.fields.astype(np.float64)).sum()))
    return 0.5 / (math.sqrt(squares / (n * (n + 1))) * math.sqrt(n)) if squares else 1.0
