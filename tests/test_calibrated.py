"""Any machine at the asked beta: temperatures of its own, limits, bills, jobs that take time."""

from __future__ import annotations

import dataclasses
import json
import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, final

import numpy as np
import pytest
from annealers import HiddenAnnealer, HiddenExact, calibration_study, random_rbm
from hypothesis import given, settings
from hypothesis import strategies as st

import rapid_ising as ri
from rapid_ising.errors import (
    BackendError,
    CapabilityError,
    DeadlineExceededError,
    IncompleteError,
    InvalidParameterError,
)
from rapid_ising.machine import Calibrated, PlainStage, Scaled, effective_beta
from rapid_ising.machine.calibration import Gain
from rapid_ising.notices import CalibrationWarning
from rapid_ising.testing import REFERENCE_MODELS, BackendConformance
from rapid_ising.typing import States

DENSE = REFERENCE_MODELS["dense"].problem()
EFFECTIVE = ri.Capabilities(temperature="effective")


def record_of(answer: Any) -> dict[str, Any]:
    record: dict[str, Any] = answer.info["rapid_ising"]["stages"][-1]
    assert record["stage"] == "calibrated"
    return record


class TestConformance(BackendConformance):
    """Settable or of its own temperature, hot or cold: the machine obeys the asked beta."""

    @pytest.fixture(
        params=[lambda: "exact", lambda: HiddenExact(0.4), lambda: HiddenExact(3.5)],
        ids=["exact", "hot", "cold"],
    )
    def backend(self, request: pytest.FixtureRequest) -> ri.Backend:
        return Calibrated(request.param())


@pytest.mark.parametrize("hidden", [0.4, 1.7, 3.5])
def test_the_study(hidden: float) -> None:
    """Fewer models than the study: over them the error is at most 1.5 times that of exact draws.

    The estimate is within 3 % of the hidden beta, or four of its errors where reads tell it no better.
    """
    cases = calibration_study((0.1, 0.3), (hidden,), range(2), sweeps=100)
    assert all(case.met for case in cases)
    errors = {
        name: math.fsum(getattr(case, name) ** 2 for case in cases) for name in ("exact", "calibrated", "raw")
    }
    assert errors["calibrated"] < 1.5**2 * errors["exact"]
    assert errors["raw"] > 5**2 * errors["exact"]
    for case in cases:
        assert abs(case.machine_beta - hidden) < max(0.03 * hidden, 4 * case.machine_error)


@pytest.mark.parametrize("hidden", [0.01, 0.2, 1.0, 5.0, 60.0])
@pytest.mark.parametrize("power", [-0.5, 0.0, 0.5])
def test_machines_of_any_temperature(hidden: float, power: float) -> None:
    """Also where beta does not follow the energies in proportion."""
    answer = Calibrated(HiddenExact(hidden, power), rounds=12).sample(DENSE, num_reads=3000, seed=1)
    record = record_of(answer)
    assert record["met"]
    assert abs(record["estimate"] - 1) <= max(0.03, 2 * record["error"])
    # What is told from the reads is true of the machine: four errors beyond the tolerance.
    true = hidden * record["factor"] * (record["factor"] * 0.9) ** power
    assert abs(true - 1) < 0.03 + 4 * record["error"]


def test_a_settable_machine_that_stops_short() -> None:
    @final
    @dataclasses.dataclass(frozen=True)
    class Lazy(ri.LocalBackend):
        name: ClassVar[str] = "lazy"
        capabilities = ri.Capabilities(max_beta=20.0)

        def _draw(self, request: ri.Request) -> tuple[States, Mapping[str, Any]]:
            law = ri.enumerate_model(request.model, 0.7 * request.beta)
            return law.sample(request.num_reads, request.rng), {"beta": request.beta}

    machine = Calibrated(Lazy())
    assert machine.capabilities.max_beta == 20.0
    answer = machine.sample(DENSE, num_reads=4000, beta=1.5, seed=0)
    record = record_of(answer)
    assert record["met"]
    assert abs(record["factor"] * 0.7 - 1) < 0.05
    assert abs(record["machine_beta"] - 1.5) < 0.05 * 1.5
    assert answer.info["rapid_ising"]["stages"][0]["beta"] == 1.5 * record["factor"]
    with pytest.warns(CalibrationWarning, match=r"asked for beta = 18 .* takes no larger beta"):
        machine.sample(ri.IsingModel([0.05], [[0.0]]), num_reads=4000, beta=18, seed=0)


