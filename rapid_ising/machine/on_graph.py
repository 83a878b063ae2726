"""What Embedded and Tiled share: a model's spins as chains on the graph of a machine, and back."""

from __future__ import annotations

import dataclasses
import time
from abc import abstractmethod
from collections.abc import Hashable
from typing import Any, ClassVar, final

import networkx as nx
import numpy as np

from rapid_ising.capabilities import Capabilities
from rapid_ising.couplings import Sparse
from rapid_ising.errors import InvalidParameterError, ProblemTooLargeError
from rapid_ising.ising import IsingModel
from rapid_ising.machine.chain_strength import (
    TORQUE,
    ChainStrength,
    thermal_strength,
    uniform_torque_compensation,
)
from rapid_ising.machine.embedding import Chains
from rapid_ising.machine.embedding_cache import EmbeddingCache, digest
from rapid_ising.machine.find_embedding import Search, Wanted, verified
from rapid_ising.machine.scaled import step_of
from rapid_ising.machine.stage import Decode, PlainStage
from rapid_ising.machine.topology import topology_of
from rapid_ising.request import Answer, Request
from rapid_ising.typing import States
from rapid_ising.validation import finite, positive_integer


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Placed:
    """Chains on a graph, for one or more copies of a model."""

    chains: Chains
    """The chains of the spins of the first copy, then those of the next."""
    copies: int
    method: str
    """identity, given, relabelled, clique or minor."""


_cache: EmbeddingCache[Placed] = EmbeddingCache()


