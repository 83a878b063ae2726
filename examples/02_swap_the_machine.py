"""Train the same model with samples from different machines: only ``backend=`` changes.

Training needs samples of the model in every update. Without a machine they come from the model's own
patterns; with one, from whatever the machine draws.
"""

from __future__ import annotations

import rapid_ising as ri

data = ri.datasets.stripes(4)
print("machines here:", ", ".join(ri.available_backends()))
print()
print("samples from            seconds   wrong pixels   wrong pixels   log-likelihood")
print("                                    at beta = 1       at T = 0     nats an image")

# A machine by its name, or built with options of its own.
quick_annealer = ri.load_backend("simulated-annealing", num_sweeps=100)
for backend in (None, "gibbs", quick_annealer, "exact"):
    model = ri.PatternRBM(n_visible=16, n_hidden=40, n_patterns=8, seed=1)
    run = ri.train(model, data.train, backend=backend, epochs=60, seed=1, progress=False)
    found = ri.evaluate(model, data)
    name = "the model's patterns" if backend is None else ri.as_backend(backend).name
    print(
        f"{name:22s} {run.seconds:8.2f} {found.hamming_test:14.3f} {found.zero_temperature_test:14.3f} "
        f"{found.log_likelihood_test:16.2f}"
    )
print("\nall numbers: 4 images that were held out of the training")
