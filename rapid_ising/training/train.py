"""The training loop."""

from __future__ import annotations

import copy
import datetime
import hashlib
import numbers
import os
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from dimod.core.sampler import Sampler

from rapid_ising.arrays import all_finite, rows
from rapid_ising.backend import Backend
from rapid_ising.datasets import Dataset
from rapid_ising.errors import CheckpointError, DivergenceError, InvalidDataError, InvalidParameterError
from rapid_ising.log import logger
from rapid_ising.models import Model
from rapid_ising.plain import plain
from rapid_ising.progress import Bar, hide_progress
from rapid_ising.provenance import processor, versions
from rapid_ising.threads import one_pool
from rapid_ising.training.callbacks import Callback
from rapid_ising.training.checkpoint import Snapshot
from rapid_ising.training.constraints import Constraint, as_constraint
from rapid_ising.training.negative_phase import BackendSamples, NegativePhase, as_negative_phase
from rapid_ising.training.negative_phase.base import machines_of
from rapid_ising.training.optimizers import Optimizer, as_optimizer
from rapid_ising.training.parts import Part
from rapid_ising.training.progress import held_out
from rapid_ising.training.recipes import LastBatch, Recipe, as_recipe
from rapid_ising.training.run import TrainingRun
from rapid_ising.training.update import updating
from rapid_ising.typing import Floats, Indices, States
from rapid_ising.validation import TRAINING, Seed, finite, generator, positive_integer, rectangular, spins

log = logger(__name__)


