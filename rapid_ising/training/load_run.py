"""A training run from a file: one that was saved, or the checkpoint of one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, get_args

from rapid_ising import storage
from rapid_ising.errors import CheckpointError
from rapid_ising.models import model_of
from rapid_ising.models.base import KIND
from rapid_ising.training.checkpoint import KIND as CHECKPOINT
from rapid_ising.training.checkpoint import Snapshot
from rapid_ising.training.negative_phase.base import machines_of
from rapid_ising.training.run import Stopped, TrainingRun


def load_run(path: str | os.PathLike[str]) -> TrainingRun:
    """Return the run in a file that ``TrainingRun.save``, a checkpoint or ``rapid-ising train`` wrote.

    A checkpoint does not know whether its training goes on: the run of one is "running", unless a callback
    ended it.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    CheckpointError
        If the file is missing or damaged, or holds a model without the run that made it.

    Examples
    --------
    See ``TrainingRun.save``.
    """
    arrays, facts = storage.read(path, KIND, CHECKPOINT)
    try:
        if facts["kind"] == CHECKPOINT:
            return _checked(_of_checkpoint(arrays, facts, Path(path)), path)
        told = facts.get("run")
        if told is None:
            raise CheckpointError(
                f"{path} holds a model without the run that made it: save it with run.save(...), or give the "
                "checkpoint"
            )
        place = told["checkpoint"]
        return _checked(
            TrainingRun(
                model_of(arrays, facts, str(path)),
                told["history"],
                told["stopped"],
                None if place is None else Path(place),
                told["settings"],
                told["origin"],
            ),
            path,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} has a damaged header: {error!r}") from error


def _checked(run: TrainingRun, path: str | os.PathLike[str]) -> TrainingRun:
    """Return a run whose parts are there."""
    if run.stopped not in get_args(Stopped):
        raise CheckpointError(f"{path} has a damaged header: a run that is {run.stopped!r}")
    for start in run.origin.get("starts", []):
        for name in ("epochs", "time", "seed", "versions", "processor"):
            start[name]
    machines_of(run.origin)
    return run


def _of_checkpoint(arrays: storage.Arrays, facts: dict[str, Any], path: Path) -> TrainingRun:
    snapshot, settings = Snapshot.of(arrays, facts), facts["settings"]
    config = dict(settings["model"])
    header = {"model": config.pop("kind"), "config": config, "temperature": settings["temperature"]}
    return TrainingRun(
        model_of(dict(snapshot.parameters), header, str(path)),
        snapshot.history,
        "early" if snapshot.stopped_early else "running",
        path,
        settings,
        snapshot.origin,
    )
