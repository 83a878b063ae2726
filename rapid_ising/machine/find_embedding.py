"""Where the chains of a model's spins go on a machine's graph."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any, Literal, final

import networkx as nx
import numpy as np

from rapid_ising.errors import InvalidParameterError, ProblemTooLargeError
from rapid_ising.machine.clique import clique_chains, largest_clique, layered_chains
from rapid_ising.machine.embedding import Chains
from rapid_ising.machine.minorminer import minorminer, subgraph
from rapid_ising.machine.topology import Topology, topology_of
from rapid_ising.progress import Bar
from rapid_ising.typing import Indices

Method = Literal["relabelled", "clique", "layers", "minor"]
DENSE = 2 / 3
"""Above this share of coupled pairs the fixed clique map is taken; complete bipartite graphs have 1/2."""
NATIVE_DENSE = 8
"""A dense graph of more spins is no part of a machine's graph, whose cliques are of two to four nodes."""
SUBGRAPH_NODES = 10_000
"""The largest graph in which a subgraph is looked for: the search holds matrices of all its pairs."""
SUBGRAPH_SECONDS = 5.0
"""The longest search for a subgraph: one that exists is mostly found in less."""
BETTER_SECONDS = 10.0
"""The longest search for a minor embedding that is better than the clique map."""


