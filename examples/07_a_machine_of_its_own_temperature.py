"""A machine with ranges, noise and an unknown temperature: planned, calibrated, and trained on.

The machine is a digital twin, a program that computes what an annealer computes; every result says so.
"""

import rapid_ising as ri
from rapid_ising.machine import effective_beta

data = ri.datasets.stripes(4)
model = ri.PatternRBM(n_visible=16, n_hidden=24, n_patterns=8, seed=0)
machine = ri.load_backend("twin-dwave", topology="complete", size=40, sweeps=100)

# What would be sent, before anything is.
print(ri.plan(machine, model, num_reads=1000))

# As it is, the machine samples at a temperature of its own, whatever is asked.
raw = machine.sample(model.ising(), num_reads=1000, beta=1.0, seed=0)
found = effective_beta(model.ising(), raw.record.sample)
print(f"asked for beta = 1, the reads are at {found.beta:.2f} +- {found.error:.2f}")

# Prepared, it obeys.
chain = ri.prepare(machine, model, show=False)
answer = chain.sample(model.ising(), num_reads=1000, beta=1.0, seed=0)
found = effective_beta(model.ising(), answer.record.sample)
print(f"prepared: {found.beta:.2f} +- {found.error:.2f}")
print([stage["stage"] for stage in answer.info["rapid_ising"]["stages"]])

# Training needs no more than the machine: the stages come by themselves.
run = ri.train(model, data.train, backend=machine, epochs=100, seed=0, progress=False)
known = ri.known_rows(data.shape, 1)
distance = ri.hamming_distance(model, data.test, known, beta=float("inf"), seed=0)
print(
    f"after {run.epochs} epochs {distance:.3f} of the pixels of held-out images are wrong at zero temperature"
)
