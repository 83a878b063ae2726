"""Standard logging: silent by default, told at INFO what happened, and no token in it."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from demo_service import demo

import rapid_ising as ri
from rapid_ising.machine import Calibrated, Journaled
from rapid_ising.remote import transport
from rapid_ising_backends.emulators.faults import Faults
from rapid_ising_backends.emulators.trial import hurried

PROBLEM = ri.IsingModel([1.0, -1.0], [[0.0, 0.5], [0.5, 0.0]])
QUIET = """
import logging
import rapid_ising as ri
from rapid_ising.log import logger
model = ri.PatternRBM(9, 4, 2, seed=0)
ri.train(model, ri.datasets.stripes(3).train, backend="exact", epochs=2, seed=0, progress=False)
logger("rapid_ising.demo").warning("not even this")
"""


def lines(caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[str]:
    mine = [r for r in caplog.records if r.name.startswith("rapid_ising.")]
    return [record.getMessage() for record in mine if record.levelno >= level]


def test_nothing_is_printed_by_default() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", QUIET], capture_output=True, text=True, check=True, timeout=120
    )
    assert (answer.stdout, answer.stderr) == ("", "")


def test_a_training_tells_how_it_begins_and_ends(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    data = ri.datasets.stripes(3).train
    with caplog.at_level(logging.DEBUG, "rapid_ising"):
        for epochs in (2, 3):
            model = ri.PatternRBM(9, 4, 2, seed=0)
            ri.train(
                model,
                data,
                epochs=epochs,
                seed=0,
                checkpoint=tmp_path / "state",
                resume=epochs == 3,
                progress=False,
            )
    told = lines(caplog)
    assert told[0].startswith("training pattern-rbm on 5 rows, 2 epochs: PatternCorrelations(")
    assert told[1].startswith("training of pattern-rbm finished: 2 epochs in ")
    assert told[2].startswith("training pattern-rbm on 5 rows, 3 epochs, from epoch 3: ")
    every = lines(caplog, logging.DEBUG)
    assert f"checkpoint {tmp_path / 'state'}: 3 epochs" in every
    assert any(line.startswith("epoch 3: {'epoch': 3, ") for line in every)


def test_stages_and_calibrations_are_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "rapid_ising"):
        ri.prepare(ri.load_backend("twin-dwave", topology="complete", size=8), PROBLEM, show=False)
        Calibrated("exact").sample(PROBLEM, num_reads=500, seed=np.random.default_rng(0))
    assert "around twin-dwave for 2 spins: calibrated, " in lines(caplog)[0]
    (told,) = [line for line in lines(caplog, logging.DEBUG) if "asked for beta" in line]
    assert told.startswith("exact: asked for beta 1, reads at ")
    assert told.endswith(" after 1 calls, factor 1")


def test_jobs_and_waits_are_told_without_the_token(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    token = "mackerel-of-this-test"
    with (
        caplog.at_level(logging.DEBUG),
        hurried(),
        demo(Faults({"429": 0.4}, seed=1), token=token) as (machine, _),
    ):
        for resume in (False, True):
            kept = Journaled(machine, tmp_path / "jobs", resume=resume)
            for seed in range(4):
                kept.sample(PROBLEM, num_reads=3, seed=np.random.default_rng(seed))
            kept.close()
    told = lines(caplog)
    sent = [line for line in told if " sent, 3 reads" in line]
    assert len(sent) == 4
    for line in sent:
        id = line.split()[2]
        assert any(f"job {id} answered" in other for other in told)
    assert any("is busy (status 429" in line and ": try 2 in " in line for line in told)
    assert sum("is in the journal" in line for line in lines(caplog, logging.DEBUG)) == 4
    assert token not in caplog.text


def test_what_is_logged_goes_below_one_logger() -> None:
    assert any(
        isinstance(handler, logging.NullHandler) for handler in logging.getLogger("rapid_ising").handlers
    )
    assert transport.log.name == "rapid_ising.remote.transport"