def train(
    model: Model,
    data: npt.ArrayLike,
    *,
    negative_phase: str | NegativePhase | None = None,
    backend: str | Backend | Sampler | None = None,
    recipe: str | Recipe = "default",
    optimizer: str | Optimizer | None = None,
    learning_rate: float | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    constraint: str | Constraint | None = None,
    last_batch: LastBatch | None = None,
    centred: bool | None = None,
    temperature: float | None = None,
    seed: Seed = None,
    callbacks: Sequence[Callback] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int = 1,
    resume: bool = False,
    progress: bool = True,
) -> TrainingRun:
    r"""Train a model on data, in place.

    Each update follows the gradient of the log-likelihood,
    <-dE/d theta> over a batch of the data less <-dE/d theta> over the model; the second average, the
    negative phase, comes from the method or the machine of the caller's choice.

    Parameters
    ----------
    model
        The model; its parameters change in place.
    data
        Rows of spins, shape (n, V), or images (n, rows, columns).
    negative_phase
        "patterns", "cd", "pcd", "parallel-tempering", "simulated-tempering", "wang-landau", "langevin",
        "exact", or a NegativePhase with its own options.
    backend
        A machine whose samples are the negative phase: a name, a Backend or any ``dimod.Sampler``. Short for
        ``negative_phase=BackendSamples(backend)``.
    recipe
        "default" (the best settings known), "paper", or a Recipe; what is given beside it replaces its part.
        A name that the recipe uses too ("patterns", "sgd") keeps the recipe's options.
    optimizer
        "sgd", "adam", or an Optimizer.
    learning_rate
        The rate of the first epoch.
    epochs
        How often the data are gone through.
    batch_size
        How many rows of data make an update.
    constraint
        "signs" (patterns become their signs after each epoch), "clip" (they stay within -1 .. 1) or "free".
    last_batch
        Whether the data average of a short last batch is divided by its "own" size or the "nominal" one.
    centred
        Whether to follow the centred gradient, of spins counted from their means; for machines of layers with
        free biases.
    temperature
        The temperature at which the model is fitted to the data: both phases see the weights over it, and the
        model at 1 is that much colder than what was fitted. Left out, the recipe's, or 1 with a negative
        phase other than the recipe's own. A model that was fitted before goes on from that fit, whatever it
        was rescaled by since.
    seed
        Seeds the order of the data and all sampling. A resumed training goes on with its own numbers.
    callbacks
        Called at the end of each epoch, in order; one that returns True stops the training.
    checkpoint
        A file that is written every ``checkpoint_every`` epochs and at the end.
    resume
        Go on from the checkpoint, to the same bits as a training that was never stopped.
    progress
        Whether to show progress on standard error, where that is a terminal, or in a notebook.

    Returns
    -------
    TrainingRun
        The model, the history and how it ended. After Ctrl-C it holds the whole epochs that were done.

    Raises
    ------
    InvalidDataError, InvalidParameterError, UnknownNameError
        Before any work, if an argument is wrong.
    CheckpointError
        If the checkpoint cannot be written, is damaged or belongs to another training.
    DivergenceError
        If a parameter is no longer finite; model and checkpoint keep the last good epoch.
    BackendError
        If the machine fails; model and checkpoint keep the last whole epoch.

    Examples
    --------
    >>> import rapid_ising as ri
    >>> model = ri.PatternRBM(n_visible=16, n_hidden=100, n_patterns=8, seed=0)
    >>> run = ri.train(model, ri.datasets.stripes(4).train, epochs=3, seed=0, progress=False)
    >>> run.epochs, run.stopped
    (3, 'finished')
    """
    _check_callbacks(model, callbacks)
    images = _training_rows(data, model)
    settings = as_recipe(recipe, model, images)
    phase = _negative_phase(settings, negative_phase, backend)
    steps = as_optimizer(_or_recipe(optimizer, settings.optimizer), learning_rate)
    total = positive_integer("epochs", settings.epochs if epochs is None else epochs)
    steps.schedule = steps.schedule.over(total)
    size = positive_integer("batch_size", settings.batch_size if batch_size is None else batch_size)
    held = as_constraint(_or_recipe(constraint, settings.constraint), model)
    division = settings.last_batch if last_batch is None else last_batch
    if division not in ("own", "nominal"):
        raise InvalidParameterError(f"last_batch must be 'own' or 'nominal', not {division!r}")
    about_means = settings.centred if centred is None else bool(centred)
    if about_means and not model.bias_names:
        raise InvalidParameterError(
            f"this {type(model).__name__} has no centred gradient: leave centred out, or take an RBM, a "
            "DeepBoltzmannMachine or a PatternRBM with biases='free'"
        )
    own = backend is None and plain(phase) == plain(settings.negative_phase)
    heat = (settings.temperature if own else 1.0) if temperature is None else temperature
    heat = finite("temperature", heat, minimum=0, exclusive=True)
    positive_integer("checkpoint_every", checkpoint_every)
    if resume and checkpoint is None:
        raise InvalidParameterError("resume needs the checkpoint to go on from: give checkpoint=FILE")

    rng = generator(seed, TRAINING)
    facts = {
        "model": {"kind": model.name, **model.config()},
        "data": {"rows": len(images), "sha256": hashlib.sha256(images.tobytes()).hexdigest()},
        "negative_phase": plain(phase),
        "optimizer": plain(steps),
        "batch_size": size,
        "constraint": plain(held),
        "last_batch": division,
        "centred": about_means,
        "temperature": heat,
    }
    run = TrainingRun(model, checkpoint=None if checkpoint is None else Path(checkpoint), settings=facts)
    run.origin = {"starts": [_begun(seed)]}
    _tell_origin(run, phase)
    if run.checkpoint is not None:
        _check_place(run.checkpoint, resume)
    earlier = None
    if resume and run.checkpoint is not None:
        earlier = Snapshot.read(run.checkpoint, facts)
        if len(earlier.history) > total:
            raise InvalidParameterError(
                f"{run.checkpoint} has {len(earlier.history)} epochs and {total} were asked: ask for at "
                "least as many"
            )
    visible = model.place.put(images.astype(model.dtype))
    steps.start()
    untouched = {name: array.copy() for name, array in model.numpy_parameters().items()}, model.temperature
    try:
        # The phase is set up for the model that is fitted.
        model.rescale(1 / model.temperature)
        if earlier is None:
            held.start(model)
        with nullcontext() if progress else hide_progress():
            phase.start(model, visible, rng)
        if earlier is None:
            model.rescale(heat)
        else:
            earlier.put_back(run, steps, phase, rng)
            run.origin["starts"] = [*run.origin.get("starts", []), _begun(seed, run.epochs)]
        model.temperature = heat
        for callback in callbacks:
            begin = getattr(callback, "on_start", None)
            if begin is not None:
                begin(run)
    except BaseException:
        model.set_parameters(untouched[0])
        model.temperature = untouched[1]
        raise
    stopped = earlier is not None and earlier.stopped_early
    if stopped and any([callback.on_epoch_end(run) for callback in callbacks]):
        run.stopped = "early"
        _end(run, callbacks)
        return run

    goes_on = f", from epoch {run.epochs + 1}" if run.epochs else ""
    log.info("training %s on %d rows, %d epochs%s: %s", model.name, len(images), total, goes_on, phase)
    last = Snapshot.take(run, steps, phase, rng)

    # In NumPy the data stay bytes, a quarter of the memory to keep and to read.
    placed = None if model.place.is_numpy else visible
    del visible

    def batch_of(chosen: Indices) -> Floats:
        return images[chosen].astype(model.dtype) if placed is None else rows(placed, chosen)

    update = updating(model, phase, steps, size, about_means, rng)
    nominal = min(size, len(images)) if division == "nominal" else None
    saved = run.epochs
    try:
        with one_pool(), Bar("epochs", total, done=run.epochs, shown=progress, delay=0, keep=True) as bar:
            for epoch in range(run.epochs, total):
                began = time.perf_counter()
                rate = steps.rate(epoch)
                steps.begin_epoch(epoch)
                order = rng.permutation(len(images))
                model.rescale(1 / heat)
                # An overflow is raised after the step, with what to do about it.
                with np.errstate(over="ignore", invalid="ignore"):
                    for start in range(0, len(images), size):
                        batch = batch_of(order[start : start + size])
                        if steps.schedule.by_update:
                            rate = steps.rate(epoch + start / len(images))
                        update(batch, nominal, rate)
                        _check_finite(model, epoch + 1, rate, steps)
                        held.after_update(model)
                held.after_epoch(model)
                model.rescale(heat)
                spent = run.seconds + time.perf_counter() - began
                run.history.append(
                    {"epoch": epoch + 1, "seconds": spent, "learning_rate": rate, **phase.measured()}
                )
                _tell_origin(run, phase)
                stop = any([callback.on_epoch_end(run) for callback in callbacks])
                if stop:
                    run.stopped = "early"
                last = Snapshot.take(run, steps, phase, rng)
                if run.checkpoint is not None and run.epochs % checkpoint_every == 0:
                    last.write(run.checkpoint, facts)
                    saved = run.epochs
                log.debug("epoch %d: %s", run.epochs, run.history[-1])
                bar.advance(note=held_out(run.history[-1]))
                if stop:
                    break
        if run.stopped == "running":
            run.stopped = "finished"
    except KeyboardInterrupt:
        run.stopped = "interrupted"
    finally:
        if run.stopped in ("running", "interrupted"):
            # The update that was under way may be half done: go back to the last whole epoch.
            last.put_back(run, steps, phase, rng)
        model.temperature = heat
        if run.checkpoint is not None and run.epochs != saved:
            last.write(run.checkpoint, facts)
        ended = "failed" if run.stopped == "running" else run.stopped
        log.info("training of %s %s: %d epochs in %.3g s", model.name, ended, run.epochs, run.seconds)
        _end(run, callbacks)
    return run


