"""Chains that change their temperature: the moves of parallel and of simulated tempering.

Both take a step of all chains first, each at its temperature, given as ``step(chains, betas)``: a model's own
Gibbs step while it trains, a sweep over all spins for a machine. A ladder is a row of inverse temperatures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from rapid_ising.arrays import Place, copied, namespace, rows
from rapid_ising.typing import Indices, Reals

Chains = npt.NDArray[Any]
"""States of any width, one row a chain, of spins or of floats."""
Step = Callable[[Chains, Reals], tuple[Chains, Reals]]
"""Chains, and the inverse temperature of each, to chains after one step and the energies of these."""


def exchange_step(
    chains: Chains, betas: Reals, parity: int, step: Step, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    r"""Step each rung of a ladder, then let neighbours change places; chains change in place.

    .. math:: \min(1, \exp[(\beta_r - \beta_{r+1}) (E_r - E_{r+1})])

    is the probability, which leaves the law of each temperature as it is. Swendsen and Wang, Phys. Rev. Lett.
    57, 2607 (1986).

    Parameters
    ----------
    chains
        The n chains at each of R temperatures, shape (R, n, width).
    betas
        The ladder, shape (R,).
    parity
        0 proposes the pairs (0, 1), (2, 3), ..., 1 the pairs (1, 2), (3, 4), ...; take them in turn.
    step
        One step of chains, each at its temperature.
    rng
        Where the random numbers come from.

    Returns
    -------
    numpy.ndarray
        Whether each proposed exchange took place, shape (pairs, n).

    Examples
    --------
    >>> chains = np.array([[[-1.0]], [[1.0]]])
    >>> energy = lambda s, beta: (s, s[:, 0])
    >>> exchange_step(chains, np.array([0.0, 9.0]), 0, energy, np.random.default_rng(0))
    array([[ True]])
    >>> chains.ravel()
    array([ 1., -1.])
    """
    rungs, count, width = chains.shape
    reshape = namespace(chains).reshape
    stepped, flat = step(reshape(chains, (rungs * count, width)), np.repeat(betas, count))
    energies = flat.reshape(rungs, count)
    lower = np.arange(parity, len(betas) - 1, 2)
    gaps = betas[lower] - betas[lower + 1]
    log_ratio = gaps[:, None] * (energies[lower] - energies[lower + 1])
    swap: npt.NDArray[np.bool_] = np.log(1.0 - rng.random(log_ratio.shape)) < log_ratio
    # Which chain comes to each place.
    sources = np.arange(rungs * count).reshape(rungs, count)
    pairs, movers = np.nonzero(swap)
    sources[lower[pairs], movers] += count
    sources[lower[pairs] + 1, movers] -= count
    chains[...] = reshape(rows(stepped, sources.ravel()), chains.shape)
    return swap


def climb(chains: Chains, betas: Reals, steps: int, step: Step) -> tuple[Chains, Indices, Reals]:
    r"""Take chains up a ladder, leave as many at each rung, and return the weights that make rungs alike.

    .. math:: g_r = -\log Z(\beta_r) + \log Z(\beta_0) = \int_{\beta_0}^{\beta_r} \langle E \rangle d\beta

    by trapezoids over the mean energies in the second half of the steps at each rung.

    Parameters
    ----------
    chains
        The chains to start from, shape (n, width).
    betas
        The ladder, shape (R,).
    steps
        The steps at each rung.
    step
        One step of chains, each at its temperature.

    Returns
    -------
    tuple
        The chains, the rung of each, and the weights g, shape (R,).
    """
    left, total = copied(chains), chains.shape[0]
    rungs = np.arange(total) % len(betas)
    means = np.zeros(len(betas))
    for rung, beta in enumerate(betas):
        for taken in range(steps):
            chains, energies = step(chains, np.full(total, beta))
            if taken >= steps // 2:
                means[rung] += energies.mean() / (steps - steps // 2)
        here = Place.of(chains).put((rungs == rung)[:, np.newaxis])
        left = namespace(chains).where(here, chains, left)
    areas = np.diff(betas) * (means[:-1] + means[1:]) / 2
    return left, rungs, np.concatenate([[0.0], np.cumsum(areas)])


def temperature_step(
    chains: Chains,
    rungs: Indices,
    weights: Reals,
    betas: Reals,
    step: Step,
    rng: np.random.Generator,
) -> Reals:
    r"""Step each chain at its rung, then draw its rung anew given its state; both change in place.

    .. math:: P(r | s) = \frac{e^{g_r - \beta_r E(s)}}{\sum_q e^{g_q - \beta_q E(s)}}

    Marinari and Parisi, Europhys. Lett. 19, 451 (1992).

    Parameters
    ----------
    chains
        The chains, shape (n, width).
    rungs
        The rung of each, shape (n,).
    weights
        The weights g, shape (R,).
    betas
        The ladder, shape (R,).
    step
        One step of chains, each at its temperature.
    rng
        Where the random numbers come from.

    Returns
    -------
    Reals
        The P(r | s) that each rung was drawn from, shape (n, R).
    """
    chains[...], energies = step(chains, betas[rungs])
    exponents = weights - np.outer(energies, betas)
    law: Reals = np.exp(exponents - exponents.max(axis=1, keepdims=True))
    law /= law.sum(axis=1, keepdims=True)
    points = rng.random((len(law), 1))
    rungs[:] = (law.cumsum(axis=1)[:, :-1] < points).sum(axis=1)
    return law


def adapted_weights(weights: Reals, law: Reals, rate: float) -> Reals:
    r"""Return weights g moved towards those that make all rungs equally likely.

    .. math:: g_r \leftarrow g_r - \gamma \min\left( R \, \overline{P(r | s)} - 1, 1 \right)

    with averages over the chains. Tan, J. Comput. Graph. Stat. 26, 54 (2017).

    Examples
    --------
    >>> adapted_weights(np.zeros(2), np.array([[0.75, 0.25]]), 0.1)
    array([-0.05,  0.05])
    """
    adapted: Reals = weights - rate * np.minimum(len(weights) * law.mean(axis=0) - 1, 1.0)
    return adapted
