"""Train a Boltzmann machine on 4 x 4 stripes and let it restore images that it has never seen.

The machine sees 10 of the 14 images. Then it gets the first row of each of the other 4 and fills in the rest.
"""

from __future__ import annotations

import math

import numpy as np

import rapid_ising as ri

data = ri.datasets.stripes(4)
model = ri.PatternRBM(n_visible=16, n_hidden=100, n_patterns=8, seed=0)
run = ri.train(model, data.train, seed=0, progress=False)
print(f"trained for {run.epochs} epochs in {run.seconds:.2f} s\n")

known = ri.known_rows(data.shape, rows=1)
partial = np.where(known, data.test, 0)
# At infinite beta, zero temperature, each pixel takes its likelier value instead of a random one.
restored = model.reconstruct(partial, known, beta=math.inf)

symbols = {-1: "░░", 0: "  ", 1: "██"}
print("given      restored   true")
for images in zip(partial, restored, data.test, strict=True):
    for rows in zip(*(image.reshape(data.shape) for image in images), strict=True):
        print("   ".join("".join(symbols[int(pixel)] for pixel in row) for row in rows))
    print()

for measure, value in ri.evaluate(model, data).as_dict().items():
    print(f"{measure:24s} {value:7.3f}")
