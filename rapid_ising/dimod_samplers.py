"""dimod on both sides of the seam: any ``dimod.Sampler`` as a Backend, any Backend as a ``dimod.Sampler``."""

from __future__ import annotations

import contextvars
import dataclasses
import numbers
import sys
import threading
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, final

import dimod
import networkx as nx
import numpy as np
from dimod.core.sampler import Sampler
from dimod.core.structured import Structured
from dimod.exceptions import BinaryQuadraticModelStructureError

from rapid_ising.backend import Backend, LocalBackend
from rapid_ising.capabilities import PREPARE, Capabilities
from rapid_ising.deadline import Deadline
from rapid_ising.errors import (
    BackendError,
    CapabilityError,
    InvalidParameterError,
    ProblemTooLargeError,
    UnknownOptionError,
)
from rapid_ising.plain import plain
from rapid_ising.request import Request
from rapid_ising.typing import States
from rapid_ising.validation import finite, generator

if TYPE_CHECKING:
    from rapid_ising.machine.topology import Topology


class StructureError(CapabilityError, BinaryQuadraticModelStructureError):
    """A problem does not fit the graph of a structured sampler: what composites that embed look out for."""


@final
@dataclasses.dataclass(frozen=True, eq=False)
class WrappedSampler(LocalBackend):
    """Any ``dimod.Sampler`` as a Backend.

    By default it claims no temperature: its samples are taken as low-energy states. State ``beta``, with the
    ``parameters`` that make it true, and the sampler is held to the Boltzmann law: a request at another
    inverse temperature is sent with the energies scaled by the ratio.

    Parameters
    ----------
    sampler
        The sampler. Its ``sample`` is called in a thread, so that a deadline can be kept. A BQM that was
        asked goes to it as it is where no stage changed it, and is not to be changed by it.
    parameters
        Keyword arguments of every call.
    beta
        The inverse temperature at which the sampler, with these parameters, obeys the Boltzmann law.
    initial_states
        Whether the sampler, with these parameters, starts from given states and keeps near them. Many take
        states and then erase them by heat, so that this too must be stated.
    timeout
        The most seconds one call may take when the request has no earlier deadline.

    Raises
    ------
    BackendError
        When the sampler raises; its own error is the cause.
    DeadlineExceededError
        When it takes too long. The call cannot be stopped from outside and may end later by itself.

    Examples
    --------
    >>> WrappedSampler(dimod.ExactSolver()).sample(dimod.BQM({"a": 1.0}, {}, "SPIN")).first.sample
    {'a': np.int8(-1)}
    """

    name: ClassVar[str] = "dimod"

    sampler: Sampler
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    beta: float | None = None
    initial_states: bool = False
    timeout: float = 3600.0
    capabilities: Capabilities = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        known = self.sampler.parameters
        own = set(known) - {"num_reads", "seed", "initial_states"}
        wrong = sorted(set(self.parameters) - own)
        if wrong:
            raise InvalidParameterError(
                f"{type(self.sampler).__name__} takes no parameters {', '.join(wrong)} here: "
                "num_reads, seed and initial_states belong to sample(), the others must be its own"
            )
        if self.initial_states and "initial_states" not in known:
            raise InvalidParameterError(
                f"{type(self.sampler).__name__} takes no initial_states: leave initial_states out"
            )
        if self.beta is not None:
            finite("beta", self.beta, minimum=0, exclusive=True)
        finite("timeout", self.timeout, minimum=0, exclusive=True)
        topology: nx.Graph[Any] | None = None
        largest = None
        if isinstance(self.sampler, Structured):
            topology = nx.Graph()
            topology.add_nodes_from(self.sampler.nodelist)
            topology.add_edges_from(self.sampler.edgelist)
            largest = topology.number_of_nodes()
        object.__setattr__(self, "name", f"dimod:{type(self.sampler).__name__}")
        object.__setattr__(
            self,
            "capabilities",
            Capabilities(
                max_variables=largest,
                topology=topology,
                temperature="none" if self.beta is None else "settable",
                max_beta=None if self.beta is None else sys.float_info.max,
                returns="multiset" if "num_reads" in known else "distinct",
                seedable="seed" in known,
                initial_states=self.initial_states,
            ),
        )

    def _draw(self, request: Request) -> tuple[States, Mapping[str, Any]]:
        factor = 1.0 if self.beta is None else request.beta / self.beta
        labels = request.variables
        bqm = request.bqm() if factor == 1.0 else request.model.scaled(factor).to_bqm(variables=labels)
        arguments = dict(self.parameters)
        known = self.sampler.parameters
        if "num_reads" in known:
            arguments["num_reads"] = request.num_reads
        if "seed" in known:
            # dwave-samplers' seeds are 31 or 32 bits wide.
            arguments["seed"] = int(request.rng.integers(2**31))
        if request.initial_states is not None:
            arguments["initial_states"] = (request.initial_states, labels)
        answer = self._call(bqm, arguments, request.deadline)
        return self._rows(answer, request), {
            "sampler": type(self.sampler).__name__,
            "factor": factor,
            "info": plain(answer.info),
        }

    def _call(self, bqm: dimod.BinaryQuadraticModel, arguments: dict[str, Any], deadline: Deadline) -> Any:
        """Return the sampler's answer, or raise what it raised as the cause of an error of ours."""
        outcome: dict[str, Any] = {}

        def work() -> None:
            try:
                answer = self.sampler.sample(bqm, **arguments)
                if isinstance(answer, dimod.SampleSet):
                    answer.resolve()
                outcome["answer"] = answer
            except BaseException as error:  # noqa: BLE001 - handed to the caller's thread below
                outcome["error"] = error

        limit = deadline if deadline.remaining < self.timeout else Deadline(self.timeout)
        thread = threading.Thread(target=contextvars.copy_context().run, args=(work,), daemon=True)
        thread.start()
        thread.join(max(0.0, limit.remaining))
        if thread.is_alive():
            raise limit.exceeded(self.name)
        if "error" in outcome:
            error = outcome["error"]
            raise BackendError(f"{self.name} failed: {type(error).__name__}: {error}") from error
        return outcome["answer"]

    def _rows(self, answer: Any, request: Request) -> States:
        """Return the answer's states as spins, one row a read."""
        if not isinstance(answer, dimod.SampleSet):
            raise BackendError(f"{self.name} must return a SampleSet, not {type(answer).__name__}")
        order = list(answer.variables)
        if set(order) != set(request.variables):
            raise BackendError(f"{self.name} returned samples of other variables than it was asked for")
        if len(answer) == 0:
            raise BackendError(f"{self.name} returned no samples")
        if answer.vartype is not dimod.SPIN:
            answer = answer.change_vartype(dimod.SPIN, inplace=False)
        found = answer.record.sample
        if order != request.variables:
            place = {label: column for column, label in enumerate(order)}
            found = found[:, [place[label] for label in request.variables]]
        rows: States = found.astype(np.int8, copy=False)
        if self.capabilities.returns == "distinct":
            rows = rows[np.argsort(answer.record.energy, kind="stable")]
            first = np.sort(np.unique(rows, axis=0, return_index=True)[1])
            return rows[first][: request.num_reads]
        return np.repeat(rows, answer.record.num_occurrences, axis=0)