@final
@dataclasses.dataclass(frozen=True)
class Filled(PlainStage):
    """Scales couplings to the largest of 4, whatever they are, as for a machine of whole numbers."""

    stage: ClassVar[str] = "scaled"

    def _encode(self, request: ri.Request) -> tuple[ri.Request, Any]:
        factor = 4 / float(np.abs(request.model.couplings.values()).max())
        record = {"stage": "scaled", "factor": factor}
        inner = self._asked(request, model=request.model.scaled(factor))
        return inner, lambda answer: answer.with_stage(record)


class TestLimits:
    def test_a_stage_inside_that_shrinks_ends_it(self) -> None:
        """It would have to be sent 5 E, with couplings of up to 4.5, and takes 1."""
        inner = HiddenExact(0.2)
        machine = Calibrated(Scaled(inner, coupling_range=(-1, 1), field_range=(-1, 1)))
        with pytest.warns(
            CalibrationWarning, match=r"asked for beta = 1 .* at 0\.2\d+ ± .* no larger energies"
        ):
            answer = machine.sample(DENSE, num_reads=4000, seed=0)
        record = record_of(answer)
        assert not record["met"]
        assert abs(record["estimate"] - 0.2 / 0.9) < 4 * record["error"]
        assert record["rounds"] == len(inner.calls) == 2
        assert abs(record["machine_beta"] - 0.2) < 4 * record["machine_error"]
        assert "no larger energies" in record["reason"]
        # The next request knows it at once, and one that can be met is met.
        with pytest.warns(CalibrationWarning):
            assert record_of(machine.sample(DENSE, num_reads=4000, seed=1))["rounds"] == 1
        assert record_of(machine.sample(DENSE, num_reads=4000, beta=0.2, seed=1))["met"]

    def test_strict_refuses(self) -> None:
        machine = Calibrated(Scaled(HiddenExact(0.2), coupling_range=(-1, 1)), strict=True)
        job = machine.submit(DENSE, num_reads=2000, seed=0)
        for _ in range(2):
            with pytest.raises(CapabilityError, match="hidden-exact was asked for beta = 1"):
                job.result()

    def test_a_range_without_a_stage_for_it(self) -> None:
        facts = dataclasses.replace(EFFECTIVE, coupling_range=(-1, 2), field_range=(-2, 2))
        machine = Calibrated(HiddenExact(0.2, capabilities=facts))
        with pytest.warns(CalibrationWarning, match="no larger energies"):
            record = record_of(machine.sample(DENSE, num_reads=2000, seed=0))
        assert math.isclose(record["factor"], 1 / 0.9)

    def test_a_machine_that_always_gets_its_whole_range(self) -> None:
        """Whole numbers are scaled to fill the range, so that no factor changes what is sent."""
        inner = HiddenExact(0.2)
        with pytest.warns(CalibrationWarning, match="the same energies whatever is asked"):
            record = record_of(Calibrated(Filled(inner)).sample(DENSE, num_reads=4000, seed=0))
        assert record["rounds"] == len(inner.calls) == 2
        assert abs(record["estimate"] - 0.2 * 4 / 0.9) < 4 * record["error"]

    def test_a_refusal_on_the_way_ends_with_what_there_is(self) -> None:
        @final
        @dataclasses.dataclass(frozen=True)
        class Proud(ri.LocalBackend):
            name: ClassVar[str] = "proud"
            capabilities = EFFECTIVE

            def _check(self, request: ri.Request) -> None:
                if request.model.fields[0] != DENSE.fields[0]:
                    raise CapabilityError("proud takes no other energies")

            def _draw(self, request: ri.Request) -> tuple[States, Mapping[str, Any]]:
                return ri.enumerate_model(request.model, 0.5).sample(request.num_reads, request.rng), {}

        for pilot in (None, 300):
            with pytest.warns(CalibrationWarning, match="takes no other energies"):
                answer = Calibrated(Proud(), pilot_reads=pilot).sample(DENSE, num_reads=1000, seed=0)
            assert len(answer) == 1000
            assert record_of(answer)["factor"] == 1.0

    def test_too_few_calls(self) -> None:
        with pytest.warns(CalibrationWarning, match="it took 1 calls, and rounds is 1"):
            record = record_of(Calibrated(HiddenExact(3.0), rounds=1).sample(DENSE, num_reads=1000, seed=0))
        assert record["rounds"] == 1

    def test_a_flipped_sign(self) -> None:
        with pytest.warns(CalibrationWarning, match="as if the sign of the model were the other one"):
            record = record_of(Calibrated(HiddenExact(-1.0)).sample(DENSE, num_reads=1000, seed=0))
        assert record["rounds"] == 1
        assert record["estimate"] < 0

    def test_no_energies_have_no_temperature(self) -> None:
        answer = Calibrated(HiddenExact(1.0)).sample(ri.IsingModel([0.0, 0.0], np.zeros((2, 2))), num_reads=9)
        record = record_of(answer)
        assert record["met"]
        assert record["estimate"] is None
        assert record["reason"] == "every local field is zero"
        json.dumps(record, allow_nan=False)

    def test_an_optimiser_is_refused_or_only_looked_at(self) -> None:
        facts = ri.Capabilities(temperature="none")
        with pytest.raises(CapabilityError, match="hidden-exact is an optimiser"):
            Calibrated(HiddenExact(2.0, capabilities=facts))
        distinct = dataclasses.replace(facts, temperature="effective", returns="distinct")
        with pytest.raises(CapabilityError, match="returns each state once"):
            Calibrated(HiddenExact(2.0, capabilities=distinct))
        machine = Calibrated(HiddenExact(2.0, capabilities=facts), estimate_only=True)
        assert machine.capabilities.temperature == "none"
        record = record_of(machine.sample(DENSE, num_reads=2000, seed=0))
        assert not record["met"]
        assert record["factor"] == 1.0
        assert abs(record["estimate"] - 2) < 4 * record["error"]

    @pytest.mark.parametrize("option", ["tolerance", "rounds", "pilot_reads"])
    def test_options_out_of_range(self, option: str) -> None:
        options: dict[str, Any] = {option: 0}
        with pytest.raises(InvalidParameterError, match=option):
            Calibrated("exact", **options)


