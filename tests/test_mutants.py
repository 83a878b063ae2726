"""The conformance suite bites: each wrong machine fails the test meant for it, and a right one none."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, final

import dimod
import numpy as np
import pytest

import rapid_ising as ri
from rapid_ising.errors import InvalidProblemError
from rapid_ising.testing import BackendConformance
from rapid_ising.testing.distribution import Distribution
from rapid_ising.typing import States

OUTSIDER = """
import pytest
from rapid_ising.testing import BackendConformance

class TestMine(BackendConformance):
    @pytest.fixture
    def backend(self, mutant):
        return mutant
"""


@final
@dataclasses.dataclass(frozen=True)
class Machine(ri.LocalBackend):
    """The exact law of another model, at another temperature, with something done to the states."""

    name: ClassVar[str] = "mutant"

    model: Callable[[ri.IsingModel], ri.IsingModel] = lambda model: model
    beta: Callable[[float], float] = lambda beta: beta
    states: Callable[[States], States] = lambda states: states
    capabilities: ri.Capabilities = ri.Capabilities()  # noqa: RUF009 - frozen

    def _draw(self, request: ri.Request) -> tuple[States, Mapping[str, Any]]:
        law = ri.enumerate_model(self.model(request.model), self.beta(request.beta), request.deadline)
        return self.states(law.sample(request.num_reads, request.rng)), {}


@final
@dataclasses.dataclass(frozen=True)
class Clerk(ri.Backend):
    """The exact machine behind a clerk who changes the request, or the answer."""

    name: ClassVar[str] = "mutant"

    before: Callable[[dict[str, Any]], dict[str, Any]] = lambda request: request
    after: Callable[[dimod.SampleSet], dimod.SampleSet] = lambda answer: answer
    capabilities: ri.Capabilities = ri.Capabilities()  # noqa: RUF009 - frozen
    token: str = dataclasses.field(default="not for the log", repr=False)
    shown: str = ""
    job: Callable[[dimod.SampleSet], ri.Job] | None = None

    def submit(
        self,
        problem: Any,
        *,
        num_reads: int = 1,
        beta: float = 1.0,
        seed: Any = None,
        initial_states: Any = None,
        deadline: float | None = None,
    ) -> ri.Job:
        request = {
            "problem": problem,
            "num_reads": num_reads,
            "beta": beta,
            "seed": seed,
            "initial_states": initial_states,
            "deadline": deadline,
        }
        answer = self.after(Machine().sample(**self.before(request)))
        return Given(answer) if self.job is None else self.job(answer)

    def _accept(self, request: ri.Request) -> Any:
        raise AssertionError("submit is all of it")


@final
class Lax(ri.LocalBackend):
    """A machine that takes any argument and drops what it does not know."""

    name: ClassVar[str] = "mutant"
    capabilities = ri.Capabilities()

    def sample(self, problem: Any, **options: Any) -> dimod.SampleSet:
        known = {"num_reads", "beta", "seed", "initial_states", "deadline"}
        return super().sample(problem, **{name: options[name] for name in known & options.keys()})

    def _draw(self, request: ri.Request) -> tuple[States, Mapping[str, Any]]:
        return ri.enumerate_model(request.model, request.beta).sample(request.num_reads, request.rng), {}


class Given(ri.Job):
    """A job that gives a result."""

    id = "local"
    finished: ClassVar[bool] = True

    def __init__(self, answer: dimod.SampleSet) -> None:
        self.answer = answer

    def done(self) -> bool:
        return self.finished

    def result(self, timeout: float | None = None) -> dimod.SampleSet:
        return self.answer

    def cancel(self) -> bool:
        return False


class Unfinished(Given):
    """A job that gives its result and says that it has none."""

    finished = False


def changed(model: ri.IsingModel, fields: Any = 1, couplings: Any = 1) -> ri.IsingModel:
    """Return the model with each field, and each coupling i < j, multiplied."""
    rows, columns, values = model.couplings.to_coo()
    return ri.IsingModel(
        model.fields * fields, ri.Sparse(model.num_variables, rows, columns, values * couplings), model.offset
    )


def first_flipped(values: Any) -> Any:
    """Return ones, with a minus for the largest of ``values``."""
    signs = np.ones(len(values))
    signs[np.argmax(np.abs(values))] = -1
    return signs


def resampled(states: States) -> States:
    """Return as many rows, but of each state as often as of any other."""
    distinct = np.unique(states, axis=0)
    return distinct[np.arange(len(states)) % len(distinct)]


PHYSICS = {
    "flipped fields": Machine(model=lambda m: changed(m, fields=-1)),
    "one flipped field": Machine(model=lambda m: changed(m, fields=first_flipped(m.fields))),
    "no fields": Machine(model=lambda m: changed(m, fields=0)),
    "flipped couplings": Machine(model=lambda m: changed(m, couplings=-1)),
    "one flipped coupling": Machine(
        model=lambda m: (
            changed(m, couplings=first_flipped(m.couplings.to_coo()[2]))
            if m.couplings.to_coo()[2].size
            else m
        )
    ),
    "couplings counted twice": Machine(model=lambda m: changed(m, couplings=2)),
    "signs of couplings only": Machine(
        model=lambda m: changed(m, couplings=1 / np.abs(m.couplings.to_coo()[2]))
    ),
    "beta x 1.3": Machine(beta=lambda beta: 1.3 * beta),
    "beta / 1.3": Machine(beta=lambda beta: beta / 1.3),
    "beta x 3": Machine(beta=lambda beta: 3 * beta),
    "permuted columns": Machine(states=lambda s: s[:, ::-1]),
    "rotated columns": Machine(states=lambda s: np.roll(s, 1, axis=1)),
    "flipped states": Machine(states=lambda s: -s),
    "distinct states, repeated": Machine(states=resampled),
}
"""Wrong samples in right answers: everything but the distribution is as it should be."""


def relabelled(answer: dimod.SampleSet) -> dimod.SampleSet:
    """Return the answer with the first two labels swapped."""
    labels = list(answer.variables)
    swapped = dict(zip(labels[:2], labels[1::-1], strict=True)) if len(labels) > 1 else {}
    result: dimod.SampleSet = answer.relabel_variables(swapped, inplace=False)
    return result


def informed(answer: dimod.SampleSet, **changes: Any) -> dimod.SampleSet:
    """Return the answer with another provenance."""
    answer.info["rapid_ising"].update(changes)
    return answer


def uninformed(answer: dimod.SampleSet) -> dimod.SampleSet:
    """Return the answer without provenance."""
    answer.info.clear()
    return answer


def in_order_of_insertion(request: dict[str, Any]) -> dict[str, Any]:
    """Draw a column for each variable in the order in which the asker happened to add it."""
    problem = request["problem"]
    if isinstance(problem, dimod.BinaryQuadraticModel) and isinstance(request["seed"], int):
        first = list(problem.variables)[:1]
        return {**request, "seed": request["seed"] + (first == ["d"])}
    return request


def upside_down(request: dict[str, Any]) -> dict[str, Any]:
    """Ask for the highest energies when the lowest are asked."""
    if request["beta"] == np.inf:
        return {**request, "problem": request["problem"].scaled(-1)}
    return request


def with_energies(answer: dimod.SampleSet, energies: Any) -> dimod.SampleSet:
    answer.record.energy[:] = energies
    return answer


def spoiled(request: dict[str, Any]) -> dict[str, Any]:
    """Scale the asker's own problem in place."""
    if isinstance(request["problem"], dimod.BinaryQuadraticModel):
        request["problem"].scale(2.0)
    return request


