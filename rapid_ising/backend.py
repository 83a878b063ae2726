"""The seam: what every Ising machine looks like to the code that needs samples."""

from __future__ import annotations

import numbers
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from typing import Any, ClassVar, Self

import dimod
import numpy as np

from rapid_ising.capabilities import Capabilities
from rapid_ising.deadline import Deadline
from rapid_ising.errors import CapabilityError, InvalidDataError, InvalidParameterError
from rapid_ising.ising import IsingModel, canonical_variables
from rapid_ising.job import Decoded, Finished, Job, Submission, SubmittedJob
from rapid_ising.request import Request
from rapid_ising.typing import States
from rapid_ising.validation import Seed, generator, inverse_temperature, positive_integer, rectangular, spins

Problem = IsingModel | dimod.BinaryQuadraticModel


class Backend(ABC):
    """An Ising machine, or a stage around one.

    A machine derives from ``LocalBackend`` when it finishes at once, else from ``Machine``; a stage from
    ``rapid_ising.machine.Stage``. Each is final: to change what a machine does, put a stage around it. Its
    options are the fields of a frozen dataclass.
    """

    name: ClassVar[str]
    capabilities: Capabilities

    @property
    def published(self) -> Capabilities:
        """What is known of the machine without asking it, for tables.

        The same as ``capabilities``, but for a machine that is itself asked for them.
        """
        return self.capabilities

    def require(self) -> None:
        """Raise what keeps the machine from being asked: a package, token or address missing; sends nothing.

        Raises
        ------
        MissingDependencyError, AuthenticationError, InvalidParameterError
            The message says what is missing and how to give it. What computes here needs nothing.
        """

    def sample(
        self,
        problem: Problem,
        *,
        num_reads: int = 1,
        beta: float = 1.0,
        seed: Seed = None,
        initial_states: Any = None,
        deadline: float | None = None,
    ) -> dimod.SampleSet:
        r"""Return low-energy states of ``problem``, wanted from the Boltzmann law.

        .. math:: p(s) \propto e^{-\beta E(s)}

        Parameters
        ----------
        problem
            An IsingModel or a BQM of either vartype.
        num_reads
            The number of rows wanted, a multiset.
        beta
            The inverse temperature; infinity asks for ground states. A machine whose temperature cannot be
            set says so in ``capabilities.temperature`` and in the result's info.
        seed
            An int or a numpy Generator; the same seed gives the same samples on the same machine. A machine
            that cannot be seeded takes a Generator only, for what is drawn around it: gauges, ties, parts.
        initial_states
            States that the reads start from, repeated in turn up to ``num_reads``: an array in the
            problem's vartype, its columns in sorted order of the labels, or a SampleSet.
        deadline
            The seconds that the call may take.

        Returns
        -------
        dimod.SampleSet
            In the problem's own variables and vartype, energies recomputed from the problem that was
            asked; ``info["rapid_ising"]`` says how the samples came about.

        Raises
        ------
        InvalidParameterError, InvalidDataError
            If an argument is out of range.
        ProblemTooLargeError, CapabilityError
            If the machine cannot serve the request; nothing was sent.
        BackendError, DeadlineExceededError
            If the machine fails or takes too long.
        """
        return self.submit(
            problem,
            num_reads=num_reads,
            beta=beta,
            seed=seed,
            initial_states=initial_states,
            deadline=deadline,
        ).result()

    def submit(
        self,
        problem: Problem,
        *,
        num_reads: int = 1,
        beta: float = 1.0,
        seed: Seed = None,
        initial_states: Any = None,
        deadline: float | None = None,
    ) -> Job:
        """Start what ``sample`` does and return its Job; local machines finish at once."""
        request = self._request(problem, num_reads, beta, seed, initial_states, deadline)
        send = self._accept(request)
        self.require()
        return SubmittedJob(request, send())

    def check(self, problem: Problem, *, num_reads: int = 1, beta: float = 1.0) -> None:
        """Raise what ``sample`` would raise when the machine cannot serve the request; sends nothing."""
        self._accept(self._request(problem, num_reads, beta, None, None, None))

    @abstractmethod
    def _accept(self, request: Request) -> Callable[[], Submission]:
        """Raise when the request cannot be served, all the way to the machine; return what sends it."""

    def for_refresh(self, sweeps: int) -> Self:
        """Return this machine set to run ``sweeps`` sweeps when it starts from given states.

        A machine without such a setting returns itself.
        """
        return self

    def _request(
        self,
        problem: Problem,
        num_reads: int,
        beta: float,
        seed: Seed,
        initial_states: Any,
        deadline: float | None,
    ) -> Request:
        limit = Deadline(deadline)
        reads = positive_integer("num_reads", num_reads)
        inverse = inverse_temperature(beta)
        if not (seed is None or self.capabilities.seedable or isinstance(seed, np.random.Generator)):
            raise CapabilityError(
                f"{self.name} cannot be seeded: leave seed out, or give a numpy Generator, which seeds what "
                "the stages around it draw"
            )
        if isinstance(problem, IsingModel):
            model, vartype, asked = problem, dimod.SPIN, None
            variables: list[Hashable] = list(range(model.num_variables))
        elif isinstance(problem, dimod.BinaryQuadraticModel):
            model, vartype = IsingModel.from_bqm(problem), problem.vartype
            asked = model, problem
            variables = canonical_variables(problem)
        else:
            raise InvalidParameterError(
                f"a problem is an IsingModel or a dimod.BinaryQuadraticModel, not {type(problem).__name__}"
            )
        start = None
        if initial_states is not None:
            if not self.capabilities.initial_states:
                raise CapabilityError(f"{self.name} cannot start from given states: leave them out")
            start = _initial_states(initial_states, variables, vartype, reads)
        provenance = {
            "backend": self.name,
            "num_reads": reads,
            "beta": inverse,
            "temperature": self.capabilities.temperature,
            "seed": int(seed) if isinstance(seed, numbers.Integral) else None,
        }
        return Request(
            model,
            reads,
            inverse,
            generator(seed),
            start,
            limit,
            variables,
            vartype,
            self.capabilities.returns,
            provenance,
            asked=asked,
        )