@dataclasses.dataclass(frozen=True)
class OnGraph(PlainStage):
    """A stage that puts a model onto the graph of a machine, once or several times.

    Parameters
    ----------
    chain_strength
        C, what each coupler inside a chain is set to with a minus sign: a number in the units of the model's
        energy, or a callable that takes the IsingModel. None takes the larger of two: uniform torque
        compensation, ``prefactor`` * RMS coupling * sqrt(mean degree); and the strength at which heat alone
        breaks at most a share ``breaks`` of the longest chains, at the asked beta.
    prefactor
        The prefactor of the torque compensation.
    breaks
        The share of the longest chains that heat may break.
    tries, timeout, seed
        The tries, the seconds and the seed of the search for an embedding.
    cache
        Whether embeddings are kept, in memory and in the folder RAPID_ISING_CACHE, else the platform's.
    """

    measured: ClassVar[frozenset[str]] = frozenset({"broken_chains", "broken_reads", "seconds"})

    chain_strength: ChainStrength | None = dataclasses.field(default=None, kw_only=True)
    prefactor: float = dataclasses.field(default=TORQUE, kw_only=True)
    breaks: float = dataclasses.field(default=0.01, kw_only=True)
    tries: int = dataclasses.field(default=3, kw_only=True)
    timeout: float = dataclasses.field(default=60.0, kw_only=True)
    seed: int = dataclasses.field(default=0, kw_only=True)
    cache: bool = dataclasses.field(default=True, kw_only=True)

    def _check_options(self, facts: Capabilities) -> None:
        if self.chain_strength is not None and not callable(self.chain_strength):
            finite("chain_strength", self.chain_strength, minimum=0)
        finite("prefactor", self.prefactor, minimum=0)
        finite("breaks", self.breaks, minimum=0, exclusive=True, maximum=1)
        finite("timeout", self.timeout, minimum=0, exclusive=True)
        positive_integer("tries", self.tries)
        positive_integer("seed", self.seed, minimum=0)

    def _offered(self, facts: Capabilities) -> Capabilities:
        if facts.topology is None:
            return facts
        nodes = len(facts.topology)
        return dataclasses.replace(
            facts,
            topology=None,
            max_variables=nodes if facts.max_variables is None else min(nodes, facts.max_variables),
            structures=None,
            exact=False,
        )

    @abstractmethod
    def _place(self, request: Request, wanted: Wanted, graph: nx.Graph[Any]) -> tuple[Placed, bool]:
        """Return the chains for a request, and whether they were known before."""

    def _kept(
        self, request: Request, wanted: Wanted, graph: nx.Graph[Any], *also: int | str
    ) -> tuple[Placed, bool]:
        """Return what ``_find`` finds, or the cache has; ``also`` is what else it depends on."""
        topology = topology_of(graph)

        def make(values: dict[str, Any]) -> Placed:
            copies = values["copies"]
            every = repeated(wanted, copies)
            if len(values["chains"]) != every.num_variables:
                raise InvalidParameterError(f"{len(values['chains'])} chains for {every.num_variables} spins")
            return Placed(verified(values["chains"], every, topology), copies, str(values["method"]))

        def find() -> dict[str, Any]:
            request.deadline.check(self.name)
            seconds = min(self.timeout, request.deadline.remaining)
            try:
                return self._find(wanted, graph, Search(self.seed, self.tries, seconds))
            except ProblemTooLargeError:
                # Where the deadline ended the search, nothing is known about the size.
                request.deadline.check(self.name)
                raise

        if not self.cache:
            return make(find()), False
        edges = np.stack([wanted.rows, wanted.columns]).astype("<i8").tobytes()
        key = digest(self.stage, topology.digest, wanted.num_variables, edges, self.seed, self.tries, *also)
        return _cache.get(key, make, find)

    @abstractmethod
    def _find(self, wanted: Wanted, graph: nx.Graph[Any], search: Search) -> dict[str, Any]:
        """Return the chains, the copies and the method in JSON values; raise when there is no place."""

    def strength(self, model: IsingModel, chains: Chains, beta: float) -> float:
        """Return the chain strength C for a model."""
        if self.chain_strength is None:
            torque = uniform_torque_compensation(model, self.prefactor)
            # Where the temperature is the machine's, Calibrated brings it to this beta of these energies.
            return max(torque, thermal_strength(chains.longest - 1, beta, self.breaks))
        given = self.chain_strength(model) if callable(self.chain_strength) else self.chain_strength
        return finite("chain_strength", given, minimum=0)

    def _most_of_one(self, strength: float) -> tuple[float, float]:
        """Return the largest field of a node and coupling of a coupler that cost no range; 0 has no say.

        Where the machine has steps, each share of a field or coupling is rounded by itself, small ones to
        nothing. The chains, usually the largest couplings, set the factor into the machine's ranges: what
        still fits at that factor is put on one node or coupler.
        """
        facts = self.inner.capabilities
        if step_of(facts) == 0:
            return 0.0, 0.0
        if facts.field_range is None or facts.coupling_range is None:
            # A stage inside brings both into ranges that are not seen from here, and mostly alike.
            return strength, strength
        sides = (min(-low, high) for low, high in (facts.field_range, facts.coupling_range))
        field, coupling = (side / -facts.coupling_range[0] * strength for side in sides)
        return field, coupling

    def _encode(self, request: Request) -> tuple[Request, Decode]:
        graph = self.inner.capabilities.topology
        if graph is None:
            return self._asked(request), lambda answer: answer.with_stage(
                {"stage": self.stage, "method": "none"}
            )
        began = time.perf_counter()
        rows, columns, _ = request.model.couplings.to_coo()
        wanted = Wanted(request.model.num_variables, rows, columns)
        placed, known = self._place(request, wanted, graph)
        chains, copies = placed.chains, placed.copies
        labels = topology_of(graph).nodes
        nodes: list[Hashable] = [labels[node] for node in chains.nodes.tolist()]
        record: dict[str, Any] = {
            "stage": self.stage,
            "method": placed.method,
            "copies": copies,
            "nodes": len(nodes),
            "longest_chain": chains.longest,
            "known": known,
            "seconds": time.perf_counter() - began,
        }
        if chains.longest <= 1 and copies == 1:
            # Nothing but the names of the spins changes, and the couplings keep their structure.
            asked = self._asked(request, variables=nodes)
            return asked, lambda answer: answer.with_stage(record)
        strength = self.strength(request.model, chains, request.beta)
        record["chain_strength"] = strength
        reads = -(-request.num_reads // copies)
        start = request.initial_states
        if start is not None:
            rows_needed = np.arange(reads * copies) % len(start)
            start = chains.spread(start[rows_needed].reshape(reads, -1))
        asked = self._asked(
            request,
            model=chains.embed(tiled(request.model, copies), strength, self._most_of_one(strength)),
            num_reads=reads,
            initial_states=start,
            variables=nodes,
        )
        return asked, lambda answer: self._decode(request, answer, placed, record)

    def _decode(self, request: Request, answer: Answer, placed: Placed, record: dict[str, Any]) -> Answer:
        n, copies = request.model.num_variables, placed.copies
        states, broken = placed.chains.unembed(answer.states, request.rng)
        kept: States = states.reshape(-1, n)[: request.num_reads]
        torn = broken.reshape(-1, n)[: request.num_reads]
        weights = answer.weights
        if weights is not None:
            weights = np.repeat(weights, copies)[: request.num_reads]
        if request.returns == "distinct":
            # Two states of the nodes may be one of the spins.
            first = np.sort(np.unique(kept, axis=0, return_index=True)[1])
            kept, weights = kept[first], None if weights is None else weights[first]
        shares = {
            "broken_chains": float(torn.mean()) if torn.size else 0.0,
            "broken_reads": float(torn.any(axis=1).mean()) if torn.size else 0.0,
        }
        return Answer(kept, [*answer.stages, {**record, **shares}], weights)


def repeated(wanted: Wanted, copies: int) -> Wanted:
    """Return the graph of several copies side by side."""
    shift = np.arange(copies)[:, np.newaxis] * wanted.num_variables
    rows, columns = (np.ravel(ends + shift) for ends in (wanted.rows, wanted.columns))
    return Wanted(copies * wanted.num_variables, rows, columns)


def tiled(model: IsingModel, copies: int) -> IsingModel:
    """Return the model of several copies that are not coupled."""
    if copies == 1:
        return model
    rows, columns, values = model.couplings.to_coo()
    every = repeated(Wanted(model.num_variables, rows, columns), copies)
    couplings = Sparse(every.num_variables, every.rows, every.columns, np.tile(values, copies))
    return IsingModel(np.tile(model.fields, copies), couplings, model.offset * copies)
