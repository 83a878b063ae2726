"""Simulated annealing of the library's own: block, sparse, pattern or dense sweeps, as the couplings are."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar, final

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh

from rapid_ising import Capabilities, IsingModel, Request, anneal
from rapid_ising.typing import Floats, Reals, States
from rapid_ising_backends.cooling import Cooled, random_states

PROBES = 128
"""Random states that the sizes of local fields are told from."""
COLD = 6.0
"""The inverse temperature, in units of 1 over a spin's local field, that a search ends at."""
SMALL = 32
"""Spins below which all eigenvalues are worked out."""
PRECISE = 2.0**20
"""The largest field, in units of the temperature, that float32 tells from its neighbours well enough."""


@final
@dataclasses.dataclass(frozen=True)
class Annealing(Cooled):
    r"""Simulated annealing, each read cooled by heat-bath sweeps to the asked beta and held there.

    The schedule rises linearly from 0 to beta in the first 1 - ``hold`` of the sweeps and stays at beta for
    the rest, as that of ``simulated-annealing`` does. Reads that start from given states spend every sweep at
    beta. At beta = infinity the schedule is that of ``search_schedule``, and spins flip by Metropolis' rule.

    A model of two layers, or one whose graph is bipartite, is swept layer by layer; a sparse one along its
    edges; patterns through the patterns, where they are few; anything else through the matrix of couplings.
    ``info`` says which ("sweeps") and in which floating type.

    Parameters
    ----------
    num_sweeps
        The sweeps of each read.
    hold
        The share of the sweeps at the asked beta, at the end.

    Notes
    -----
    Kirkpatrick, Gelatt, Vecchi, Science 220, 671 (1983). The work is done in float32, and in float64 where
    the largest field is more than a million times the last temperature.

    Examples
    --------
    >>> from rapid_ising import IsingModel
    >>> Annealing().sample(IsingModel([9.0], [[0.0]]), seed=0).first.sample
    {0: np.int8(-1)}
    """

    name: ClassVar[str] = "annealing"
    capabilities = Capabilities(initial_states=True)

    def _draw(self, request: Request) -> tuple[States, Mapping[str, Any]]:
        rng, model, start = request.rng, request.model, request.initial_states
        refresh = start is not None
        probes = random_states(rng, PROBES, model.num_variables)
        sizes = np.sqrt(np.square(model.local_fields(probes), dtype=np.float64).mean(axis=0))
        if math.isfinite(request.beta):
            betas = self.schedule(request.beta, refresh)
        else:
            betas = search_schedule(model, sizes, self.num_sweeps, refresh, rng)
        last = betas[np.isfinite(betas)].max(initial=0.0)
        precise = last * sizes.max(initial=0.0) < PRECISE
        model = model.astype(np.float32) if precise else model
        if start is None:
            start = random_states(rng, request.num_reads, model.num_variables)
        search = math.isinf(request.beta)
        states, way = anneal(model, start, betas, rng, request.deadline, metropolis=search)
        facts = {
            "num_sweeps": self.num_sweeps,
            "beta_range": [float(betas[0]), float(last)],
            "sweeps": way,
            "dtype": str(model.dtype),
        }
        return states, facts


def search_schedule(
    model: IsingModel, sizes: Reals, num_sweeps: int, refresh: bool, rng: np.random.Generator
) -> Reals:
    r"""Return inverse temperatures that reach low energies in little time.

    .. math:: \beta(x) = \left[(1 - x) \beta_0^p + x \beta_1^p\right]^{1/p}, \quad
              \beta_0 = 1 / \lambda, \quad \beta_1 = 6 / f_5, \quad p = 1 / (1 + \log(f_{95} / f_5))

    for x from 0 to 1: from where a mean field orders the model, with lambda the largest eigenvalue of -J, to
    where few spins flip; f_q is the size of the local field that q percent of the spins do not exceed. Sweeps
    in more heat cost the most, as most spins flip, and bring nothing. One scale of fields makes the schedule
    linear; many make it geometric, so that each gets as many sweeps. The last tenth, all of a refresh, is at
    beta = infinity, so that spins fall into their fields.

    Parameters
    ----------
    model
        The Ising model.
    sizes
        The size of each spin's local field in random states, shape (N,).
    num_sweeps
        The sweeps.
    refresh
        Whether the start is given.
    rng
        Where the iteration for lambda starts.
    """
    betas = np.full(num_sweeps, math.inf)
    frozen = num_sweeps if refresh else max(1, num_sweeps // 10)
    # Sizes below a millionth of the largest are residues of arithmetic.
    felt = sizes[sizes > 1e-6 * sizes.max(initial=0.0)]
    if frozen == num_sweeps or not felt.size:
        return betas
    small, large = np.quantile(felt, [0.05, 0.95])
    cold = COLD / small
    hot = min(1 / max(ordering_field(model, rng), 1e-6 * large), cold / 2)
    power = 1 / (1 + math.log(large / small))
    x = np.linspace(0.0, 1.0, num_sweeps - frozen)
    betas[:-frozen] = hot * ((1 - x) + x * (cold / hot) ** power) ** (1 / power)
    return betas


def ordering_field(model: IsingModel, rng: np.random.Generator) -> float:
    """Return the largest eigenvalue of -J, to a few percent: the size of the field in an ordered state."""
    n = model.num_variables
    if n < SMALL:
        return float(-np.linalg.eigvalsh(model.couplings.to_dense()).min(initial=0.0))

    def fields(state: Floats) -> Floats:
        return -model.couplings.dot(state.reshape(1, n).astype(model.dtype)).ravel()

    operator = LinearOperator((n, n), matvec=fields, dtype=model.dtype)
    found = eigsh(operator, 1, which="LA", tol=0.05, v0=rng.normal(size=n), return_eigenvectors=False)
    return float(found[0])
