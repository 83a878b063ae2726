"""Write a machine of your own: here Metropolis sampling, in plain NumPy.

A machine is a frozen dataclass of its options with one method that draws states. It is given spins 0..N-1
with E = sum h s + sum J s s, and one random generator; labels, energies and checks are added outside.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, final

import numpy as np

import rapid_ising as ri
from rapid_ising.typing import States


@final
@dataclasses.dataclass(frozen=True)
class Metropolis(ri.LocalBackend):
    """Flip one spin at a time with probability min(1, exp(-beta dE))."""

    name: ClassVar[str] = "metropolis"
    capabilities = ri.Capabilities(max_variables=1000)

    num_sweeps: int = 50

    def _draw(self, request: ri.Request) -> tuple[States, Mapping[str, Any]]:
        model, rng = request.model, request.rng
        shape = (request.num_reads, model.num_variables)
        states = (2 * rng.integers(2, size=shape) - 1).astype(np.int8)
        couplings = model.couplings.to_dense()
        for _ in range(self.num_sweeps):
            for i in range(model.num_variables):
                # Flipping spin i changes the energy by -2 s f, with f its local field.
                gain = 2.0 * states[:, i] * (states @ couplings[i] + model.fields[i])
                flip = np.log(rng.random(request.num_reads)) < np.minimum(0.0, request.beta * gain)
                states[flip, i] *= -1
            request.deadline.check(self.name)
        return states, {"num_sweeps": self.num_sweeps}


# It is a machine like any other. To have it held to the Boltzmann law, subclass
# rapid_ising.testing.BackendConformance with a fixture ``backend`` and run pytest.
problem = ri.IsingModel([0.5, 0.0, -0.3], [[0, -1, 0.4], [-1, 0, 0.7], [0.4, 0.7, 0]])
rows = Metropolis().sample(problem, num_reads=20_000, beta=1.0, seed=0)
print("mean spins by Metropolis:", rows.record.sample.mean(axis=0).round(2))
print("mean spins exactly:      ", ri.enumerate_model(problem, beta=1.0).moments().means.round(2))

data = ri.datasets.stripes(4)
model = ri.PatternRBM(n_visible=16, n_hidden=100, n_patterns=8, seed=0)
run = ri.train(model, data.train, backend=Metropolis(num_sweeps=10), epochs=100, seed=0, progress=False)
wrong = ri.evaluate(model, data).zero_temperature_test
print(f"trained with it for {run.epochs} epochs: {wrong:.3f} of held-out pixels wrong at zero temperature")