class BackendSampler(Sampler):
    """A Backend as a ``dimod.Sampler``, for composites and other people's code.

    Parameters
    ----------
    backend
        The machine.
    defaults
        Keyword arguments of ``sample`` for callers that do not give them.
    """

    def __init__(self, backend: Backend, defaults: Mapping[str, Any] | None = None) -> None:
        self.backend = backend
        self.defaults = dict(defaults or {})
        wrong = self._unknown(self.defaults)
        if wrong:
            raise InvalidParameterError(wrong)
        self._seed = self.defaults.get("seed")
        self._calls = 0
        if self._seed is not None:
            # One generator for all calls: a number would give each the same samples.
            self.defaults["seed"] = generator(self._seed)

    @property
    def parameters(self) -> dict[str, list[str]]:
        """The keyword arguments of ``sample``, each with the capability it depends on."""
        return {
            "num_reads": ["max_reads"],
            "beta": ["temperature"],
            "seed": ["seedable"],
            "initial_states": ["initial_states"],
            "deadline": [],
        }

    @property
    def properties(self) -> dict[str, Any]:
        """The backend's name and capabilities; its ranges also under the names that D-Wave gives them."""
        facts = self.backend.capabilities
        values = {f.name: getattr(facts, f.name) for f in dataclasses.fields(facts)}
        ranges = {"h_range": facts.field_range, "j_range": facts.coupling_range}
        named = {name: list(limits) for name, limits in ranges.items() if limits is not None}
        return {"backend": self.backend.name, **values, **named}

    def sample(self, bqm: dimod.BinaryQuadraticModel, **parameters: Any) -> dimod.SampleSet:
        """Return ``backend.sample(bqm, **parameters)``.

        Where the seed is that of all calls, ``info["rapid_ising"]`` has it with the number of the call, 1 for
        the first.

        Raises
        ------
        UnknownOptionError
            If there is no such parameter; a TypeError too.
        CapabilityError, ProblemTooLargeError
            If the machine cannot take the problem.
        """
        wrong = self._unknown(parameters)
        if wrong:
            raise UnknownOptionError(wrong)
        try:
            found = self.backend.sample(bqm, **{**self.defaults, **parameters})
        except CapabilityError as error:
            limit = str(error).removesuffix(PREPARE)
            if limit == str(error):
                raise
            raise CapabilityError(
                f"{limit}: rapid_ising.as_dimod_sampler(rapid_ising.prepare(machine, bqm, show=False)) has it"
            ) from error
        if self._seed is not None and "seed" not in parameters:
            self._calls += 1
            seed = int(self._seed) if isinstance(self._seed, numbers.Integral) else None
            found.info["rapid_ising"].update(seed=seed, call=self._calls)
        return found

    def _unknown(self, given: Mapping[str, Any]) -> str:
        """Return what is wrong with the names of parameters, nothing where all are known."""
        wrong = sorted(set(given) - set(self.parameters))
        name = self.backend.name
        if not wrong:
            return ""
        return (
            f"sample() of a backend takes no {', '.join(wrong)}; it takes {', '.join(self.parameters)}. "
            f"Options of the machine go into load_backend({name!r}, ...): rapid-ising backends {name}"
        )


