"""Simulated bifurcation by the package of that name, which computes with PyTorch."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import math
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal, final

import numpy as np

from rapid_ising import Capabilities, LocalBackend, Request
from rapid_ising.errors import BackendError, InvalidParameterError, MissingDependencyError
from rapid_ising.typing import Reals, States
from rapid_ising.validation import finite, positive_integer

SAMPLING_PERIOD, CONVERGENCE_THRESHOLD = 50, 50
"""A read has converged when its energy is the same at 50 looks, 50 steps apart: the package's own choice."""


@final
@dataclasses.dataclass(frozen=True)
class SimulatedBifurcation(LocalBackend):
    r"""The optimiser of the package simulated-bifurcation, on the processor, each read one of its agents.

    Positions x and momenta y of coupled oscillators, of which the spins are the signs of x. A step, for the
    energy E = sum_i h_i s_i + sum_{i<j} J_ij s_i s_j that is minimised, with h_i the coupling to one
    oscillator more, M of them in all and \|J\| the root of the sum of the squares of all J_ij and J_ji:

    .. math:: y_i \leftarrow y_i + (p - 1) x_i \, dt, \quad x_i \leftarrow x_i + y_i \, dt, \quad
              y_i \leftarrow y_i - \frac{\sqrt{M - 1}}{2 |J|} \sum_j J_{ij} z_j \, dt

    where p rises by ``pressure_slope`` dt a step, up to 1. Ballistic: z = x; discrete: z = sign(x). Where
    \|x\| > 1, x stops at the wall, +-1, and y at 0. Heated: y grows by ``heat_coefficient`` dt times the y of
    before the step. The scale of the energy has no effect. It obeys no temperature: beta has no effect.

    The package is asked for when something is drawn, not before: the machine can be listed and its
    capabilities told without it. PyTorch's generator is put back as it was, and settings that were made by
    the package's ``set_env`` have no effect.

    Parameters
    ----------
    mode
        "ballistic" or "discrete".
    heated
        Whether momenta are heated.
    max_steps
        The most steps of a read.
    early_stopping
        Whether reads that have converged end a call early, each with the state that it converged to.
    time_step
        dt.
    pressure_slope
        The rise of p, in units of 1 over the time.
    heat_coefficient
        The heating, where heated.

    Raises
    ------
    MissingDependencyError
        When something is asked and the package is not installed; the message has the pip line.

    Notes
    -----
    Goto et al., Science Advances 7, eabe7953 (2021); heated, Kanao and Goto, Communications Physics 5, 153
    (2022). It computes in PyTorch's default precision; energies are counted again from the problem.

    Examples
    --------
    >>> SimulatedBifurcation(mode="discrete").capabilities.temperature
    'none'
    """

    name: ClassVar[str] = "simulated-bifurcation"
    capabilities = Capabilities(temperature="none")

    mode: Literal["ballistic", "discrete"] = "ballistic"
    heated: bool = False
    max_steps: int = 10_000
    early_stopping: bool = True
    time_step: float = 0.1
    pressure_slope: float = 0.01
    heat_coefficient: float = 0.06

    def __post_init__(self) -> None:
        if self.mode not in ("ballistic", "discrete"):
            raise InvalidParameterError(f"mode must be 'ballistic' or 'discrete', not {self.mode!r}")
        for option in ("heated", "early_stopping"):
            if not isinstance(getattr(self, option), bool):
                raise InvalidParameterError(f"{option} must be True or False, not {getattr(self, option)!r}")
        positive_integer("max_steps", self.max_steps)
        finite("time_step", self.time_step, minimum=0, exclusive=True)
        finite("pressure_slope", self.pressure_slope, minimum=0, exclusive=True)
        finite("heat_coefficient", self.heat_coefficient, minimum=0)

    def require(self) -> None:
        """Raise when the package is not installed."""
        missing = [name for name in ("simulated_bifurcation", "torch") if not importlib.util.find_spec(name)]
        if missing:
            raise MissingDependencyError(
                f"backend {self.name!r} needs {', '.join(missing).replace('_', '-')}, not installed here: "
                f"pip install 'rapid-ising[{self.name}]'"
            )

    def _check(self, request: Request) -> None:
        self.require()

    def _draw(self, request: Request) -> tuple[States, Mapping[str, Any]]:
        facts = {
            "mode": self.mode,
            "heated": self.heated,
            "time_step": self.time_step,
            "pressure_slope": self.pressure_slope,
            "heat_coefficient": self.heat_coefficient if self.heated else 0.0,
        }
        couplings = request.model.couplings.to_dense().astype(np.float64)
        fields = request.model.fields.astype(np.float64)
        largest = max(np.abs(couplings).max(), np.abs(fields).max())
        if not largest:
            # The package divides by the size of the couplings.
            signs = 2 * request.rng.integers(2, size=(request.num_reads, len(fields))) - 1
            return signs.astype(np.int8), {**facts, "steps": 0}
        # In units of the largest, so that no square of them is too large or too small for a float32.
        states, ran = self._minimised(request, couplings / largest, fields / largest)
        return states, {**facts, **ran}

    def _minimised(self, request: Request, couplings: Reals, fields: Reals) -> tuple[States, dict[str, Any]]:
        import torch
        from simulated_bifurcation import Ising
        from simulated_bifurcation.optimizer import (
            SimulatedBifurcationEngine,
            SimulatedBifurcationOptimizer,
        )

        request.deadline.check(self.name)
        remaining, n = request.deadline.remaining, request.model.num_variables
        optimizer = SimulatedBifurcationOptimizer(
            request.num_reads,
            self.max_steps,
            None if math.isinf(remaining) else remaining,
            SimulatedBifurcationEngine.get_engine(self.mode),
            self.heated,
            False,
            SAMPLING_PERIOD,
            CONVERGENCE_THRESHOLD,
        )
        optimizer.time_step, optimizer.pressure_slope = self.time_step, self.pressure_slope
        optimizer.heat_coefficient = self.heat_coefficient
        # The default precision alone: in another, the package's looks at the energies fail.
        precision = torch.get_default_dtype()
        # Its energy has the couplings with the other sign, and the fields as they are here.
        ising = Ising(-couplings, fields, dtype=precision, device="cpu")
        matrix = ising.as_simulated_bifurcation_tensor()
        with no_monitor(), torch.random.fork_rng(devices=[]), warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            # Of the processor alone: torch.manual_seed would seed accelerators too.
            torch.default_generator.manual_seed(int(request.rng.integers(2**63)))
            spins = optimizer.run_integrator(matrix, self.early_stopping).numpy()
        if optimizer.run:
            # The package returns the signs that there are after any error, Ctrl-C among them.
            if any("interrupted by user" in str(warning.message) for warning in told):
                raise KeyboardInterrupt
            raise BackendError(
                f"{self.name} failed after {optimizer.step} steps, and the package does not say why: its "
                "precision is PyTorch's default, which must be float32 or float64"
            )
        if len(spins) > n:
            # The last spin stands for the fields, and is to be +1.
            spins = spins[-1] * spins[:-1]
        ran: dict[str, Any] = {"steps": optimizer.step, "precision": str(precision).removeprefix("torch.")}
        if self.early_stopping:
            ran["converged"] = int(optimizer.window.bifurcated.sum())
        return spins.T.astype(np.int8), ran


@contextlib.contextmanager
def no_monitor() -> Iterator[None]:
    """Keep tqdm from starting its thread, which even a bar that is not shown does, and which never ends."""
    from tqdm import tqdm

    interval, tqdm.monitor_interval = tqdm.monitor_interval, 0
    try:
        yield
    finally:
        tqdm.monitor_interval = interval
