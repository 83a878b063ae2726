"""The package simulated-bifurcation: its steps, its energies, and what it leaves as it was.

Most need the package, which is not in the environment of the other tests since PyTorch is large::

    pip install 'rapid-ising[emulators,simulated-bifurcation,testing]' hypothesis
    pytest tests/test_simulated_bifurcation.py tests/test_conformance.py -k "not openjij"
"""

from __future__ import annotations

import _thread
import importlib.util
import itertools
import math
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import rapid_ising as ri
from rapid_ising.errors import (
    BackendError,
    DeadlineExceededError,
    InvalidParameterError,
    MissingDependencyError,
)
from rapid_ising.testing import BackendConformance
from rapid_ising_backends.simulated_bifurcation import SimulatedBifurcation

MODES: list[tuple[Any, bool]] = list(itertools.product(["ballistic", "discrete"], [False, True]))
needs_the_package = pytest.mark.skipif(
    importlib.util.find_spec("simulated_bifurcation") is None,
    reason="simulated-bifurcation is not installed: pip install 'rapid-ising[simulated-bifurcation]'",
)


def glass(n: int, seed: int, field: float = 0.5) -> ri.IsingModel:
    rng = np.random.default_rng(seed)
    half = np.triu(rng.normal(size=(n, n)), 1)
    return ri.IsingModel(field * rng.normal(size=n), half + half.T)


def record(answer: Any) -> dict[str, Any]:
    stage: dict[str, Any] = answer.info["rapid_ising"]["stages"][0]
    return stage


@pytest.mark.parametrize("module", ["simulated_bifurcation", "torch"])
def test_without_the_package_it_is_known_and_says_how_to_install_it(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    machine = ri.load_backend("simulated-bifurcation")
    assert machine.capabilities.temperature == "none"
    line = r"pip install 'rapid-ising\[simulated-bifurcation\]'"
    for ask in (machine.check, machine.sample):
        with pytest.raises(MissingDependencyError, match=line) as caught:
            ask(glass(3, 0))
        assert module.replace("_", "-") in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "adiabatic"},
        {"heated": 1},
        {"early_stopping": None},
        {"max_steps": 0},
        {"time_step": 0.0},
        {"pressure_slope": -1.0},
        {"heat_coefficient": math.nan},
    ],
)
def test_bad_options(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterError, match=next(iter(options))):
        ri.load_backend("simulated-bifurcation", **options)


@needs_the_package
class TestConformance(BackendConformance):
    @pytest.fixture(params=MODES, ids=str)
    def backend(self, request: pytest.FixtureRequest) -> ri.Backend:
        mode, heated = request.param
        return SimulatedBifurcation(mode, heated, max_steps=300, early_stopping=False)


@needs_the_package
class TestAnswers:
    @pytest.mark.parametrize(("mode", "heated"), MODES)
    @pytest.mark.parametrize("field", [0.0, 0.5])
    def test_the_steps_spin_by_spin(self, double: Any, mode: Any, heated: bool, field: float) -> None:
        """The same signs from the formulas in the docstring, one oscillator after the other."""
        model, n, steps = glass(5, 1, field), 5, 150
        machine = SimulatedBifurcation(
            mode, heated, steps, False, time_step=0.2, pressure_slope=0.02, heat_coefficient=0.3
        )
        answer = machine.sample(model, num_reads=4, seed=np.random.default_rng(4))
        size = n + bool(field)
        matrix = np.zeros((size, size))
        matrix[:n, :n] = model.couplings.to_dense()
        if field:
            matrix[n, :n] = matrix[:n, n] = model.fields
        own = double.Generator().manual_seed(int(np.random.default_rng(4).integers(2**63)))
        x, y = ((2 * double.rand(size, 4, generator=own, dtype=double.float64) - 1).numpy() for _ in range(2))
        strength = math.sqrt(size - 1) / (2 * math.sqrt((matrix**2).sum()))
        for read, step in itertools.product(range(4), range(steps)):
            pressure = min(0.02 * 0.2 * step, 1.0)
            before = y[:, read].copy()
            for i in range(size):
                y[i, read] += (pressure - 1) * x[i, read] * 0.2
                x[i, read] += y[i, read] * 0.2
            z = x[:, read] if mode == "ballistic" else np.sign(x[:, read])
            y[:, read] -= strength * 0.2 * (matrix @ z)
            for i in range(size):
                if abs(x[i, read]) > 1:
                    x[i, read], y[i, read] = math.copysign(1, x[i, read]), 0.0
                if heated:
                    y[i, read] += 0.3 * 0.2 * before[i]
        found = np.where(x >= 0, 1, -1)
        wanted = found[:n] * (found[n] if field else 1)
        assert answer.record.sample.tolist() == wanted.T.tolist()
        assert record(answer)["precision"] == "float64"

    @pytest.mark.parametrize(("mode", "heated"), MODES)
    @pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
    def test_ground_states_of_small_problems(self, mode: Any, heated: bool, scale: float) -> None:
        """Nine of ten glasses of ten spins in fields, at any scale of the energy.

        Ballistic oscillators without heat follow nearly one path, which misses some: half of them at least.
        """
        found = 0
        for seed in range(10):
            model = glass(10, seed)
            ground = ri.load_backend("exact").sample(model, beta=math.inf, seed=0).first.energy
            answer = SimulatedBifurcation(mode, heated).sample(model.scaled(scale), num_reads=100, seed=seed)
            assert record(answer)["converged"] > 0
            found += answer.first.energy / scale == pytest.approx(ground)
        assert found >= (9 if heated or mode == "discrete" else 5)

    def test_reads_without_couplings_are_random_signs(self) -> None:
        model = ri.IsingModel(np.zeros(12), np.zeros((12, 12)))
        answer = SimulatedBifurcation().sample(model, num_reads=200, seed=0)
        # 4.9 standard deviations of a mean of 2400 signs: one time in a million.
        assert abs(answer.record.sample.mean()) < 0.1
        assert record(answer)["steps"] == 0

    def test_the_options_are_recorded_and_early_stopping_stops(self) -> None:
        machine = SimulatedBifurcation("discrete", max_steps=9000, heat_coefficient=0.1)
        facts = record(machine.sample(glass(8, 0), num_reads=20, seed=0))
        assert facts["mode"] == "discrete"
        assert facts["heat_coefficient"] == 0.0
        assert (facts["steps"] < 9000) == (facts["converged"] == 20)
        short = record(SimulatedBifurcation(max_steps=60).sample(glass(8, 0), num_reads=20, seed=0))
        assert (short["steps"], short["converged"]) == (60, 0)