class TestTheEnds:
    def test_zero_needs_no_machine(self) -> None:
        inner = HiddenExact(1.0)
        answer = Calibrated(inner).sample(DENSE, num_reads=4000, beta=0, seed=0)
        assert inner.calls == []
        record = record_of(answer)
        assert record["drawn"] == "evenly, without the machine"
        # Five errors of the mean of 4000 signs.
        assert np.abs(answer.record.sample.mean(axis=0)).max() < 5 / math.sqrt(4000)
        small = HiddenExact(1.0, capabilities=dataclasses.replace(EFFECTIVE, max_variables=3))
        with pytest.raises(ri.errors.ProblemTooLargeError):
            Calibrated(small).sample(DENSE, beta=0)

    def test_infinity_sends_the_largest_energies(self) -> None:
        facts = dataclasses.replace(EFFECTIVE, coupling_range=(-9, 9), field_range=(-9, 9))
        record = record_of(
            Calibrated(HiddenExact(1.0, capabilities=facts)).sample(DENSE, beta=math.inf, seed=0)
        )
        assert math.isclose(record["factor"], 10)
        answer = Calibrated(HiddenExact(0.01)).sample(DENSE, num_reads=20, beta=math.inf, seed=0)
        ground = ri.enumerate_model(DENSE).ground_energy
        np.testing.assert_allclose(answer.record.energy, ground)


