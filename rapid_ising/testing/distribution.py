"""Laws of the samples themselves: the Boltzmann law, the temperature, ground states and starting states."""

from __future__ import annotations

import math
from collections import Counter
from typing import ClassVar

import dimod
import numpy as np
import pytest

from rapid_ising.backend import Backend
from rapid_ising.couplings import Dense
from rapid_ising.testing.models import REFERENCE_MODELS, ReferenceModel, State
from rapid_ising.testing.reads import claimed, claims_law, draw, fitting, seeded, states
from rapid_ising.total_variation import tolerance, total_variation

LABELS = ("spin d", "spin a", "spin e", "spin b", "spin c")
"""Labels of the five spins of a model whose sorted order is not the model's."""
PATTERN: State = (1, -1, -1, 1, -1, 1, 1)
"""A state without symmetry, the ground state of a Mattis magnet."""


def _mattis() -> ReferenceModel:
    """Return J_ij = -xi_i xi_j: two ground states, +xi and -xi, that no read crosses between in the cold."""
    n = len(PATTERN)
    pairs = {(i, j): float(-PATTERN[i] * PATTERN[j]) for i in range(n) for j in range(i + 1, n)}
    matrix = np.eye(n) - np.outer(PATTERN, PATTERN)
    return ReferenceModel("mattis", (0.0,) * n, pairs, Dense(matrix))


class Distribution:
    """The laws of the samples."""

    num_reads: ClassVar[int] = 4000
    """The reads that a law is told from."""

    def _hold(self, reads: list[State], model: ReferenceModel, beta: float) -> None:
        """Assert that ``reads`` are as near to the model's law as chance leaves independent draws."""
        law = model.law(beta)
        distance, limit = total_variation(reads, law), tolerance(law, len(reads))
        assert distance <= limit, (
            f"total variation {distance:.3f} between {len(reads)} reads of {model.name!r} and "
            f"exp(-{beta:g} E) / Z; draws from that law stay below {limit:.3f} but one time in a million"
        )

    @pytest.mark.parametrize("name", REFERENCE_MODELS)
    def test_reads_follow_the_boltzmann_law(self, backend: Backend, name: str) -> None:
        """Reads at beta = 1 are draws from exp(-E) / Z, in every structure of couplings."""
        claims_law(backend)
        model = REFERENCE_MODELS[name]
        problem = fitting(backend, model.problem())
        self._hold(draw(backend, problem, range(len(model.fields)), self.num_reads, 1.0), model, 1.0)

    @pytest.mark.parametrize("vartype", [dimod.SPIN, dimod.BINARY], ids=["spin", "binary"])
    def test_labels_carry_their_own_spins(self, backend: Backend, vartype: dimod.Vartype) -> None:
        """A labelled BQM of either vartype has the same law, each label with its own spin."""
        claims_law(backend)
        model = REFERENCE_MODELS["dense"]
        problem = fitting(backend, model.bqm(LABELS, vartype))
        self._hold(draw(backend, problem, LABELS, self.num_reads, 1.0), model, 1.0)

    @pytest.mark.parametrize("beta", [0.0, 0.5, 2.0])
    @pytest.mark.parametrize("name", ["dense", "bipartite", "whole-numbers"])
    def test_beta_is_obeyed(self, backend: Backend, name: str, beta: float) -> None:
        """Reads at another beta are draws from exp(-beta E) / Z; at beta = 0 all states are alike."""
        claims_law(backend, beta)
        model = REFERENCE_MODELS[name]
        problem = fitting(backend, model.problem())
        self._hold(draw(backend, problem, range(len(model.fields)), self.num_reads, beta), model, beta)

    @pytest.mark.parametrize("name", REFERENCE_MODELS)
    def test_infinite_beta_finds_ground_states(self, backend: Backend, name: str) -> None:
        """At beta = infinity a ground state is among the reads; an exact machine draws them all, evenly."""
        claims_law(backend)
        facts = backend.capabilities
        claimed(facts.max_beta is None, backend, f"beta = infinity: max_beta is {facts.max_beta}")
        model = REFERENCE_MODELS[name]
        problem = fitting(backend, model.problem())
        reads = draw(backend, problem, range(len(model.fields)), 200, math.inf)
        law = model.law(math.inf)
        assert any(law[state] > 0 for state in reads), f"no ground state of {name!r} in {len(reads)} reads"
        if facts.exact:
            self._hold(reads, model, math.inf)

    @pytest.mark.parametrize("given", ["spins", "bits", "sampleset"])
    def test_reads_start_from_the_initial_states(self, backend: Backend, given: str) -> None:
        """In the cold a read stays where it started; fewer states than reads are repeated in turn."""
        claims_law(backend, 8.0)
        claimed(backend.capabilities.initial_states, backend, "initial_states")
        model = _mattis()
        labels = [f"s{i}" for i in (3, 0, 6, 1, 5, 2, 4)]
        vartype = dimod.BINARY if given == "bits" else dimod.SPIN
        problem = fitting(backend, model.bqm(labels, vartype))
        opposite = tuple(-s for s in PATTERN)
        for chosen, copies in (([PATTERN], 24), ([opposite, PATTERN, PATTERN], 8)):
            # Arrays have their columns in sorted order of the labels; a SampleSet brings its own.
            columns = np.arange(len(labels)) if given == "sampleset" else np.argsort(labels)
            start = np.array(chosen, dtype=np.int8)[:, columns]
            initial = (
                dimod.SampleSet.from_samples((start, labels), energy=0, vartype="SPIN", sort_labels=False)
                if given == "sampleset"
                else (start + 1) // 2
                if given == "bits"
                else start
            )
            answer = backend.sample(
                problem,
                num_reads=copies * len(chosen),
                beta=8.0,
                initial_states=initial,
                **seeded(backend),
            )
            expected = Counter({s: copies * chosen.count(s) for s in set(chosen)})
            assert Counter(states(answer, labels)) == expected
