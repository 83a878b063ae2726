"""A twin of a coherent Ising machine: optical parametric oscillators coupled by measurement and feedback."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from rapid_ising import Capabilities, LocalBackend, Request
from rapid_ising.kernels.compile import compiled
from rapid_ising.typing import Reals, States
from rapid_ising.validation import finite, positive_integer
from rapid_ising_backends.twins.schedule import rise_and_hold

CHUNK = 200
"""The round trips between two looks at the deadline."""


@final
@dataclasses.dataclass(frozen=True)
class TwinCim(LocalBackend):
    r"""A twin of a coherent Ising machine: N noisy oscillators under a rising pump, read by their signs.

    .. math:: dx_i = \Bigl[(p - 1 - x_i^2) x_i - \xi \sum_j J_{ij} x_j\Bigr] dt + \sigma dW_i,
        \quad s_i = \mathrm{sign}\, x_i

    with J in dimod's sign: a negative J feeds one oscillator into another with its own sign. The pump p rises
    evenly from 0 to ``pump``, past the threshold at 1, and is held there. As on the published machines there
    are no fields, couplings are -1, 0 and 1, and one run is one read.

    The stationary density of x is exp(-2 V / sigma^2). Were all amplitudes sqrt(p - 1), the signs would
    follow the Boltzmann law at beta = 2 xi (p - 1) / sigma^2 of the couplings as they are; the amplitudes are
    neither equal nor constant, so that the law is near, at another, effective temperature. The beta that was
    asked has no part in it. How near, on the frustrated ring "whole-numbers" of the conformance suite, at the
    beta of a pseudo-likelihood fit to 20 000 reads (total variation; chance alone leaves 0.012):

    ======== ========= ======== ===== ====================
    ``pump`` ``noise`` beta fit TV    TV, runs 4 x as long
    ======== ========= ======== ===== ====================
    1.0      0.12      0.93     0.19  0.19
    1.2      0.2       0.87     0.11  0.11
    1.5      0.3       0.86     0.06  0.06
    2.0      0.4       1.04     0.014 0.037
    2.5      0.5       0.91     0.017 0.015
    ======== ========= ======== ===== ====================

    At the threshold the amplitudes vary most and the law is furthest; at the last two pumps a run of the
    default length has not reached its stationary law.

    Parameters
    ----------
    size
        The most spins.
    pump
        The pump at the end, in units of the threshold of one oscillator.
    feedback
        The strength xi of the feedback.
    noise
        The strength sigma of the noise.
    round_trips
        The steps of a run.
    step
        The time of a round trip, in units of the decay of the amplitude.
    hold
        The share of the run at the full pump, at the end.
    largest_coupling
        The largest whole-number coupling; 1 on the published machines.

    Notes
    -----
    Inagaki et al., Science 354, 603 (2016); McMahon et al., Science 354, 614 (2016); Honjo et al., Sci. Adv.
    7, eabh0952 (2021). The effective temperature of a machine, found by maximum likelihood: Takesue et al.,
    arXiv:2301.12607.

    Examples
    --------
    >>> from rapid_ising import IsingModel
    >>> TwinCim(feedback=0.5).sample(IsingModel([0, 0], [[0, 1], [1, 0]]), seed=0).first.energy
    np.float64(-1.0)
    """

    name: ClassVar[str] = "twin-cim"
    capabilities: Capabilities = dataclasses.field(init=False, repr=False, compare=False)

    size: int = 2000
    pump: float = 2.0
    feedback: float = 0.1
    noise: float = 0.4
    round_trips: int = 2000
    step: float = 0.05
    hold: float = 0.5
    largest_coupling: int = 1

    def __post_init__(self) -> None:
        positive_integer("size", self.size)
        finite("pump", self.pump, minimum=0)
        finite("feedback", self.feedback, minimum=0)
        finite("noise", self.noise, minimum=0, exclusive=True)
        positive_integer("round_trips", self.round_trips)
        # The cubic term of a large amplitude runs away at larger steps.
        finite("step", self.step, minimum=0, exclusive=True, maximum=0.2)
        finite("hold", self.hold, minimum=0, maximum=1)
        largest = positive_integer("largest_coupling", self.largest_coupling)
        facts = Capabilities(
            max_variables=self.size,
            coupling_range=(-largest, largest),
            integer_coefficients=True,
            fields=False,
            temperature="effective",
            max_reads=1,
        )
        # The way to set a field of a frozen dataclass.
        object.__setattr__(self, "capabilities", facts)

    def _draw(self, request: Request) -> tuple[States, Mapping[str, Any]]:
        n = request.model.num_variables
        rows, columns, values = request.model.couplings.to_coo()
        half = sparse.coo_array((values.astype(np.float64), (rows, columns)), shape=(n, n))
        edges = sparse.csr_array(half + half.T)
        pump = rise_and_hold(self.pump, self.round_trips, self.hold)
        amplitudes = np.zeros((request.num_reads, n))
        for start in range(0, len(pump), CHUNK):
            oscillate(
                amplitudes,
                edges.indptr,
                edges.indices,
                edges.data,
                pump[start : start + CHUNK],
                self.feedback,
                self.noise,
                self.step,
                request.rng,
            )
            request.deadline.check(self.name)
        hidden = {"pump": self.pump, "feedback": self.feedback, "noise": self.noise}
        facts = {
            "twin": hidden,
            "round_trips": self.round_trips,
            "step": self.step,
            "amplitude": float(np.abs(amplitudes).mean()),
        }
        return np.where(amplitudes < 0, -1, 1).astype(np.int8), facts


def oscillate_twin(
    amplitudes: Reals,
    couplings: Reals,
    pump: Reals,
    feedback: float,
    noise: float,
    step: float,
    rng: np.random.Generator,
) -> None:
    """Advance each row of amplitudes in plain NumPy; the specification of the kernel below."""
    for x in amplitudes:
        for p in pump:
            drift = (p - 1 - x * x) * x - feedback * (couplings @ x)
            x += step * drift + noise * math.sqrt(step) * rng.standard_normal(len(x))


@compiled()
def oscillate(
    amplitudes: Reals,
    starts: npt.NDArray[Any],
    neighbours: npt.NDArray[Any],
    values: Reals,
    pump: Reals,
    feedback: float,
    noise: float,
    step: float,
    rng: np.random.Generator,
) -> None:  # pragma: no cover - compiled
    """Advance each row of amplitudes in place, with couplings in compressed rows."""
    runs, n = amplitudes.shape
    kick = noise * math.sqrt(step)
    fed = np.empty(n)
    for run in range(runs):
        for p in pump:
            for i in range(n):
                total = 0.0
                for k in range(starts[i], starts[i + 1]):
                    total += values[k] * amplitudes[run, neighbours[k]]
                fed[i] = total
            for i in range(n):
                x = amplitudes[run, i]
                drift = (p - 1.0 - x * x) * x - feedback * fed[i]
                amplitudes[run, i] = x + step * drift + kick * rng.standard_normal()
