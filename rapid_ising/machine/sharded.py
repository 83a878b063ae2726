"""The reads of one request spread over threads, processes or a cluster."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import ClassVar, Self, final

import numpy as np

from rapid_ising.backend import Backend
from rapid_ising.capabilities import Capabilities
from rapid_ising.errors import InvalidParameterError, RapidIsingError
from rapid_ising.job import Finished, Submission
from rapid_ising.machine.parts import complete
from rapid_ising.machine.stage import Stage
from rapid_ising.parallel import Engine, as_done, check_engine, engine_in_use
from rapid_ising.registry import as_backend
from rapid_ising.request import Answer, Request
from rapid_ising.use import Use
from rapid_ising.validation import finite, positive_integer


@final
@dataclasses.dataclass(frozen=True)
class Sharded(Stage):
    """Split the reads into shards, each with random numbers of its own, and run them side by side.

    The shards follow from ``shards`` and the number of reads alone, and are put together in their order: the
    same seed gives the same samples whatever the engine and the number of workers. A shard whose process died
    is run again. The machine is one that computes, not one behind a service.

    Parameters
    ----------
    backend
        The machine.
    shards
        Into how many parts the reads are split; no more than there are reads. More than workers, so that all
        have something to do to the end.
    engine
        "threads" for machines that release the interpreter lock, as dwave-samplers does; "processes";
        "serial"; or None for what ``joblib.parallel_config`` says, as ``joblib.parallel_config("dask")``, and
        without it local processes. For all but the first and the last the machine must pickle.
    workers
        How many shards run at once; None is as joblib is told, and without it as many as the library has
        threads. Beside others a shard computes on one thread. A cluster has its own number.
    timeout
        The most seconds that may pass without a shard coming in.

    Raises
    ------
    IncompleteError
        If a shard fails: ``samples`` are the reads of the others.
    InvalidParameterError
        If the machine is behind a service, or a stage around it remembers what was asked before.

    Examples
    --------
    >>> from rapid_ising import IsingModel
    >>> machine = Sharded("exact", shards=2, engine="threads", workers=2)
    >>> answer = machine.sample(IsingModel([9.0], [[0.0]]), num_reads=3, seed=0)
    >>> record = answer.info["rapid_ising"]["stages"][0]
    >>> record["shards"], record["engine"], answer.record.sample.ravel()
    (2, 'threads', array([-1, -1, -1], dtype=int8))
    """

    stage: ClassVar[str] = "sharded"
    does: ClassVar[str] = "spreads the reads over workers"

    shards: int = 8
    # None of these changes a sample, so that a checkpoint does not compare them.
    engine: Engine | None = dataclasses.field(default=None, compare=False)
    workers: int | None = dataclasses.field(default=None, compare=False, kw_only=True)
    timeout: float = dataclasses.field(default=3600.0, compare=False, kw_only=True)

    def __post_init__(self) -> None:
        machine = as_backend(self.backend)
        # Before a machine that is itself asked for its capabilities is.
        if machine.published.remote:
            raise InvalidParameterError(
                f"{machine.name} is behind a service, which computes nothing here: split its reads with "
                "Batched(machine, in_flight=4)"
            )
        super().__post_init__()

    def _check_options(self, facts: Capabilities) -> None:
        positive_integer("shards", self.shards)
        check_engine(self.engine, self.workers)
        finite("timeout", self.timeout, minimum=0, exclusive=True)
        part = self.inner
        while isinstance(part, Stage):
            if part.remembers:
                raise InvalidParameterError(
                    f"{type(part).__name__} remembers what was asked before, and each worker would have "
                    f"another memory: put it around, {type(part).__name__}(Sharded(...)), or leave it out"
                )
            part = part.inner

    def _offered(self, facts: Capabilities) -> Capabilities:
        most = facts.reads_a_call
        return dataclasses.replace(
            facts, max_reads=None if most is None else most * self.shards, max_call_time=None
        )

    def around(self, machine: Backend) -> Self:
        """Return this stage around a machine that stands in for its own, one shard after the other."""
        return dataclasses.replace(self, backend=machine, engine="serial")

    def _accept(self, request: Request) -> Callable[[], Submission]:
        self._refuse(request)
        shares = list(self._shares(request, min(self.shards, request.num_reads)))
        # Looked at before anything runs, with random numbers that stay unused; the others are no larger.
        self.inner._accept(dataclasses.replace(shares[-1], rng=np.random.default_rng(0)))
        seeds = np.random.SeedSequence(request.rng.integers(2**32, size=4).tolist()).spawn(len(shares))
        # Each with a BQM of its own where one is asked: workers get the model alone, threads share nothing.
        shards = [
            Shard(
                self.inner,
                dataclasses.replace(share, rng=np.random.default_rng(seed), use=Use(), asked=None),
            )
            for share, seed in zip(shares, seeds, strict=True)
        ]
        return lambda: Finished(self._run(request, shards))

    def _run(self, request: Request, shards: list[Shard]) -> Answer | RapidIsingError:
        """Return the answers of the shards as one, or the error that stands for them."""
        engine = engine_in_use(self.engine, self.workers)
        outcomes: dict[int, tuple[Answer | RapidIsingError, Use]] = {}
        lost: RapidIsingError | None = None
        try:
            # What came in before an error stays.
            outcomes.update(
                as_done(
                    shards,
                    engine=self.engine,
                    workers=self.workers,
                    deadline=request.deadline,
                    patience=self.timeout,
                )
            )
        except RapidIsingError as error:
            lost = error
        told = [outcomes[place][0] for place in sorted(outcomes)]
        for _, used in outcomes.values():
            request.use.add(used)
        arrived = [outcome for outcome in told if isinstance(outcome, Answer)]
        failed = next((outcome for outcome in told if not isinstance(outcome, Answer)), lost)
        distinct = self.inner.capabilities.returns == "distinct"
        try:
            return complete(
                self.stage, arrived, len(shards), failed, counts="shards", distinct=distinct, engine=engine
            )
        except RapidIsingError as error:
            return error


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Shard:
    """Some of the reads of a request, to be run anywhere."""

    machine: Backend
    request: Request

    def __call__(self) -> tuple[Answer | RapidIsingError, Use]:
        """Return the machine's answer, or its error, with what it took: other shards go on."""
        try:
            self.request.deadline.check(self.machine.name)
            return self.machine._accept(self.request)().answer(), self.request.use
        except RapidIsingError as error:
            return error, self.request.use
