"""Laws of refusal: what a backend cannot take is an error of ours, raised by ``submit``, before any work."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import dimod
import numpy as np
import pytest

from rapid_ising.backend import Backend
from rapid_ising.capabilities import Capabilities
from rapid_ising.couplings import Sparse
from rapid_ising.errors import (
    CapabilityError,
    InvalidDataError,
    InvalidParameterError,
    InvalidProblemError,
    ProblemTooLargeError,
    RapidIsingError,
)
from rapid_ising.ising import IsingModel

BAD_ARGUMENTS = [
    ("num_reads", 0),
    ("num_reads", -1),
    ("num_reads", 2.5),
    ("num_reads", None),
    ("beta", -0.5),
    ("beta", math.nan),
    ("beta", "cold"),
    ("deadline", 0),
    ("deadline", -1.0),
    ("deadline", math.nan),
    ("deadline", "soon"),
]
BAD_PROBLEMS = {
    "NaN coupling": dimod.BinaryQuadraticModel({}, {(0, 1): math.nan}, "SPIN"),
    "infinite coupling": dimod.BinaryQuadraticModel({}, {("a", "b"): -math.inf}, "BINARY"),
    "NaN field": dimod.BinaryQuadraticModel({0: math.nan}, {}, "SPIN"),
    "NaN offset": dimod.BinaryQuadraticModel({0: 1.0}, {}, math.nan, "SPIN"),
}
BAD_STATES = {
    "too wide": [[1, -1, 1]],
    "too narrow": [[1]],
    "bits for spins": [[0, 1]],
    "not whole": [[0.5, 1.0]],
    "NaN": [[math.nan, 1.0]],
    "ragged": [[1, -1], [1]],
    "text": "up",
    "more rows than reads": [[1, 1]] * 4,
    "no rows": np.zeros((0, 2)),
    "other variables": dimod.SampleSet.from_samples({"a": 1, "b": 1}, vartype="SPIN", energy=0),
}


def _pair(field: float = 0.0, coupling: float = 0.0) -> IsingModel:
    return IsingModel([field, 0.0], [[0.0, coupling], [coupling, 0.0]])


def _beyond(facts: Capabilities) -> Iterator[tuple[Any, dict[str, Any], type[RapidIsingError]]]:
    """Yield requests that go beyond each limit that ``facts`` claims, and the error of each."""
    if facts.max_variables is not None:
        n = facts.max_variables + 1
        yield IsingModel(np.zeros(n), Sparse(n, [], [], [])), {}, ProblemTooLargeError
    if facts.max_reads is not None:
        yield _pair(), {"num_reads": facts.max_reads + 1}, CapabilityError
    if facts.max_beta is not None:
        yield _pair(), {"beta": math.inf}, CapabilityError
    if not facts.fields:
        yield _pair(field=1.0), {}, CapabilityError
    if facts.fields and facts.field_range is not None:
        for limit in facts.field_range:
            yield _pair(field=limit + math.copysign(1, limit)), {}, CapabilityError
    if facts.coupling_range is not None:
        for limit in facts.coupling_range:
            yield _pair(coupling=limit + math.copysign(1, limit)), {}, CapabilityError
    if facts.integer_coefficients:
        yield _pair(coupling=0.5), {}, CapabilityError
    if facts.topology is not None:
        nodes = list(facts.topology)
        apart = ((u, v) for u in nodes for v in nodes if u != v and not facts.topology.has_edge(u, v))
        pair = next(apart, None)
        if pair is not None:
            yield dimod.BinaryQuadraticModel({}, {pair: 1.0}, "SPIN"), {}, CapabilityError


class Limits:
    """The laws of refusal."""

    @pytest.mark.parametrize(("argument", "value"), BAD_ARGUMENTS)
    def test_bad_arguments_are_refused(self, backend: Backend, argument: str, value: Any) -> None:
        """An argument out of its range is an InvalidParameterError that names it."""
        with pytest.raises(InvalidParameterError, match=argument):
            backend.submit(_pair(), **{argument: value})

    @pytest.mark.parametrize("seed", [-1, 1.5, "lucky"])
    def test_bad_seeds_are_refused(self, backend: Backend, seed: Any) -> None:
        """A seed is None, an integer of at least zero, or a Generator."""
        error = InvalidParameterError if backend.capabilities.seedable else CapabilityError
        with pytest.raises(error, match="seed"):
            backend.submit(_pair(), seed=seed)

    @pytest.mark.parametrize("kind", BAD_PROBLEMS)
    def test_bad_problems_are_refused(self, backend: Backend, kind: str) -> None:
        """A problem with a value that is not finite is an InvalidProblemError."""
        with pytest.raises(InvalidProblemError, match="finite"):
            backend.submit(BAD_PROBLEMS[kind])

    @pytest.mark.parametrize("problem", [None, {"a": 1.0}, [[0.0, 1.0], [1.0, 0.0]]], ids=repr)
    def test_other_objects_are_refused(self, backend: Backend, problem: Any) -> None:
        """What is neither an IsingModel nor a BQM is an InvalidParameterError."""
        with pytest.raises(InvalidParameterError, match="problem"):
            backend.submit(problem)

    def test_unknown_arguments_are_refused(self, backend: Backend) -> None:
        """Options belong to the constructor; a typo in a call is a TypeError."""
        with pytest.raises(TypeError, match="num_raeds"):
            backend.sample(_pair(), **{"num_raeds": 3})

    @pytest.mark.parametrize("kind", BAD_STATES)
    def test_bad_initial_states_are_refused(self, backend: Backend, kind: str) -> None:
        """Starting states of a wrong width or of other values are refused; all are, where none are used."""
        error = InvalidDataError if backend.capabilities.initial_states else CapabilityError
        with pytest.raises(error, match="states"):
            backend.submit(_pair(), num_reads=3, initial_states=BAD_STATES[kind])

    def test_claimed_limits_are_enforced(self, backend: Backend) -> None:
        """A request beyond any limit that the capabilities claim is refused with the machine's name."""
        for problem, arguments, error in _beyond(backend.capabilities):
            for request in (backend.check, backend.submit):
                with pytest.raises(error, match=re.escape(backend.name)):
                    request(problem, **arguments)