class TestTheBill:
    def test_pilots_are_small_and_the_last_call_is_whole(self) -> None:
        inner = HiddenExact(4.0)
        answer = Calibrated(inner, pilot_reads=500).sample(DENSE, num_reads=4000, seed=0)
        record = record_of(answer)
        assert len(answer) == inner.calls[-1] == 4000
        assert set(inner.calls[:2]) == {500}
        assert set(inner.calls[:-1]) <= {500, 4000}
        assert record["reads"] == sum(inner.calls)
        assert record["rounds"] == len(inner.calls) == len(record["tries"])
        assert record["met"]

    def test_a_known_machine_is_called_once(self) -> None:
        inner = HiddenExact(4.0)
        machine = Calibrated(inner, pilot_reads=500)
        machine.sample(DENSE, num_reads=4000, seed=0)
        inner.calls.clear()
        machine.sample(REFERENCE_MODELS["bipartite"].problem(), num_reads=4000, seed=1)
        assert inner.calls == [4000]

    def test_copies_share_the_history(self) -> None:
        machine, model = Calibrated(HiddenAnnealer(2.0, 20)), random_rbm(0.3, 0)
        copy = dataclasses.replace(machine, tolerance=0.1)
        refresh = machine.for_refresh(5)
        copy.sample(model, num_reads=500, seed=0)
        assert machine.history is copy.history is refresh.history
        assert len(machine.history) > 0
        last = machine.history[-1]
        assert (last.asked, last.reads) == (1.0, 500)
        assert last.when > 1e9
        assert [one.factor for one in machine.history][-1] == last.factor

    def test_it_follows_a_model_that_trains(self) -> None:
        """With 64 reads an estimate is off by a tenth; what many updates say together is far better."""
        inner = HiddenExact(2.5)
        machine = Calibrated(inner)
        rng = np.random.default_rng(0)
        model = DENSE
        factors = []
        for _ in range(60):
            model = ri.IsingModel(model.fields * 1.005, model.couplings.scaled(1.005))
            factors.append(record_of(machine.sample(model, num_reads=64, seed=rng))["factor"])
        assert len(inner.calls) < 75
        assert np.sqrt(np.mean((2.5 * np.array(factors[20:]) - 1) ** 2)) < 0.06

    def test_weak_models_do_not_bias_it(self) -> None:
        """A call tells the beta of a weak model to 1; what is told from zero at once is too large."""
        model = DENSE.scaled(0.05)
        gains = []
        for seed in range(20):
            machine, rng = Calibrated(HiddenExact(2.0), rounds=1), np.random.default_rng(seed)
            with warnings.catch_warnings():
                # One call in twenty is two errors off.
                warnings.simplefilter("ignore", CalibrationWarning)
                for _ in range(100):
                    machine.sample(model, num_reads=64, seed=rng)
            gain = machine.history.gain
            assert gain is not None
            gains.append(gain.value)
        # The spread over the machines gives the error of their mean.
        assert abs(np.mean(gains) - 2) < 4 * np.std(gains) / math.sqrt(20)

    def test_a_seed_fixes_the_samples_whatever_came_between(self) -> None:
        machine = Calibrated(HiddenExact(2.0))

        def reads(seed: int) -> Any:
            return machine.sample(DENSE, num_reads=50, seed=seed).record.sample.tolist()

        first = [reads(seed) for seed in range(4)]
        assert [reads(seed) for seed in range(4)] == first
        assert first[0] != first[1]


@final
class Slow(ri.Submission):
    """Done once it was asked ``patience`` times; the states are then drawn."""

    def __init__(self, draw: Callable[[], Any], patience: int) -> None:
        self.id, self._draw, self.patience = "job-1", draw, patience
        self.cancelled = False

    def done(self) -> bool:
        self.patience -= 1
        return self.patience < 0

    def answer(self, timeout: float | None = None) -> ri.Answer:
        if timeout is not None and timeout < 1:
            raise DeadlineExceededError("slow is not done")
        answer: ri.Answer = self._draw()
        return answer

    def cancel(self) -> bool:
        self.cancelled = True
        return True


@final
@dataclasses.dataclass(frozen=True)
class Queue(ri.Machine):
    """A machine at beta = 3 whose jobs take a while; call number ``fails`` fails."""

    name: ClassVar[str] = "queue"
    capabilities = EFFECTIVE

    fails: int = -1
    partly: bool = False
    jobs: list[Slow] = dataclasses.field(default_factory=list)

    def _submit(self, request: ri.Request) -> ri.Submission:
        number = len(self.jobs)

        def draw() -> ri.Answer:
            states = ri.enumerate_model(request.model, 3.0).sample(request.num_reads, request.rng)
            if number == self.fails:
                kept = ri.Answer(states[:100], [{"stage": "queue"}]) if self.partly else None
                raise IncompleteError("half of it is lost", kept) if self.partly else BackendError("it burns")
            return request.answer(states, [{"stage": "queue"}])

        self.jobs.append(Slow(draw, 3))
        return self.jobs[-1]


class TestJobs:
    def test_submit_makes_one_call_and_done_the_others(self) -> None:
        queue = Queue()
        job = Calibrated(queue).submit(DENSE, num_reads=1000, seed=0)
        assert len(queue.jobs) == 1
        assert job.id == "job-1"
        polls = 0
        while not job.done():
            polls += 1
            assert polls < 50
        assert 2 <= len(queue.jobs) <= 5
        assert record_of(job.result())["met"]

    def test_a_timeout_can_be_tried_again(self) -> None:
        queue = Queue()
        job = Calibrated(queue).submit(DENSE, num_reads=1000, seed=0)
        with pytest.raises(DeadlineExceededError):
            job.result(timeout=0.01)
        assert record_of(job.result(timeout=60))["met"]

    def test_cancel_stops_what_is_there_and_sends_no_more(self) -> None:
        queue = Queue()
        job = Calibrated(queue).submit(DENSE, num_reads=1000, seed=0)
        assert job.cancel()
        assert job.done()
        assert [sent.cancelled for sent in queue.jobs] == [True]
        with pytest.raises(BackendError, match="cancelled"):
            job.result()
        assert not job.cancel()

    def test_a_call_that_fails_leaves_the_one_before(self) -> None:
        with pytest.raises(IncompleteError, match="call 2 of the calibration failed: it burns") as caught:
            Calibrated(Queue(fails=1)).sample(DENSE, num_reads=1000, seed=0)
        assert caught.value.samples is not None
        assert len(caught.value.samples) == 1000
        record = record_of(caught.value.samples)
        assert not record["met"]
        assert abs(record["estimate"] - 3) < 4 * record["error"]

    def test_a_call_that_arrives_in_part_is_kept_in_part(self) -> None:
        with pytest.raises(IncompleteError, match="half of it is lost") as caught:
            Calibrated(Queue(fails=1, partly=True)).sample(DENSE, num_reads=1000, seed=0)
        assert caught.value.samples is not None
        assert len(caught.value.samples) == 100
        assert record_of(caught.value.samples)["rounds"] == 2

    def test_a_first_call_that_fails_is_its_own_error(self) -> None:
        with pytest.raises(BackendError, match=r"^it burns"):
            Calibrated(Queue(fails=0)).sample(DENSE, num_reads=1000, seed=0)


