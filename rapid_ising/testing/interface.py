"""Laws of the call: what comes back, in whose variables, with which energies, seeds and provenance."""

from __future__ import annotations

import inspect
import json
from collections.abc import Hashable, Sequence

import dimod
import numpy as np
import pytest

from rapid_ising.backend import Backend
from rapid_ising.capabilities import Capabilities
from rapid_ising.errors import CapabilityError, DeadlineExceededError
from rapid_ising.ising import IsingModel
from rapid_ising.job import Job
from rapid_ising.testing.models import REFERENCE_MODELS
from rapid_ising.testing.reads import SEED, at_most, claimed, claims_law, fitting, seeded, states

LABELS: dict[str, Sequence[Hashable]] = {
    "integers": (7, 3, 11, 0, 5),
    "text": ("d", "a", "e", "b", "c"),
    "mixed": ("d", 3, ("a", 1), frozenset({2}), 0),
}
"""Labels of five spins; the mixed ones cannot be sorted."""


class Interface:
    """The laws of the call."""

    def test_it_is_described(self, backend: Backend) -> None:
        """A backend has a name, a record of what it can do, and the signatures of the seam."""
        assert isinstance(backend, Backend)
        assert isinstance(backend.name, str)
        assert backend.name
        assert isinstance(backend.capabilities, Capabilities)
        for method in ("sample", "submit"):
            ours = inspect.signature(getattr(Backend, method)).parameters.values()
            theirs = inspect.signature(getattr(type(backend), method)).parameters.values()
            assert [(p.name, p.kind, p.default) for p in theirs] == [
                (p.name, p.kind, p.default) for p in ours
            ]

    @pytest.mark.parametrize("num_reads", [1, 100])
    def test_every_read_is_a_row(self, backend: Backend, num_reads: int) -> None:
        """A multiset has ``num_reads`` rows, repeated states included; distinct states come once each."""
        # One spin has two states, so that a hundred reads must repeat them.
        problem = fitting(backend, IsingModel([0.0], [[0.0]]))
        num_reads = at_most(backend, num_reads)
        answer = backend.sample(problem, num_reads=num_reads, **seeded(backend))
        assert isinstance(answer, dimod.SampleSet)
        if backend.capabilities.returns == "multiset":
            assert len(answer) == num_reads
            assert (answer.record.num_occurrences == 1).all()
        else:
            assert 1 <= len(answer) <= min(num_reads, 2)
            assert len(set(states(answer, [0]))) == len(answer)

    @pytest.mark.parametrize("name", REFERENCE_MODELS)
    def test_energies_are_those_of_the_asked_problem(self, backend: Backend, name: str) -> None:
        """Each row carries the energy of its state in the problem that was asked."""
        model = REFERENCE_MODELS[name]
        answer = backend.sample(
            fitting(backend, model.problem()), num_reads=at_most(backend, 20), **seeded(backend)
        )
        assert set(answer.variables) == set(range(len(model.fields)))
        energies = [model.energy(state) for state in states(answer, range(len(model.fields)))]
        np.testing.assert_allclose(answer.record.energy, energies, rtol=1e-6, atol=1e-6)

    @pytest.mark.parametrize("vartype", [dimod.SPIN, dimod.BINARY], ids=["spin", "binary"])
    @pytest.mark.parametrize("kind", LABELS)
    def test_labels_and_vartype_are_kept(self, backend: Backend, kind: str, vartype: dimod.Vartype) -> None:
        """The answer is in the problem's own variables and vartype, its offset in the energies."""
        model, labels = REFERENCE_MODELS["dense"], LABELS[kind]
        bqm = model.bqm(labels, vartype)
        bqm.offset += 1.25
        fitting(backend, bqm)
        asked = bqm.copy()
        answer = backend.sample(bqm, num_reads=at_most(backend, 20), **seeded(backend))
        assert bqm == asked, "the problem was changed"
        assert set(answer.variables) == set(labels)
        assert answer.vartype is bqm.vartype
        assert set(np.unique(answer.record.sample)) <= bqm.vartype.value
        energies = [1.25 + model.energy(state) for state in states(answer, labels)]
        np.testing.assert_allclose(answer.record.energy, energies, rtol=1e-6, atol=1e-6)

    def test_order_of_insertion_does_not_matter(self, backend: Backend) -> None:
        """One model built in two orders gives the same samples for one seed."""
        claimed(backend.capabilities.seedable, backend, "seedable")
        model, labels = REFERENCE_MODELS["dense"], LABELS["text"]
        fitting(backend, model.bqm(labels))
        first, second = (
            backend.sample(model.bqm(labels, backwards=backwards), num_reads=at_most(backend, 20), seed=SEED)
            for backwards in (False, True)
        )
        assert states(first, labels) == states(second, labels)

    def test_a_seed_fixes_the_samples(self, backend: Backend) -> None:
        """The same seed, an int or a Generator, gives the same samples; one without effect is refused."""
        model = REFERENCE_MODELS["dense"]
        problem = fitting(backend, model.problem())
        if not backend.capabilities.seedable:
            with pytest.raises(CapabilityError, match="seed"):
                backend.submit(problem, seed=SEED)
            return
        spins = range(len(model.fields))

        def reads(seed: int | np.random.Generator) -> list[tuple[int, ...]]:
            return states(backend.sample(problem, num_reads=at_most(backend, 20), beta=0.5, seed=seed), spins)

        assert reads(SEED) == reads(SEED)
        rng = np.random.default_rng(SEED)
        first, second = reads(rng), reads(rng)
        assert first == reads(np.random.default_rng(SEED)) == reads(SEED)
        if backend.capabilities.temperature == "settable":
            # Twenty reads of five spins near random agree by chance once in 10^20.
            assert first != second, "a Generator must advance"
            assert first != reads(SEED + 1), "another seed must give other samples"

    def test_without_a_seed_samples_differ(self, backend: Backend) -> None:
        """Two calls without a seed are independent."""
        claims_law(backend, 0.5)
        model = REFERENCE_MODELS["dense"]
        problem = fitting(backend, model.problem())
        first, second = (backend.sample(problem, num_reads=at_most(backend, 20), beta=0.5) for _ in range(2))
        assert states(first, range(5)) != states(second, range(5))

    def test_provenance_is_recorded(self, backend: Backend) -> None:
        """``info["rapid_ising"]`` says, in JSON and without secrets, how the samples came about."""
        problem = fitting(backend, REFERENCE_MODELS["whole-numbers"].problem())
        reads = at_most(backend, 3)
        answer = backend.sample(problem, num_reads=reads, beta=1.0, **seeded(backend))
        record = answer.info["rapid_ising"]
        expected = {
            "backend": backend.name,
            "num_reads": reads,
            "beta": 1.0,
            "temperature": backend.capabilities.temperature,
            "seed": SEED if backend.capabilities.seedable else None,
        }
        assert {key: record.get(key) for key in expected} == expected
        assert record["stages"]
        assert all(stage["stage"] for stage in record["stages"])
        assert json.loads(json.dumps(record)) == record
        token = getattr(backend, "token", None)
        # A name for the outcome, so that a failing assert does not print the token.
        leaked = isinstance(token, str) and bool(token) and token in json.dumps(record) + repr(backend)
        assert not leaked, "the token is in the provenance or in the repr"

    def test_an_empty_problem_has_empty_states(self, backend: Backend) -> None:
        """A problem without variables has one state, the empty one, with the energy of the offset."""
        for problem in (
            IsingModel([], np.zeros((0, 0)), 1.5),
            dimod.BinaryQuadraticModel({}, {}, 1.5, "BINARY"),
        ):
            reads = at_most(backend, 3)
            answer = backend.sample(fitting(backend, problem), num_reads=reads)
            assert answer.record.sample.shape[1] == 0
            assert len(answer) == reads or backend.capabilities.returns == "distinct"
            assert (answer.record.energy == 1.5).all()

    def test_submit_returns_a_job(self, backend: Backend) -> None:
        """``submit`` returns a Job whose result is what ``sample`` returns."""
        model = REFERENCE_MODELS["whole-numbers"]
        problem = fitting(backend, model.problem())
        job = backend.submit(problem, num_reads=at_most(backend, 5), **seeded(backend))
        assert isinstance(job, Job)
        assert isinstance(job.id, str)
        answer = job.result()
        assert job.done()
        assert not job.cancel()
        assert states(job.result(), range(5)) == states(answer, range(5))
        if backend.capabilities.seedable:
            sampled = backend.sample(problem, num_reads=at_most(backend, 5), **seeded(backend))
            assert states(sampled, range(5)) == states(answer, range(5))

    def test_the_deadline_is_kept(self, backend: Backend) -> None:
        """A call that takes longer than its deadline raises; one that does not is not disturbed."""
        problem = fitting(backend, REFERENCE_MODELS["whole-numbers"].problem())
        with pytest.raises(DeadlineExceededError):
            backend.sample(problem, num_reads=at_most(backend, 5), deadline=1e-6)
        assert len(backend.sample(problem, num_reads=at_most(backend, 5), deadline=600.0)) >= 1
