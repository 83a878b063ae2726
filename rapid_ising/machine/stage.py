"""What all stages are: a Backend around a Backend that changes the request on its way to the machine."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
from dimod.core.sampler import Sampler

from rapid_ising.backend import Backend
from rapid_ising.capabilities import Capabilities
from rapid_ising.job import Decoded, Submission
from rapid_ising.machine.parts import Parts
from rapid_ising.registry import as_backend
from rapid_ising.request import Answer, Request
from rapid_ising.validation import positive_integer

Decode = Callable[[Answer], Answer]
"""The way back through a stage: from the machine's answer to the asker's, with the stage's record added."""


@dataclasses.dataclass(frozen=True)
class Stage(Backend):
    """A Backend around a Backend.

    It bears the machine's name, offers what the machine can do with this difference taken away, and adds one
    record to ``info["rapid_ising"]["stages"]``. A stage derives from ``PlainStage`` or from ``SplitStage``.

    Parameters
    ----------
    backend
        A name, a Backend (so another stage), or any ``dimod.Sampler``.
    """

    stage: ClassVar[str]
    """The name of the stage in records and plans."""
    does: ClassVar[str]
    """What it does, in a few words, for plans."""
    measured: ClassVar[frozenset[str]] = frozenset()
    """What its record says of the answer, which a plan cannot know."""
    rehearsed: ClassVar[bool] = True
    """Whether a plan can run it on states drawn at random: not a stage that draws conclusions from them."""
    remembers: ClassVar[bool] = False
    """Whether what it does with a request hangs on those before: it has one history, or one file."""

    backend: Backend | Sampler | str
    capabilities: Capabilities = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        inner = as_backend(self.backend)
        # The way to set a field of a frozen dataclass.
        object.__setattr__(self, "backend", inner)
        object.__setattr__(self, "name", inner.name)
        self._check_options(inner.capabilities)
        object.__setattr__(self, "capabilities", self._offered(inner.capabilities))

    @property
    def inner(self) -> Backend:
        """The stage or machine inside."""
        return as_backend(self.backend)

    def _check_options(self, facts: Capabilities) -> None:
        """Raise when an option is out of its range, or does not fit the machine inside."""

    def _offered(self, facts: Capabilities) -> Capabilities:
        """Return what this stage offers around a machine of these capabilities."""
        return facts

    def require(self) -> None:
        """Raise what keeps the machine inside from being asked; sends nothing."""
        self.inner.require()

    def for_refresh(self, sweeps: int) -> Self:
        """Return this stage around the machine set to run ``sweeps`` sweeps from given states."""
        inner = self.inner.for_refresh(sweeps)
        return self if inner is self.inner else dataclasses.replace(self, backend=inner)

    def around(self, machine: Backend) -> Self:
        """Return this stage around a machine that stands in for its own, here in this process."""
        return dataclasses.replace(self, backend=machine)

    def _asked(self, request: Request, **changes: Any) -> Request:
        """Return the request to the machine inside: this one with some fields changed."""
        return dataclasses.replace(request, returns=self.inner.capabilities.returns, **changes)

    def _shares(self, request: Request, parts: int) -> Iterator[Request]:
        """Yield the requests for so many nearly equal shares of the reads, each with its starts."""
        bounds = [request.num_reads * part // parts for part in range(parts + 1)]
        for start, stop in pairwise(bounds):
            states = request.initial_states
            yield self._asked(
                request,
                num_reads=stop - start,
                initial_states=None if states is None else states[start:stop],
            )

    def _refuse(self, request: Request) -> None:
        if self.capabilities == self.inner.capabilities:
            # The stage or machine inside looks at the same.
            return
        self.capabilities.check(
            self.name, request.model, request.num_reads, request.variables, beta=request.beta
        )

    def _sender(self, request: Request, decode: Decode) -> Callable[[], Submission]:
        """Return what sends a request to the machine inside, once that has accepted it."""
        send = self.inner._accept(request)
        return lambda: Decoded(send(), decode)


@dataclasses.dataclass(frozen=True)
class PlainStage(Stage):
    """A stage that asks the machine once for each request; it provides ``_encode``."""

    def _accept(self, request: Request) -> Callable[[], Submission]:
        self._refuse(request)
        return self._sender(*self._encode(request))

    @abstractmethod
    def _encode(self, request: Request) -> tuple[Request, Decode]:
        """Return the request for the machine inside, and the way back of its answer."""


@dataclasses.dataclass(frozen=True)
class SplitStage(Stage):
    """A stage that asks the machine several times, each time for some of the reads; it provides ``_split``.

    Parameters
    ----------
    in_flight
        How many of the calls may be with the stage or machine inside at once; two such stages, one around the
        other, have the product of both with the machine.
    """

    counts: ClassVar[str] = "calls"
    """What the record calls the number of parts."""

    in_flight: int = dataclasses.field(default=4, kw_only=True)

    def _check_options(self, facts: Capabilities) -> None:
        positive_integer("in_flight", self.in_flight)

    def _accept(self, request: Request) -> Callable[[], Submission]:
        self._refuse(request)
        sends = []
        for part, decode in self._split(request):
            # Random numbers of its own, since parts may come back in any order.
            own = np.random.default_rng(request.rng.integers(2**32, size=4))
            sends.append(self._sender(dataclasses.replace(part, rng=own), decode))
        distinct = self.inner.capabilities.returns == "distinct"
        return lambda: Parts(
            self.stage, sends, self.in_flight, request.deadline, counts=self.counts, distinct=distinct
        )

    @abstractmethod
    def _split(self, request: Request) -> Iterable[tuple[Request, Decode]]:
        """Return the requests for the machine inside, in order, each with its way back."""