@needs_the_package
class TestWhatIsLeft:
    def test_the_callers_torch_and_settings_are_untouched(self) -> None:
        torch = pytest.importorskip("torch")
        package = pytest.importorskip("simulated_bifurcation")
        torch.manual_seed(3)
        state = torch.random.get_rng_state()
        first = SimulatedBifurcation().sample(glass(12, 1), num_reads=30, seed=5).record.sample
        assert torch.equal(torch.random.get_rng_state(), state)
        torch.manual_seed(4)
        try:
            package.set_env(time_step=0.01, pressure_slope=1.0)
            again = SimulatedBifurcation().sample(glass(12, 1), num_reads=30, seed=5).record.sample
            assert package.get_env()["time_step"] == 0.01
        finally:
            package.reset_env()
        assert again.tolist() == first.tolist()

    def test_no_thread_and_no_bar_is_left(self, capfd: pytest.CaptureFixture[str]) -> None:
        tqdm = pytest.importorskip("tqdm").tqdm
        interval = tqdm.monitor_interval
        before = set(threading.enumerate())
        SimulatedBifurcation().sample(glass(12, 1), num_reads=3, seed=5)
        assert set(threading.enumerate()) == before
        assert tqdm.monitor_interval == interval
        assert capfd.readouterr() == ("", "")

    def test_the_deadline_interrupts(self) -> None:
        SimulatedBifurcation(max_steps=1).sample(glass(3, 0))  # PyTorch takes a while to import.
        with pytest.raises(DeadlineExceededError, match=r"deadline of 0\.3 s"):
            SimulatedBifurcation(max_steps=10**9, early_stopping=False).sample(
                glass(60, 0), num_reads=50, deadline=0.3
            )

    def test_ctrl_c_is_one(self) -> None:
        """The package turns it into a warning and an answer."""
        SimulatedBifurcation(max_steps=1).sample(glass(3, 0))
        timer = threading.Timer(0.3, _thread.interrupt_main)
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            SimulatedBifurcation(max_steps=10**9, early_stopping=False).sample(glass(60, 0), deadline=60.0)
        timer.join()

    def test_an_error_that_the_package_swallows_is_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        integrator = pytest.importorskip("simulated_bifurcation.optimizer").SymplecticIntegrator

        def broken(self: Any) -> None:
            raise RuntimeError("broken")

        monkeypatch.setattr(integrator, "simulate_inelastic_walls", broken)
        with pytest.raises(BackendError, match="failed after 0 steps"):
            SimulatedBifurcation().sample(glass(5, 0), seed=0)


@pytest.fixture
def double() -> Iterator[Any]:
    """PyTorch with float64 as its default."""
    torch = pytest.importorskip("torch")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield torch
    torch.set_default_dtype(before)
