"""A model of any graph on a machine whose couplers make a sparse one."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Hashable, Mapping
from typing import Any, ClassVar, final

import networkx as nx
import numpy as np

from rapid_ising.capabilities import Capabilities
from rapid_ising.errors import InvalidParameterError
from rapid_ising.machine.embedding import Chains
from rapid_ising.machine.find_embedding import Search, Wanted, too_large, verified
from rapid_ising.machine.on_graph import OnGraph, Placed
from rapid_ising.machine.topology import Topology, topology_of
from rapid_ising.request import Request


@final
@dataclasses.dataclass(frozen=True)
class Embedded(OnGraph):
    """Put a model onto a machine's graph: by its labels, renamed, or each spin as a chain of nodes.

    In this order: the labels are nodes and every coupling is a coupler; the model's graph is a part of the
    machine's; a dense model takes the fixed clique map of a King's, Chimera, Pegasus or Zephyr graph, two
    large layers that of layers of a King's graph; else minor embeddings are looked for. A chain is read by
    majority, its ties drawn at random. The record says the method, the nodes, the longest chain, the chain
    strength, the share of broken chains and the share of reads with any. A machine that couples every pair is
    passed through to.

    Parameters
    ----------
    backend
        The machine.
    embedding
        The nodes of each of the problem's variables; None looks for them.
    chain_strength, prefactor, breaks, tries, timeout, seed, cache
        As ``OnGraph`` says.

    Raises
    ------
    ProblemTooLargeError
        If no embedding was found; says how many spins fit when all are coupled.

    Examples
    --------
    >>> from rapid_ising import IsingModel
    >>> Embedded("exact").sample(IsingModel([1.0], [[0.0]]), seed=0).info["rapid_ising"]["stages"][-1]
    {'stage': 'embedded', 'method': 'none'}
    """

    stage: ClassVar[str] = "embedded"
    does: ClassVar[str] = "spins as chains on the machine's graph"

    embedding: Mapping[Any, Collection[Any]] | None = None

    def _check_options(self, facts: Capabilities) -> None:
        super()._check_options(facts)
        if self.embedding is None:
            return
        if facts.topology is None:
            raise InvalidParameterError(f"{self.name} couples every pair of spins: leave embedding out")
        Chains(self._nodes(list(self.embedding), topology_of(facts.topology)), topology_of(facts.topology))

    def _offered(self, facts: Capabilities) -> Capabilities:
        offered = super()._offered(facts)
        if self.embedding is None:
            return offered
        return dataclasses.replace(offered, max_variables=len(self.embedding))

    def _nodes(self, variables: list[Hashable], topology: Topology) -> list[list[int]]:
        """Return the given chains of these variables, as indices."""
        given, chains = self.embedding or {}, []
        for variable in variables:
            if variable not in given:
                raise InvalidParameterError(f"embedding has no chain for the variable {variable!r}")
            places = topology.places(list(given[variable]))
            if places is None:
                raise InvalidParameterError(
                    f"embedding gives {variable!r} a node that is not in the graph of {self.name}"
                )
            chains.append(places.tolist())
        return chains

    def _place(self, request: Request, wanted: Wanted, graph: nx.Graph[Any]) -> tuple[Placed, bool]:
        topology = topology_of(graph)
        if self.embedding is not None:
            chains = self._nodes(request.variables, topology)
            return Placed(verified(chains, wanted, topology), 1, "given"), False
        own = topology.places(request.variables)
        if own is not None and topology.coupled(own[wanted.rows], own[wanted.columns]).all():
            return Placed(Chains(own[:, np.newaxis].tolist(), topology), 1, "identity"), False
        return self._kept(request, wanted, graph)

    def _find(self, wanted: Wanted, graph: nx.Graph[Any], search: Search) -> dict[str, Any]:
        found = search.find(wanted, graph)
        if found is None:
            raise too_large(self.name, wanted, graph, search)
        return {"method": found.method, "copies": 1, "chains": found.chains}
