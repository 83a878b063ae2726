"""Exact samples at low treewidth, by elimination of one spin after the other, with dwave-samplers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar, final

import numpy as np
from dwave.samplers import TreeDecompositionSampler
from dwave.samplers.tree.utilities import min_fill_heuristic

from rapid_ising import Capabilities, IsingModel, LocalBackend, Request
from rapid_ising.errors import InvalidParameterError, ProblemTooLargeError
from rapid_ising.typing import States
from rapid_ising.validation import positive_integer

WIDEST = 25
"""The largest treewidth that dwave-samplers takes: 2^26 numbers in one table."""


@final
@dataclasses.dataclass(frozen=True)
class TreeDecomposition(LocalBackend):
    r"""Independent draws from the Boltzmann law of a model whose graph is nearly a tree, of any size.

    Spins are summed out one by one,

    .. math:: Z = \sum_{s_N} \cdots \sum_{s_1} e^{-\beta E(s)},

    in an order that keeps the tables small: they have up to 2^(w + 1) numbers for a treewidth w, and each
    read is drawn on the way back. The record has log Z, P(s_i = +1) of every spin and, for each coupled pair
    i < j, the four P(s_i, s_j) in the order --, -+, +-, ++.

    Parameters
    ----------
    max_treewidth
        The largest treewidth that is taken, 25 at most. Both memory and time double with each.
    marginals
        Whether to compute and record the marginals.

    Raises
    ------
    ProblemTooLargeError
        If the treewidth, as the min-fill heuristic finds it, is larger.

    Notes
    -----
    Koller and Friedman, Probabilistic Graphical Models (2009), chapter 9.

    Examples
    --------
    >>> import numpy as np
    >>> from rapid_ising import Sparse
    >>> chain = IsingModel(np.zeros(3), Sparse(3, [0, 1], [1, 2], [-1.0, -1.0]))
    >>> record = TreeDecomposition().sample(chain, seed=0).info["rapid_ising"]["stages"][0]
    >>> record["treewidth"], round(record["log_partition"] - math.log(8 * math.cosh(1.0) ** 2), 12)
    (1, 0.0)
    """

    name: ClassVar[str] = "tree-decomposition"
    # Beyond, differences of beta E are lost beside beta E in double precision.
    capabilities = Capabilities(exact=True, max_beta=1e6)

    max_treewidth: int = 20
    marginals: bool = True

    def __post_init__(self) -> None:
        if positive_integer("max_treewidth", self.max_treewidth) > WIDEST:
            raise InvalidParameterError(
                f"max_treewidth must be {WIDEST} at most, not {self.max_treewidth}: a table of more numbers "
                "is not taken"
            )
        if not isinstance(self.marginals, bool):
            raise InvalidParameterError(f"marginals must be True or False, not {self.marginals!r}")

    def _check(self, request: Request) -> None:
        least = treewidth_bound(request.model)
        if least <= self.max_treewidth:
            least = min_fill_heuristic(request.model.to_bqm())[0]
        if least > self.max_treewidth:
            most = "at least " if least == treewidth_bound(request.model) else ""
            raise ProblemTooLargeError(
                f"{self.name} takes a treewidth of up to {self.max_treewidth} and the problem has one of "
                f"{most}{least}: use a sampler that is not exact, such as parallel-tempering"
            )

    def _draw(self, request: Request) -> tuple[States, Mapping[str, Any]]:
        request.deadline.check(self.name)
        bqm = request.model.to_bqm()
        width, order = min_fill_heuristic(bqm)
        # The call cannot be interrupted: it holds Python's lock, whatever thread it runs in.
        sampler = TreeDecompositionSampler()  # type: ignore[no-untyped-call]
        answer = sampler.sample(
            bqm,
            num_reads=request.num_reads,
            beta=request.beta,
            elimination_order=order,
            marginals=self.marginals,
            seed=int(request.rng.integers(2**31)),
        )
        facts: dict[str, Any] = {
            "treewidth": int(width),
            "log_partition": float(answer.info["log_partition_function"]),
        }
        if self.marginals:
            single = answer.info["variable_marginals"]
            facts["variable_marginals"] = [float(single[i]) for i in range(request.model.num_variables)]
            facts["interaction_marginals"] = [
                _pair(int(i), int(j), law) for (i, j), law in answer.info["interaction_marginals"].items()
            ]
        columns = [answer.variables.index(i) for i in range(request.model.num_variables)]
        return self._with_free_spins(request, answer.record.sample[:, columns], facts), facts

    def _with_free_spins(self, request: Request, states: States, facts: dict[str, Any]) -> States:
        """Draw the spins without any field or coupling, which dwave-samplers gives one state: always -1.

        It also leaves their log 2 out of log Z, and calls them +1 in its marginals.
        """
        free = request.model.fields == 0
        free[np.concatenate(request.model.couplings.to_coo()[:2])] = False
        places = np.flatnonzero(free)
        states[:, places] = 2 * request.rng.integers(2, size=(len(states), len(places))) - 1
        facts["log_partition"] += len(places) * math.log(2.0)
        if self.marginals:
            for place in places.tolist():
                facts["variable_marginals"][place] = 0.5
        return states


def _pair(i: int, j: int, law: Mapping[tuple[int, int], float]) -> dict[str, Any]:
    if i > j:
        i, j, law = j, i, {(t, s): p for (s, t), p in law.items()}
    return {"pair": [i, j], "law": [float(law[s, t]) for s in (-1, 1) for t in (-1, 1)]}


def treewidth_bound(model: IsingModel) -> int:
    """Return the least w at which a graph of treewidth w can have as many edges: w N - w (w + 1) / 2.

    It is found without a look at the graph, so that a complete one is refused at once.

    >>> treewidth_bound(IsingModel([0.0] * 4, [[0, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 0]]))
    3
    """
    n, edges = model.num_variables, len(model.couplings.to_coo()[2])
    root = math.sqrt(max(0.0, (2 * n - 1) ** 2 - 8 * edges))
    return max(0, math.ceil((2 * n - 1 - root) / 2 - 1e-9))
