"""Several copies of a small model on one machine, all read in one call."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, final

import networkx as nx

from rapid_ising.capabilities import Capabilities
from rapid_ising.machine.embedding import Chains
from rapid_ising.machine.find_copies import find_copies
from rapid_ising.machine.find_embedding import Search, Wanted, too_large
from rapid_ising.machine.on_graph import OnGraph, Placed
from rapid_ising.machine.topology import topology_of
from rapid_ising.request import Request
from rapid_ising.validation import positive_integer


@final
@dataclasses.dataclass(frozen=True)
class Tiled(OnGraph):
    """Put as many disjoint copies of a model onto a machine's graph as it holds, and read all in one call.

    With T copies, ceil(R / T) reads of the machine give R reads of the model; there are never more copies
    than reads. The copies are not coupled, so that they are independent as far as the machine's own reads
    are. Else as ``Embedded``; a machine that couples every pair is passed through to.

    Parameters
    ----------
    backend
        The machine.
    copies
        The most copies; None puts as many as the graph holds.
    chain_strength, prefactor, breaks, tries, timeout, seed, cache
        As ``OnGraph`` says.

    Raises
    ------
    ProblemTooLargeError
        If there is no place for one copy; says how many spins fit when all are coupled.

    Examples
    --------
    >>> from rapid_ising import IsingModel
    >>> Tiled("exact").sample(IsingModel([1.0], [[0.0]]), seed=0).info["rapid_ising"]["stages"][-1]
    {'stage': 'tiled', 'method': 'none'}
    """

    stage: ClassVar[str] = "tiled"
    does: ClassVar[str] = "copies on the machine's graph, read at once"

    copies: int | None = None

    def _check_options(self, facts: Capabilities) -> None:
        super()._check_options(facts)
        if self.copies is not None:
            positive_integer("copies", self.copies)

    def _place(self, request: Request, wanted: Wanted, graph: nx.Graph[Any]) -> tuple[Placed, bool]:
        topology = topology_of(graph)
        if not wanted.num_variables:
            return Placed(Chains([], topology), 1, "identity"), False
        placed, known = self._kept(request, wanted, graph, self._most(wanted, graph))
        if placed.copies > request.num_reads:
            chains = placed.chains.first(request.num_reads * wanted.num_variables, topology)
            placed = Placed(chains, request.num_reads, placed.method)
        return placed, known

    def _most(self, wanted: Wanted, graph: nx.Graph[Any]) -> int:
        room = len(graph) // wanted.num_variables
        return room if self.copies is None else min(self.copies, room)

    def _find(self, wanted: Wanted, graph: nx.Graph[Any], search: Search) -> dict[str, Any]:
        found = find_copies(wanted, graph, search, self._most(wanted, graph))
        if not found:
            raise too_large(self.name, wanted, graph, search)
        chains = [chain for copy in found for chain in copy.chains]
        return {"method": found[0].method, "copies": len(found), "chains": chains}