@final
@dataclasses.dataclass(frozen=True)
class Echo(ri.LocalBackend):
    """Returns the states it starts from, and keeps the models that it was sent."""

    name: ClassVar[str] = "echo"
    capabilities = ri.Capabilities(temperature="effective", initial_states=True)

    models: list[ri.IsingModel] = dataclasses.field(default_factory=list)

    def _draw(self, request: ri.Request) -> tuple[States, Mapping[str, Any]]:
        self.models.append(request.model)
        assert request.initial_states is not None
        return request.initial_states, {}


@settings(max_examples=300)
@given(st.integers(2, 8), st.integers(0, 2**32 - 1), st.floats(0.1, 5))
def test_states_pass_through_and_energies_are_multiplied(n: int, seed: int, beta: float) -> None:
    rng = np.random.default_rng(seed)
    matrix = np.triu(rng.normal(size=(n, n)), 1)
    model = ri.IsingModel(rng.normal(size=n), matrix + matrix.T, rng.normal())
    start = rng.choice([-1, 1], size=(7, n)).astype(np.int8)
    echo = Echo()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CalibrationWarning)
        answer = Calibrated(echo, rounds=3).sample(model, num_reads=7, beta=beta, initial_states=start)
    np.testing.assert_array_equal(answer.record.sample, start)
    record = record_of(answer)
    assert record["rounds"] == len(echo.models)
    for sent, one in zip(echo.models, record["tries"], strict=True):
        np.testing.assert_allclose(sent.energies(start), one["factor"] * model.energies(start))
    found = effective_beta(model, start)
    if math.isfinite(found.beta):
        assert math.isclose(record["estimate"], found.beta)
    assert json.loads(json.dumps(record)) == record


def test_gains_that_agree_are_put_together() -> None:
    old, new = Gain(2.0, 0.1), Gain(2.2, 0.2)
    both = old.then(new, 0.03)
    # Weights 100 and 25.
    assert math.isclose(both.value, 2.04)
    assert math.isclose(both.error, 125**-0.5)
    assert old.then(Gain(3.0, 0.2), 0.03) == Gain(3.0, 0.2)
    assert old.aged(0.03).error > old.error
    # As of reads that are all alike.
    assert Gain(0.0, 0.0).then(Gain(0.0, 0.0), 0.03).value == 0.0


@final
@dataclasses.dataclass(frozen=True)
class Saturated(ri.LocalBackend):
    """The exact machine at a beta of its own that falls as the energies grow, as by noise in their units."""

    name: ClassVar[str] = "saturated"
    capabilities: ri.Capabilities = ri.Capabilities(temperature="effective")  # noqa: RUF009 - frozen
    largest: list[float] = dataclasses.field(default_factory=list)

    def _draw(self, request: ri.Request) -> tuple[States, dict[str, Any]]:
        size = float(np.abs(request.model.couplings.values()).max())
        self.largest.append(size)
        law = ri.enumerate_model(request.model, 0.5 / size, request.deadline)
        return law.sample(request.num_reads, request.rng), {}


def test_energies_do_not_grow_without_end_where_the_machine_does_not_follow() -> None:
    machine = Saturated()
    stage = Calibrated(machine)
    for seed in range(10):
        with pytest.warns(CalibrationWarning, match="does not rise with the energies"):
            answer = stage.sample(DENSE, num_reads=4000, seed=seed)
        assert not record_of(answer)["met"]
    assert max(machine.largest) < 10 * machine.largest[0]