def _tell_origin(run: TrainingRun, phase: NegativePhase) -> None:
    """Add to a run what its negative phase says of where the samples come from; no label is lost."""
    told = phase.origin()
    machines = machines_of(run.origin, told)
    run.origin |= told | ({"machines": machines} if machines else {})


def _end(run: TrainingRun, callbacks: Sequence[Callback]) -> None:
    for callback in callbacks:
        end = getattr(callback, "on_end", None)
        if end is not None:
            end(run)


def _begun(seed: Seed, epochs: int = 0) -> dict[str, Any]:
    """Return when, where and with what a training begins, or goes on after so many epochs."""
    return {
        "epochs": epochs,
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seed": int(seed) if isinstance(seed, numbers.Integral) else None,
        "versions": dict(versions()),
        "processor": processor(),
    }


def _negative_phase(
    settings: Recipe, negative_phase: str | NegativePhase | None, backend: str | Backend | Sampler | None
) -> NegativePhase:
    if backend is not None:
        if negative_phase is not None and negative_phase != BackendSamples.name:
            raise InvalidParameterError(
                "give either negative_phase or backend: backend=X is negative_phase=BackendSamples(X)"
            )
        return BackendSamples(backend)
    if negative_phase == BackendSamples.name:
        raise InvalidParameterError("negative_phase='backend' needs the machine: give backend=NAME")
    # A copy: what a phase keeps from update to update belongs to one training.
    return copy.copy(as_negative_phase(_or_recipe(negative_phase, settings.negative_phase)))


def _or_recipe(given: str | Part | None, recommended: Part) -> str | Part:
    """Return what was given, or the recipe's own part where nothing or only its name was given."""
    if given is None or given == getattr(recommended, "name", None):
        return recommended
    return given


def _training_rows(data: npt.ArrayLike | Dataset, model: Model) -> States:
    if isinstance(data, Dataset):
        raise InvalidDataError("training data must be an array, not a Dataset: pass data.train")
    array = rectangular("training data", data)
    if array.ndim == 3:
        array = array.reshape(len(array), -1)
    if array.ndim != 2 or not len(array):
        raise InvalidDataError(
            f"training data must be rows of spins or images, not an array of {array.shape}"
        )
    return spins("training data", array, model.n_visible)


def _check_callbacks(model: Model, callbacks: Sequence[Callback]) -> None:
    if not isinstance(model, Model):
        raise InvalidParameterError(f"model must be a model such as PatternRBM, not {type(model).__name__}")
    if not isinstance(callbacks, Sequence):
        raise InvalidParameterError("callbacks must be a list, as in callbacks=[Evaluate(dataset)]")
    for callback in callbacks:
        if isinstance(callback, type) or not hasattr(callback, "on_epoch_end"):
            raise InvalidParameterError(f"callback {callback!r} has no method on_epoch_end")


def _check_place(checkpoint: Path, resume: bool) -> None:
    """Raise unless a checkpoint can be written here without losing an earlier one."""
    if checkpoint.is_dir():
        raise CheckpointError(f"cannot write {checkpoint}: it is a folder")
    if not checkpoint.absolute().parent.is_dir():
        raise CheckpointError(f"cannot write {checkpoint}: there is no such folder")
    if checkpoint.exists() and not resume:
        raise CheckpointError(
            f"{checkpoint} holds an earlier training: resume it, or remove the file to start anew"
        )


def _check_finite(model: Model, epoch: int, rate: float, steps: Optimizer) -> None:
    for name, array in model.parameters.items():
        if not all_finite(array):
            raise DivergenceError(
                f"{name} is no longer finite in epoch {epoch} at learning rate {rate:g}: lower the rate, "
                f"as by learning_rate={steps.learning_rate / 4:.1g}"
            )