def replaced(name: str, value: Callable[[Any], Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda request: {**request, name: value(request[name])}


def unless_finite(problem: ri.IsingModel | dimod.BinaryQuadraticModel) -> Any:
    """Return the problem, an empty one where it holds a NaN or an infinity."""
    try:
        return problem if isinstance(problem, ri.IsingModel) else ri.IsingModel.from_bqm(problem)
    except InvalidProblemError:
        return ri.IsingModel([], np.zeros((0, 0)))


ANSWERS: dict[str, tuple[ri.Backend, str]] = {
    "deduplicated rows": (Machine(states=lambda s: np.unique(s, axis=0)), "test_every_read_is_a_row"),
    "aggregated rows": (Clerk(after=lambda a: a.aggregate()), "test_every_read_is_a_row"),
    "one row too few": (Clerk(after=lambda a: a.slice(len(a) - 1)), "test_every_read_is_a_row"),
    "energies of a scaled model": (
        Clerk(after=lambda a: with_energies(a, 2 * a.record.energy)),
        "test_energies_are_those_of_the_asked_problem",
    ),
    "energies of other rows": (
        Clerk(after=lambda a: with_energies(a, a.record.energy[::-1].copy())),
        "test_energies_are_those_of_the_asked_problem",
    ),
    "no offset": (
        Clerk(after=lambda a: with_energies(a, a.record.energy - 1.25)),
        "test_labels_and_vartype_are_kept",
    ),
    "swapped labels": (Clerk(after=relabelled), "test_labels_carry_their_own_spins"),
    "integer labels": (
        Clerk(after=lambda a: a.relabel_variables({v: i for i, v in enumerate(a.variables)}, inplace=False)),
        "test_labels_and_vartype_are_kept",
    ),
    "always spins": (
        Clerk(after=lambda a: a.change_vartype("SPIN", inplace=False)),
        "test_labels_and_vartype_are_kept",
    ),
    "a problem changed in place": (Clerk(before=spoiled), "test_labels_and_vartype_are_kept"),
    "columns in order of insertion": (
        Clerk(before=in_order_of_insertion),
        "test_order_of_insertion_does_not_matter",
    ),
    "a seed ignored": (Clerk(before=replaced("seed", lambda _: None)), "test_a_seed_fixes_the_samples"),
    "one seed for all": (Clerk(before=replaced("seed", lambda _: 7)), "test_a_seed_fixes_the_samples"),
    "a seed taken where none is claimed": (
        Clerk(capabilities=ri.Capabilities(seedable=False)),
        "test_a_seed_fixes_the_samples",
    ),
    "a hidden seed": (
        Clerk(before=replaced("seed", lambda seed: 7 if seed is None else seed)),
        "test_without_a_seed_samples_differ",
    ),
    "no provenance": (Clerk(after=uninformed), "test_provenance_is_recorded"),
    "provenance of another beta": (
        Clerk(after=lambda a: informed(a, beta=2.0)),
        "test_provenance_is_recorded",
    ),
    "arrays in the provenance": (
        Clerk(after=lambda a: informed(a, schedule=np.zeros(3))),
        "test_provenance_is_recorded",
    ),
    "a token in the provenance": (
        Clerk(after=lambda a: informed(a, token="not for the log")),
        "test_provenance_is_recorded",
    ),
    "a token in the repr": (Clerk(shown="not for the log"), "test_provenance_is_recorded"),
    "a deadline ignored": (
        Clerk(before=replaced("deadline", lambda _: None)),
        "test_the_deadline_is_kept",
    ),
    "reads clipped to one": (
        Clerk(before=replaced("num_reads", lambda n: max(1, int(n or 1)))),
        "test_bad_arguments_are_refused",
    ),
    "the size of beta": (Clerk(before=replaced("beta", abs)), "test_bad_arguments_are_refused"),
    "the size of the seed": (
        Clerk(before=replaced("seed", lambda seed: abs(seed) if isinstance(seed, int) else seed)),
        "test_bad_seeds_are_refused",
    ),
    "NaN read as nothing": (
        Clerk(before=replaced("problem", unless_finite)),
        "test_bad_problems_are_refused",
    ),
    "anything read as a problem": (
        Clerk(
            before=replaced("problem", lambda p: p if hasattr(p, "offset") else ri.IsingModel([0.0], [[0.0]]))
        ),
        "test_other_objects_are_refused",
    ),
    "any argument": (Lax(), "test_unknown_arguments_are_refused"),
    "another signature": (Lax(), "test_it_is_described"),
    "no states of an empty problem": (
        Clerk(after=lambda a: a if a.variables else a.slice(0)),
        "test_an_empty_problem_has_empty_states",
    ),
    "a job never done": (Clerk(job=Unfinished), "test_submit_returns_a_job"),
    "limits claimed and not enforced": (
        Clerk(capabilities=ri.Capabilities(max_reads=5000)),
        "test_claimed_limits_are_enforced",
    ),
    "the highest energies at infinity": (
        Clerk(before=upside_down),
        "test_infinite_beta_finds_ground_states",
    ),
    "beta = 1 at infinity, claimed to be exact": (
        Machine(beta=lambda beta: min(beta, 2.0), capabilities=ri.Capabilities(exact=True)),
        "test_infinite_beta_finds_ground_states",
    ),
    "initial states ignored": (
        Machine(capabilities=ri.Capabilities(initial_states=True)),
        "test_reads_start_from_the_initial_states",
    ),
    "initial states thrown away": (
        Clerk(
            before=replaced("initial_states", lambda _: None),
            capabilities=ri.Capabilities(initial_states=True),
        ),
        "test_bad_initial_states_are_refused",
    ),
}
"""Wrong answers, and the test that each must fail."""


class Witness:
    """A plugin that gives the fixture ``mutant`` and keeps the names of the tests that passed and failed."""

    def __init__(self, backend: ri.Backend) -> None:
        self.backend = backend
        self.outcomes: dict[str, set[str]] = {"passed": set(), "failed": set(), "skipped": set()}

    @pytest.fixture
    def mutant(self) -> ri.Backend:
        return self.backend

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.outcome].add(report.nodeid.split("::")[-1].split("[")[0])


@pytest.fixture(scope="module")
def outsider(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("outsider") / "test_mine.py"
    path.write_text(OUTSIDER)
    return path


def run(backend: ri.Backend, path: Path) -> Witness:
    """Run the suite on ``backend`` as an outsider's project does, inside this process."""
    plugin = Witness(backend)
    options = ["--import-mode=importlib", f"--rootdir={path.parent}", "-Werror", "-s", "-q", "--tb=no"]
    pytest.main([str(path), *options, "-p", "no:cacheprovider"], plugins=[plugin])
    return plugin


@pytest.mark.parametrize("backend", [Machine(), Clerk()], ids=["machine", "clerk"])
def test_the_right_machine_passes(backend: ri.Backend, outsider: Path) -> None:
    outcomes = run(backend, outsider).outcomes
    assert outcomes["failed"] == set()
    assert len(outcomes["passed"]) > 20
    assert outcomes["skipped"] == {"test_reads_start_from_the_initial_states"}


@pytest.mark.parametrize("mutation", PHYSICS)
def test_wrong_samples_fail_the_law_and_nothing_else(mutation: str, outsider: Path) -> None:
    failed = run(PHYSICS[mutation], outsider).outcomes["failed"]
    assert "test_reads_follow_the_boltzmann_law" in failed
    assert failed <= {name for name in dir(Distribution) if name.startswith("test_")}


def test_an_ignored_beta_fails_the_test_of_beta_alone(outsider: Path) -> None:
    backend = Machine(beta=lambda beta: 1.0)
    assert run(backend, outsider).outcomes["failed"] == {"test_beta_is_obeyed"}


@pytest.mark.parametrize("mutation", ANSWERS)
def test_wrong_answers_fail_the_test_meant_for_them(mutation: str, outsider: Path) -> None:
    backend, test = ANSWERS[mutation]
    assert test in run(backend, outsider).outcomes["failed"]


def test_every_law_has_a_mutant() -> None:
    held = {test for _, test in ANSWERS.values()} | {
        "test_reads_follow_the_boltzmann_law",
        "test_beta_is_obeyed",
    }
    laws = {name for name in dir(BackendConformance) if name.startswith("test_")}
    assert laws - held == set()


def test_failures_explain_themselves_outside_this_project(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        """
import numpy as np, pytest, rapid_ising as ri
from rapid_ising.testing import BackendConformance

class Mine(ri.LocalBackend):
    name = "mine"
    capabilities = ri.Capabilities()
    def _draw(self, request):
        return np.ones((request.num_reads, request.model.num_variables)), {}

class TestMine(BackendConformance):
    num_reads = 50
    @pytest.fixture
    def backend(self):
        return Mine()

class TestNothing(BackendConformance):
    pass
"""
    )
    answer = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-k",
            "boltzmann_law and dense",
            "-p",
            "no:cacheprovider",
            "test_mine.py",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert answer.returncode == 1
    assert "between 50 reads of 'dense' and exp(-1 E) / Z" in answer.stdout
    # The values of a bare assert, which pytest fills in only for modules registered with it.
    assert re.search(r"assert 0\.9\d+ <= 0\.\d+", answer.stdout)
    assert "give the fixture `backend`" in answer.stdout


def test_without_pytest_the_error_has_the_pip_line() -> None:
    code = "import sys; sys.modules['pytest'] = None; import rapid_ising.testing"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert "MissingDependencyError" in answer.stderr
    assert "pip install 'rapid-ising[testing]'" in answer.stderr
