"""OpenJij's annealers: simulated annealing that ends at the asked beta, and simulated quantum annealing."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, final

import numpy as np
from openjij import cxxjij
from openjij.sampler.sqa_sampler import quartic_ising_schedule
from scipy import sparse

from rapid_ising import Capabilities, IsingModel, LocalBackend, Request
from rapid_ising.errors import InvalidParameterError
from rapid_ising.typing import Floats, States
from rapid_ising.validation import finite, positive_integer
from rapid_ising_backends.cooling import ground_state_schedule, held_schedule


@final
@dataclasses.dataclass(frozen=True)
class OpenJij(LocalBackend):
    r"""OpenJij's compiled annealers, asked read by read.

    "sa": Metropolis sweeps in a fixed order, with OpenJij's beta that of exp(-beta E): cooled from 0 to the
    asked beta and held there, as ``simulated-annealing`` is, so that reads have its Boltzmann law. Left to
    itself OpenJij chooses its own, far colder end. Reads cannot start from given states: a flip that costs
    nothing is always made, so that at a low beta a read would remember its start.

    "sqa": Trotter slices whose transverse field gamma (1 - s) falls to 0 as s rises, at a fixed beta. The
    slices are locked to each other before the end, and what is left follows the problem and the settings; it
    need not be a Boltzmann law of any beta. It is an optimiser here, and each read is its best slice.

    Each read has a seed of its own. In one call with a seed OpenJij gives every read the same one, and so the
    same state.

    Parameters
    ----------
    sampler
        "sa" or "sqa".
    num_sweeps
        The sweeps of each read.
    hold
        sa: the share of the sweeps at the asked beta, at the end.
    trotter
        sqa: the number of slices, at least 2.
    gamma
        sqa: the transverse field at the start.
    path_beta
        sqa: the beta of the paths, in units of 1 over the energy.

    Notes
    -----
    OpenJij, https://www.openjij.org. Kadowaki and Nishimori, Phys. Rev. E 58, 5355 (1998); Morita and
    Nishimori, J. Math. Phys. 49, 125210 (2008) for the schedule of s.

    Examples
    --------
    >>> OpenJij().sample(IsingModel([9.0], [[0.0]]), seed=0).first.sample
    {0: np.int8(-1)}
    """

    name: ClassVar[str] = "openjij"

    sampler: Literal["sa", "sqa"] = "sa"
    num_sweeps: int = 500
    hold: float = 0.2
    trotter: int = 4
    gamma: float = 1.0
    path_beta: float = 5.0
    capabilities: Capabilities = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.sampler not in ("sa", "sqa"):
            raise InvalidParameterError(f"sampler must be 'sa' or 'sqa', not {self.sampler!r}")
        positive_integer("num_sweeps", self.num_sweeps)
        finite("hold", self.hold, minimum=0, maximum=1)
        positive_integer("trotter", self.trotter, minimum=2)
        finite("gamma", self.gamma, minimum=0, exclusive=True)
        finite("path_beta", self.path_beta, minimum=0, exclusive=True)
        temperature: Literal["settable", "none"] = "settable" if self.sampler == "sa" else "none"
        object.__setattr__(self, "capabilities", Capabilities(temperature=temperature))

    def _draw(self, request: Request) -> tuple[States, Mapping[str, Any]]:
        graph = interactions(request.model)
        read, facts = self._sa(request, graph) if self.sampler == "sa" else self._sqa(request, graph)
        states = np.empty((request.num_reads, request.model.num_variables), np.int8)
        for row in states:
            request.deadline.check(self.name)
            row[:] = read()
        return states, {"sampler": self.sampler, "num_sweeps": self.num_sweeps, **facts}

    def _sa(self, request: Request, graph: Any) -> tuple[Callable[[], Floats], dict[str, Any]]:
        if math.isfinite(request.beta):
            betas = held_schedule(request.beta, self.num_sweeps, self.hold)
        else:
            betas = ground_state_schedule(request.model, self.num_sweeps, refresh=False)
        rising, sweeps = np.unique(betas, return_counts=True)
        schedule = list(zip(rising.tolist(), sweeps.tolist(), strict=True))
        rng, n = request.rng, request.model.num_variables
        system = cxxjij.system.make_classical_ising([1] * n, graph)

        def read() -> Floats:
            system.reset_spins(_start(rng, n))
            cxxjij.algorithm.Algorithm_SingleSpinFlip_run(system, int(rng.integers(2**31)), schedule)
            spins: Floats = np.asarray(system.spin)[:n]
            return spins

        return read, {"beta_range": [float(betas[0]), float(betas[-1])]}

    def _sqa(self, request: Request, graph: Any) -> tuple[Callable[[], Floats], dict[str, Any]]:
        rng, n, model = request.rng, request.model.num_variables, request.model
        schedule, _ = quartic_ising_schedule(None, self.path_beta, self.gamma, self.num_sweeps)
        slices = [[1] * n] * self.trotter
        system = cxxjij.system.make_transverse_ising(slices, graph, self.gamma)

        def read() -> Floats:
            system.reset_spins([_start(rng, n) for _ in range(self.trotter)])
            cxxjij.algorithm.Algorithm_SingleSpinFlip_run(system, int(rng.integers(2**31)), schedule)
            found: Floats = np.asarray(system.trotter_spins)[:n].T
            best: Floats = found[np.argmin(model.energies(found))]
            return best

        return read, {"trotter": self.trotter, "gamma": self.gamma, "path_beta": self.path_beta}


def _start(rng: np.random.Generator, spins: int) -> list[int]:
    """Return random spins without the one that stands for the fields.

    OpenJij adds that one itself. Given one spin more, its slices would flip it, and with it the fields.
    """
    start: list[int] = (2 * rng.integers(2, size=spins) - 1).tolist()
    return start


def interactions(model: IsingModel) -> Any:
    """Return OpenJij's graph of a model: couplings above the diagonal, fields to one spin more, always +1."""
    n = model.num_variables
    rows, columns, values = model.couplings.to_coo()
    own = np.arange(n)
    matrix = sparse.csr_matrix(
        (
            np.concatenate([values, model.fields, [1.0]]).astype(np.float64),
            (np.concatenate([rows, own, [n]]), np.concatenate([columns, own * 0 + n, [n]])),
        ),
        shape=(n + 1, n + 1),
    )
    return cxxjij.graph.CSRSparse(matrix)