@final
class StructuredBackendSampler(BackendSampler, Structured):
    """A Backend with a graph as a structured ``dimod.Sampler``, for composites that embed."""

    @property
    def nodelist(self) -> list[Hashable]:
        """The spins of the machine, sorted where they can be."""
        return self._topology.nodes

    @property
    def edgelist(self) -> list[tuple[Hashable, Hashable]]:
        """The couplers of the machine, each with its lower spin first, in order."""
        nodes = self.nodelist
        return [(nodes[i], nodes[j]) for i, j in self._topology.couplers.tolist()]

    def sample(self, bqm: dimod.BinaryQuadraticModel, **parameters: Any) -> dimod.SampleSet:
        """Return ``backend.sample(bqm, **parameters)``.

        Raises
        ------
        StructureError
            If the problem does not fit the graph: it has to be embedded.
        """
        try:
            return super().sample(bqm, **parameters)
        except (CapabilityError, ProblemTooLargeError) as error:
            if self.valid_bqm_graph(bqm):
                raise
            raise StructureError(str(error)) from error

    def to_networkx_graph(self) -> nx.Graph[Any]:
        """Return the machine's own graph, which says its family where it has one."""
        return self._graph

    @property
    def _topology(self) -> Topology:
        from rapid_ising.machine.topology import topology_of

        return topology_of(self._graph)

    @property
    def _graph(self) -> nx.Graph[Any]:
        graph = self.backend.capabilities.topology
        if graph is None:
            raise CapabilityError(
                f"{self.backend.name} has no graph here: take dimod_samplers.BackendSampler"
            )
        return graph


def as_dimod_sampler(backend: Backend | Sampler | str, **defaults: Any) -> Sampler:
    """Return any backend as a ``dimod.Sampler``, a structured one where the machine has a graph.

    Parameters
    ----------
    backend
        A name or a Backend; a ``dimod.Sampler`` is returned as it is.
    **defaults
        ``num_reads``, ``beta``, ``seed``, ``initial_states`` or ``deadline`` of each call whose caller does
        not give them: programs of Ocean know nothing of beta. A seed is that of all calls in order.

    Raises
    ------
    InvalidParameterError
        If a default is no argument of ``Backend.sample``, or is given for a sampler that is no backend.

    Examples
    --------
    >>> sampler = as_dimod_sampler("exact", beta=float("inf"))
    >>> sampler.sample_ising({"a": 1.0}, {}).first.sample
    {'a': np.int8(-1)}
    """
    if isinstance(backend, Sampler):
        if defaults:
            raise InvalidParameterError(
                f"{type(backend).__name__} is a dimod.Sampler already: give it {', '.join(defaults)} itself"
            )
        return backend
    from rapid_ising.registry import as_backend

    machine = as_backend(backend)
    # What is published is known without asking the machine.
    structured = machine.published.topology is not None
    return (StructuredBackendSampler if structured else BackendSampler)(machine, defaults)


def unwrapped(sampler: Sampler) -> Backend | None:
    """Return the Backend inside a sampler made by ``as_dimod_sampler``, else None.

    Raises
    ------
    InvalidParameterError
        If the sampler has defaults: a Backend has none, and what was asked for would be lost in silence.
    """
    if not isinstance(sampler, BackendSampler):
        return None
    if sampler.defaults:
        raise InvalidParameterError(
            f"a backend has no defaults, and this sampler of {sampler.backend.name} has "
            f"{', '.join(sampler.defaults)}: pass its .backend, and those to what draws the samples"
        )
    return sampler.backend
