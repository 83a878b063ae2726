"""A twin of a spatial photonic Ising machine: energies of pattern couplings, measured as intensities."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar, final

import numpy as np

from rapid_ising import Capabilities, LocalBackend, Patterns, Request
from rapid_ising.errors import CapabilityError
from rapid_ising.kernels.compile import compiled
from rapid_ising.typing import Reals, States
from rapid_ising.validation import finite, positive_integer


@final
@dataclasses.dataclass(frozen=True)
class TwinPhotonic(LocalBackend):
    r"""A twin of a spatial photonic machine: Metropolis sampling on energies that light adds up.

    .. math:: E(s) = \frac{c}{2} \Bigl[\sum_k I_k - \sum_{ki} \xi_{ki}^2\Bigr], \quad
        I_k = \Bigl(\sum_i \xi_{ki} s_i\Bigr)^2

    for J_ij = c sum_k xi_ki xi_kj, in dimod's sign. Spins are phases of a light modulator and a pattern its
    amplitudes; a lens adds up the field, and a camera sees the intensity I_k, one a pattern. So the machine
    takes Patterns couplings as they are, without layers, and nothing else, and has no fields: its models are
    those of ``PatternBoltzmannMachine``. No N x N matrix is formed: K N memory, K work a flip.

    Each proposal flips 1 to ``flips`` spins and is taken with probability min(1, exp(-beta dE)), dE being the
    difference of two energies, both measured anew, each I_k with the relative error ``noise``. A sum of
    independent Gaussian errors is one Gaussian error, so that one number is drawn for all.

    Without noise this is Metropolis sampling: the law holds at the asked beta, and the capability says
    "settable". With noise it says "effective": wrong proposals are taken that the law would refuse, as if the
    temperature were higher, by an amount that depends on the intensities, so on the problem and on beta, and
    that only ``Calibrated`` can tell. The asked beta then sets the scale, but is not the beta of the reads:
    six spins coupled by three patterns, asked at beta = 1, are read at 0.79 with a noise of 0.2, at 0.58 with
    0.4 (pseudo-likelihood). The errors grow with the intensities, so with the number of spins.

    Parameters
    ----------
    noise
        The relative standard deviation of a measured intensity.
    sweeps
        The proposals of each read, in units of the number of spins, all at the asked beta.
    flips
        The most spins of a proposal.

    Raises
    ------
    CapabilityError
        If the patterns have layers: light couples every pair.

    Notes
    -----
    Pierangeli, Marcucci, Conti, Phys. Rev. Lett. 122, 213902 (2019); with several patterns, Yamashita et al.,
    Phys. Rev. Lett. 131, 063801 (2023). The default noise is a round number, not a figure of a machine.

    Examples
    --------
    >>> from rapid_ising import IsingModel
    >>> model = IsingModel(np.zeros(3), Patterns([[1.0, -1.0, 1.0]], scale=-1.0))
    >>> TwinPhotonic().sample(model, beta=9.0, seed=0).first.energy
    np.float64(-3.0)
    """

    name: ClassVar[str] = "twin-photonic"
    capabilities: Capabilities = dataclasses.field(init=False, repr=False, compare=False)

    noise: float = 0.01
    sweeps: int = 200
    flips: int = 1

    def __post_init__(self) -> None:
        finite("noise", self.noise, minimum=0)
        positive_integer("sweeps", self.sweeps)
        positive_integer("flips", self.flips)
        facts = Capabilities(
            structures=(Patterns,),
            fields=False,
            temperature="effective" if self.noise else "settable",
        )
        # The way to set a field of a frozen dataclass.
        object.__setattr__(self, "capabilities", facts)

    def _check(self, request: Request) -> None:
        if request.model.couplings.layers is not None:
            raise CapabilityError(
                f"{self.name} couples every pair of spins and the problem has the layers "
                f"{request.model.couplings.layers}: use PatternBoltzmannMachine, whose patterns have none, "
                "or another machine"
            )

    def _draw(self, request: Request) -> tuple[States, Mapping[str, Any]]:
        couplings, rng = request.model.couplings, request.rng
        # Others were refused by the capabilities.
        assert isinstance(couplings, Patterns)
        n, scale = couplings.num_variables, float(couplings.scale)
        by_spin = np.ascontiguousarray(couplings.patterns.T, dtype=np.float64)
        states = (2 * rng.integers(2, size=(request.num_reads, n)) - 1).astype(np.int8)
        accepted = 0
        # A call of the kernel is about a tenth of a second, so that the deadline is looked at in between.
        chunk = max(1, 10**7 // max(1, states.size * by_spin.shape[1]))
        for start in range(0, self.sweeps, chunk):
            proposals = n * min(chunk, self.sweeps - start)
            accepted += metropolis(
                states, by_spin, scale, request.beta, self.noise, self.flips, proposals, rng
            )
            request.deadline.check(self.name)
        facts = {
            "twin": {"beta": request.beta, "noise": self.noise},
            "patterns": by_spin.shape[1],
            "sweeps": self.sweeps,
            "flips": self.flips,
            "accepted": accepted / (self.sweeps * states.size),
        }
        return states, facts


def metropolis_twin(
    states: States,
    by_spin: Reals,
    scale: float,
    beta: float,
    noise: float,
    flips: int,
    proposals: int,
    rng: np.random.Generator,
) -> int:
    """Move each row of states in plain NumPy; the specification of the kernel below.

    ``by_spin`` holds the patterns, shape (N, K). Returns the number of accepted proposals.
    """
    accepted = 0
    for state in states:
        for _ in range(proposals):
            moved = state.copy()
            for _ in range(1 + int(rng.random() * flips)):
                i = int(rng.random() * len(state))
                moved[i] = -moved[i]
            before, after = (state @ by_spin) ** 2, (moved @ by_spin) ** 2
            cost = scale / 2 * (after.sum() - before.sum())
            if noise > 0:
                spread = math.sqrt((before**2).sum() + (after**2).sum())
                cost += scale / 2 * noise * spread * rng.standard_normal()
            u = rng.random()
            if cost <= 0 or u < math.exp(-beta * cost):
                state[:] = moved
                accepted += 1
    return accepted


@compiled()
def metropolis(
    states: States,
    by_spin: Reals,
    scale: float,
    beta: float,
    noise: float,
    flips: int,
    proposals: int,
    rng: np.random.Generator,
) -> int:  # pragma: no cover - compiled
    """Move each row of states in place; the K sums over the spins are kept up to date."""
    n, k = by_spin.shape
    accepted = 0
    sums, moved = np.empty(k), np.empty(k)
    chosen = np.empty(flips, np.int64)
    for read in range(len(states)):
        sums[:] = 0.0
        for i in range(n):
            for m in range(k):
                sums[m] += by_spin[i, m] * states[read, i]
        for _ in range(proposals):
            moved[:] = sums
            count = 1 + int(rng.random() * flips)
            for c in range(count):
                i = int(rng.random() * n)
                chosen[c] = i
                states[read, i] = -states[read, i]
                for m in range(k):
                    moved[m] += 2.0 * by_spin[i, m] * states[read, i]
            gain, spread = 0.0, 0.0
            for m in range(k):
                before, after = sums[m] * sums[m], moved[m] * moved[m]
                gain += after - before
                spread += before * before + after * after
            cost = scale / 2 * gain
            if noise > 0.0:
                cost += scale / 2 * noise * math.sqrt(spread) * rng.standard_normal()
            u = rng.random()
            if cost <= 0.0 or u < math.exp(-beta * cost):
                sums[:] = moved
                accepted += 1
            else:
                for c in range(count):
                    states[read, chosen[c]] = -states[read, chosen[c]]
    return accepted
