"""Use any ``dimod.Sampler`` as the machine, and any machine as a ``dimod.Sampler``.

A sampler that is passed as it is promises nothing about temperature: its rows are taken as low-energy states.
With its parameters and the beta that they amount to, it is held to the Boltzmann law.
"""

from __future__ import annotations

import neal
import numpy as np
from dimod.reference.composites.tracking import TrackingComposite

import rapid_ising as ri

data = ri.datasets.stripes(4)
as_it_is = neal.SimulatedAnnealingSampler()
schedule = {
    "beta_schedule_type": "custom",
    "beta_schedule": np.r_[np.linspace(0, 1, 150), np.ones(50)],  # ends at beta = 1 and holds there
    "proposal_acceptance_criteria": "Gibbs",
}
at_beta_1 = ri.WrappedSampler(neal.SimulatedAnnealingSampler(), parameters=schedule, beta=1.0)
for sampler in (as_it_is, at_beta_1):
    model = ri.PatternRBM(n_visible=16, n_hidden=40, n_patterns=8, seed=1)
    run = ri.train(model, data.train, backend=sampler, epochs=60, seed=1, progress=False)
    machine = ri.as_backend(sampler)
    found = ri.evaluate(model, data)
    print(f"{machine.name}, temperature {machine.capabilities.temperature}, {run.seconds:.1f} s of training:")
    print(f"  {found.zero_temperature_test:.3f} of held-out pixels wrong at zero temperature")
    print(f"  {found.log_likelihood_test:.2f} nats a held-out image")

# The other way round: a machine of ours wherever dimod wants a sampler, here in one of its composites.
sampler = TrackingComposite(ri.as_dimod_sampler("gibbs"))
rows = sampler.sample_ising({"c": 0.2}, {"ab": 1.0, "bc": 1.0, "ac": 1.0}, num_reads=200, beta=2.0, seed=0)
print("\na frustrated triangle at beta = 2:")
print(rows.aggregate())
print("asked with:", {key: sampler.input[key] for key in ("num_reads", "beta", "seed")})
