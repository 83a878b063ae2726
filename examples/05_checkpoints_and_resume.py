"""Stop a training and go on later, to the same bits as one that was never stopped.

A checkpoint holds parameters, optimizer, chains, random numbers and history. It is written whole or not at
all, so that a crash or Ctrl-C costs one epoch at most.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

import rapid_ising as ri

data = ri.datasets.bars_and_stripes(4)


def new_model() -> ri.PatternRBM:
    return ri.PatternRBM(n_visible=16, n_hidden=60, n_patterns=12, seed=0)


def train(model: ri.Model, epochs: int, checkpoint: Path | None = None, resume: bool = False) -> None:
    run = ri.train(
        model,
        data.train,
        backend="gibbs",
        epochs=epochs,
        seed=0,
        checkpoint=checkpoint,
        resume=resume,
        progress=False,
    )
    print(f"{run.epochs} epochs, {run.stopped}")


with tempfile.TemporaryDirectory() as folder:
    checkpoint = Path(folder, "training.checkpoint")
    train(new_model(), 15, checkpoint)
    resumed = new_model()
    train(resumed, 30, checkpoint, resume=True)

    uninterrupted = new_model()
    train(uninterrupted, 30)
    print("the same bits:", np.array_equal(resumed.weights, uninterrupted.weights))

    # The trained model alone is a smaller file.
    resumed.save(Path(folder, "model.safetensors"))
    again = ri.load_model(Path(folder, "model.safetensors"))
    print("read back:", again)

    try:
        train(ri.RBM(n_visible=16, n_hidden=60, seed=0), 30, checkpoint, resume=True)
    except ri.errors.CheckpointError as error:
        print("another model is refused:", error)
