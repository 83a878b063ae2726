"""Frustration: how many couplings cannot be satisfied together, by cycles and by the ground state."""

from __future__ import annotations

import dataclasses
from typing import final

import numpy as np

from rapid_ising.errors import InvalidParameterError, InvalidProblemError
from rapid_ising.evaluation.accessibility import ground_energy, ising_problem
from rapid_ising.ising import IsingModel
from rapid_ising.models.base import Model
from rapid_ising.typing import Reals

BLOCK = 2**22
"""Entries of the products of rows that are formed at once: 32 megabytes."""


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Frustration:
    """The shares of frustrated 4-cycles: 0 without frustration, 1/2 for couplings of random sign."""

    plain: float
    """The number of negative cycles over that of all cycles without a zero coupling."""
    weighted: float
    """The same, each cycle counting as the size of its product."""

    def as_dict(self) -> dict[str, float]:
        """Return the numbers by name."""
        return dataclasses.asdict(self)


def frustration(model: Model | IsingModel) -> Frustration:
    r"""Return the shares of 4-cycles whose couplings cannot all be satisfied, exactly.

    A cycle of two spins i, j of one layer and a, b of the other is frustrated when its product is negative:

    .. math:: \Pi = W_{ai} W_{aj} W_{bi} W_{bj}, \quad f = \frac{\sum_{\Pi < 0} |\Pi|}{\sum |\Pi|}
              = \frac{1}{2} - \frac{S(W)}{2 S(|W|)}

    over all a < b and i < j. No cycle has to be visited, since the sum over i < j is half a square of sums
    less its diagonal:

    .. math:: S(W) = \sum \Pi = \frac{1}{2} \sum_{a < b}
              \Bigl[ (W W^T)_{ab}^2 - (W^{\circ 2} W^{\circ 2 T})_{ab} \Bigr]

    which costs min(V, H)^2 max(V, H). The plain share is the same of sgn W, whose S(\|sgn W\|) counts the
    cycles without a zero. Look at the weighted one: the patterns of an even K make many couplings zero, and
    nearly zero ones count as much as others in the plain share. Shares are 0 where there is no cycle.

    Parameters
    ----------
    model
        A model or an Ising problem whose couplings have two layers, or more that neighbour each other: the
        odd ones against the even ones. Fields are left out, and a problem's opposite sign changes nothing.

    Raises
    ------
    InvalidProblemError
        If the graph of the couplings is not bipartite.

    References
    ----------
    Toulouse, Commun. Phys. 2, 115 (1977).

    Examples
    --------
    >>> from rapid_ising.models import RBM
    >>> model = RBM(2, 3)
    >>> model.weights[:] = [[1, 2], [1, 1], [1, -1]]
    >>> frustration(model)
    Frustration(plain=0.6666666666666666, weighted=0.6)
    """
    problem = ising_problem(model)
    split = problem.bipartition()
    if split is None:
        raise InvalidProblemError(
            f"frustration of 4-cycles needs couplings between two layers, and those of {problem!r} have odd "
            "cycles or are too many to find layers in: misfit measures any graph"
        )
    layered, _ = split
    assert layered.couplings.layers is not None
    first = np.arange(layered.couplings.layers[0])
    second = np.arange(len(first), layered.num_variables)
    rows, columns = (first, second) if len(first) <= len(second) else (second, first)
    block = layered.couplings.submatrix(rows, columns).astype(np.float64)
    return Frustration(_negative_share(np.sign(block)), _negative_share(block))


def _negative_share(block: Reals) -> float:
    largest = float(np.abs(block).max(initial=0.0))
    if largest == 0:
        return 0.0
    # Fourth powers of sizes far from 1 would leave the range of floats.
    scaled = block / largest
    signed, total = _cycle_sum(scaled), _cycle_sum(np.abs(scaled))
    # Where no cycle is negative the two sums may differ by rounding.
    return max(0.0, (total - signed) / (2 * total)) if total > 0 else 0.0


def _cycle_sum(block: Reals) -> float:
    """Return the sum of W_ai W_aj W_bi W_bj over all a < b and i < j."""
    squares = block**2
    total = 0.0
    step = max(1, BLOCK // len(block))
    for start in range(0, len(block), step):
        rows = slice(start, start + step)
        # Row a of the block with every b: those with b <= a are left out.
        pairs = (block[rows] @ block.T) ** 2 - squares[rows] @ squares.T
        total += float(np.triu(pairs, k=start + 1).sum())
    return total / 2


def misfit(model: Model | IsingModel, lowest_energy: float | None = None) -> float:
    r"""Return the share of the couplings, by size, that the ground state leaves unsatisfied.

    .. math:: f = \frac{1}{2} \Bigl( 1 - \frac{|E_0|}{\sum_{ai} |W_{ai}| + \sum_i |b_i| + \sum_a |c_a|} \Bigr)

    0 without frustration, 1/2 where nothing is gained. A field counts as the coupling to one more spin, and
    E_0 is taken without the offset.

    Parameters
    ----------
    model
        A model or an Ising problem of any structure.
    lowest_energy
        The ground energy where it is known; left out, it is enumerated. The lowest energy that a machine
        finds, ``machine.sample(model.ising(), num_reads=100, beta=math.inf).first.energy``, gives an upper
        bound of the misfit.

    Raises
    ------
    ProblemTooLargeError
        If the ground energy has to be enumerated and the model is too large.
    InvalidParameterError
        If ``lowest_energy`` is higher than the mean energy of all states, or lower than the couplings allow.

    References
    ----------
    Kobe and Klotz, Phys. Rev. E 52, 5660 (1995).

    Examples
    --------
    >>> triangle = IsingModel([0, 0, 0], [[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    >>> round(misfit(triangle), 6)
    0.333333
    """
    problem = ising_problem(model)
    values = problem.couplings.to_coo()[2]
    total = float(np.abs(values).sum(dtype=np.float64) + np.abs(problem.fields).sum(dtype=np.float64))
    lowest = ground_energy(problem, lowest_energy) - problem.offset
    # Energies of float32 models carry the rounding of their products.
    if not -total * (1 + 1e-4) <= lowest <= 0:
        raise InvalidParameterError(
            f"lowest_energy lies {lowest:g} from the offset, and a ground energy of couplings and fields "
            f"whose sizes add up to {total:g} lies between {-total:g} and 0: give that of this very model"
        )
    return max(0.0, (1 + lowest / total) / 2) if total > 0 else 0.0