class Machine(Backend):
    """A machine that is asked directly; it provides ``_submit``."""

    def _accept(self, request: Request) -> Callable[[], Submission]:
        self.capabilities.check(
            self.name, request.model, request.num_reads, request.variables, beta=request.beta
        )
        self._check(request)
        return lambda: Decoded(self._submit(request), request.counted)

    def _check(self, request: Request) -> None:
        """Raise when the machine cannot serve this request for a reason that no capability states."""

    @abstractmethod
    def _submit(self, request: Request) -> Submission:
        """Start a checked request."""


class LocalBackend(Machine):
    """A machine that computes here and finishes at once; it provides ``_draw``."""

    def _submit(self, request: Request) -> Submission:
        began = time.perf_counter()
        if request.model.num_variables == 0:
            states: States = np.zeros((request.num_reads, 0), np.int8)
            details: Mapping[str, Any] = {}
        else:
            states, details = self._draw(request)
        request.deadline.check(self.name)
        stage = {"stage": self.name, **details, "seconds": time.perf_counter() - began}
        return Finished(request.answer(states, [stage]))

    @abstractmethod
    def _draw(self, request: Request) -> tuple[States, Mapping[str, Any]]:
        """Return the states, one row a read, and what to record about how they came about."""


def _initial_states(given: Any, variables: list[Hashable], vartype: dimod.Vartype, num_reads: int) -> States:
    if isinstance(given, dimod.SampleSet):
        given = given.change_vartype(vartype, inplace=False)
        if set(given.variables) != set(variables):
            raise InvalidDataError("the variables of initial_states are not those of the problem")
        columns = [given.variables.index(v) for v in variables]
        given = np.repeat(given.record.sample, given.record.num_occurrences, axis=0)[:, columns]
    if vartype is dimod.BINARY:
        bits = rectangular("initial_states", given)
        if not np.isin(bits, (0, 1)).all():
            raise InvalidDataError("initial_states of a binary problem must be 0 or 1")
        given = 2 * bits.astype(np.int8) - 1
    rows = spins("initial_states", given, len(variables))
    if not 1 <= len(rows) <= num_reads:
        raise InvalidDataError(
            f"initial_states has {len(rows)} rows for {num_reads} reads: give 1 to {num_reads}, "
            "fewer are repeated in turn"
        )
    return rows[np.arange(num_reads) % len(rows)]