LARGEST_SEARCHED = 1000
"""The nodes of a fixed map of layers beyond which a search finds nothing better in that time."""


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """The graph of a model's couplings: N spins and the pairs of them that are coupled."""

    num_variables: int
    rows: Indices
    columns: Indices

    @property
    def density(self) -> float:
        """The share of the pairs that is coupled."""
        pairs = self.num_variables * (self.num_variables - 1) / 2
        return len(self.rows) / pairs if pairs else 0.0

    def layers(self) -> tuple[Indices, Indices] | None:
        """Return the spins of two layers with no coupling inside either, None where there are none."""
        graph: nx.Graph[int] = nx.Graph(self.pairs)
        if not len(self.rows) or not nx.is_bipartite(graph):
            return None
        colours = nx.bipartite.color(graph)
        first = np.array([colours.get(spin, 0) == 0 for spin in range(self.num_variables)])
        return np.flatnonzero(first), np.flatnonzero(~first)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The coupled pairs."""
        return list(zip(self.rows.tolist(), self.columns.tolist(), strict=True))


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """The chains of a graph of couplings, and how they were found."""

    chains: list[list[int]]
    method: Method


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Search:
    """How long and how often to look.

    Parameters
    ----------
    seed
        The seed of the search; it is no part of the sampling.
    tries
        How many minor embeddings to look for; the one with the shortest longest chain is taken.
    timeout
        The seconds for all of it.
    """

    seed: int = 0
    tries: int = 3
    timeout: float = 60.0

    def find(self, wanted: Wanted, graph: nx.Graph[Any]) -> Found | None:
        """Return chains in which every coupling has a coupler, or None when none were found.

        In this order: the graph as a part of the machine's graph, one node a spin; for a dense graph, the
        fixed clique map; for two large layers, the fixed map of layers; else the best of some minor
        embeddings, or a fixed map when that has a shorter longest chain or nothing else was found.
        """
        topology = topology_of(graph)
        if wanted.num_variables > len(topology):
            return None
        end = time.monotonic() + self.timeout
        # Spins without couplings go where there is room; what looks for the others never sees them.
        coupled = np.unique(np.concatenate([wanted.rows, wanted.columns]))
        core = Wanted(
            len(coupled), np.searchsorted(coupled, wanted.rows), np.searchsorted(coupled, wanted.columns)
        )
        found = self._core(core, graph, topology, end)
        if found is None:
            return None
        chains: list[list[int]] = [[] for _ in range(wanted.num_variables)]
        for spin, chain in zip(coupled.tolist(), found.chains, strict=True):
            chains[spin] = chain
        taken = {node for chain in chains for node in chain}
        free = (node for node in range(len(topology)) if node not in taken)
        for chain in chains:
            if not chain:
                node = next(free, None)
                if node is None:
                    return None
                chain.append(node)
        return Found(chains, found.method)

    def _core(self, core: Wanted, graph: nx.Graph[Any], topology: Topology, end: float) -> Found | None:
        if not core.num_variables:
            return Found([], "relabelled")
        if plausible(core, topology):
            part = self._part(core, topology, end)
            if part is not None:
                return Found(part, "relabelled")
        clique = clique_chains(core.num_variables, graph, self.seed)
        if clique is not None and core.density > DENSE:
            return Found(clique, "clique")
        layers = core.layers()
        layered = None if layers is None else layered_chains(*layers, graph)
        if layered is not None and _size(layered)[1] > LARGEST_SEARCHED:
            return Found(layered, "layers")
        if clique is not None or layered is not None:
            # There is a place already: a better one is worth less time than any.
            end = min(end, time.monotonic() + BETTER_SECONDS)
        minor = self._minor(core, topology, end)
        candidates = [(minor, "minor"), (layered, "layers"), (clique, "clique")]
        chains, method = min(candidates, key=lambda candidate: _size(candidate[0]))
        return None if chains is None else Found(chains, method)  # type: ignore[arg-type]

    def _part(self, core: Wanted, topology: Topology, end: float) -> list[list[int]] | None:
        seconds = min(SUBGRAPH_SECONDS, end - time.monotonic())
        if seconds <= 0:
            return None
        found = subgraph().find_subgraph(
            # Whole seconds, where 0 is no limit.
            core.pairs,
            topology.couplers.tolist(),
            timeout=math.ceil(seconds),
            seed=self.seed,
        )
        return [[found[spin]] for spin in range(core.num_variables)] if found else None

    def _minor(self, core: Wanted, topology: Topology, end: float) -> list[list[int]] | None:
        best: list[list[int]] | None = None
        couplers = topology.couplers.tolist()
        # A try may take all the time that there is, so that the bar is drawn before it.
        with Bar("tries of an embedding", self.tries, delay=0) as bar:
            for number in range(self.tries):
                seconds = end - time.monotonic()
                if seconds <= 0:
                    break
                bar.advance(0, note=f"at most {seconds:.0f} s")
                found = minorminer().find_embedding(
                    core.pairs, couplers, random_seed=self.seed + number, tries=1, timeout=seconds
                )
                if found:
                    chains = [sorted(found[spin]) for spin in range(core.num_variables)]
                    best = min(best, chains, key=_size)
                bar.advance()
        return best


def _size(chains: list[list[int]] | None) -> tuple[float, int]:
    """Return the longest chain and all nodes: what makes one embedding better than another."""
    if chains is None:
        return math.inf, 0
    return max(map(len, chains)), sum(map(len, chains))


def plausible(wanted: Wanted, topology: Topology) -> bool:
    """Return whether the graph may be a part of the machine's: by nodes, couplers, degrees and colours."""
    n = wanted.num_variables
    if n > len(topology) or len(wanted.rows) > len(topology.couplers) or len(topology) > SUBGRAPH_NODES:
        return False
    theirs_dense = len(topology.couplers) > DENSE * len(topology) * (len(topology) - 1) / 2
    if wanted.density > DENSE and n > NATIVE_DENSE and not theirs_dense:
        return False
    ours = np.sort(np.bincount(np.concatenate([wanted.rows, wanted.columns]), minlength=n))
    theirs = np.sort(np.bincount(topology.couplers.ravel(), minlength=len(topology)))
    if (ours > theirs[len(theirs) - n :]).any():
        return False
    # Chimera is bipartite: no odd cycle is a part of it.
    source: nx.Graph[int] = nx.Graph(wanted.pairs)
    return topology.family != "chimera" or nx.is_bipartite(source)


def verified(chains: list[list[int]], wanted: Wanted, topology: Topology) -> Chains:
    """Return the chains as arrays, once they are disjoint, connected and have a coupler a coupling.

    Raises
    ------
    InvalidParameterError
        If they are not, or have not.
    """
    arrays = Chains(chains, topology)
    missing = arrays.missing(wanted.rows, wanted.columns)
    if len(missing):
        i, j = int(wanted.rows[missing[0]]), int(wanted.columns[missing[0]])
        raise InvalidParameterError(f"no coupler joins the chains of the coupled spins {i} and {j}")
    return arrays


def too_large(name: str, wanted: Wanted, graph: nx.Graph[Any], search: Search) -> ProblemTooLargeError:
    """Return the error that says what fits on the machine's graph, and what was needed."""
    topology = topology_of(graph)
    fits = largest_clique(graph, search.seed)
    return ProblemTooLargeError(
        f"{name} has a graph of {len(topology)} nodes that takes {fits} spins when all are coupled, and the "
        f"problem has {wanted.num_variables} spins with {len(wanted.rows)} couplings, for which "
        f"{search.tries} tries in {search.timeout:g} s found no place: use fewer spins or couplings, a "
        "larger machine, or more tries or seconds"
    )
