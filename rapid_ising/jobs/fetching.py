"""A job of a journal without the program that sent it: its answer fetched, the job stopped, samples read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dimod

from rapid_ising.errors import InvalidParameterError, JobFailedError, UnknownOutcomeError
from rapid_ising.jobs.entry import INTENDED, Entry
from rapid_ising.jobs.journal import Journal
from rapid_ising.machine.journaled import HoldsJobs, answer_content, facts_of
from rapid_ising.machine.record_request import request_from_json
from rapid_ising.machine.record_values import array_from_json, label_from_json, states_from_json
from rapid_ising.registry import load_backend
from rapid_ising.request import Request

WAIT = 60.0
"""The seconds that an answer is waited for."""


def fetch(journal: Journal, entry: Entry, options: Mapping[str, Any] | None = None) -> str:
    """Fetch the answer of a job from the machine into the journal; nothing is sent.

    Parameters
    ----------
    journal, entry
        The job.
    options
        Other values for options of the machine, such as its ``url``.

    Returns
    -------
    str
        What there is now, in a few words.

    Raises
    ------
    UnknownOutcomeError
        If the machine keeps no answers, or it cannot be told whether it has the job.
    JobFailedError
        If the machine does not have the job, or gave it up.
    DeadlineExceededError
        If it is not done within a minute.
    """
    machine, request = _machine(journal, entry, options), _request(journal, entry)
    id = entry.id
    if entry.state == INTENDED:
        id = machine.find(request, entry.tag, entry.intended)
        if id is None:
            journal.never_sent(entry.number, "the machine does not have it")
            raise JobFailedError(f"job {entry.number} never reached the machine")
        journal.sent(entry.number, id, machine.emulated)
    if not machine.keeps or id is None:
        raise UnknownOutcomeError(f"job {entry.number}: the machine keeps no answers; the samples are lost")
    submission = machine.attach(request, id)
    submission.keep = lambda answer: journal.answered(
        entry.number, answer_content(request, answer, None), **facts_of(answer.stages[-1])
    )
    try:
        answer = submission.answer(WAIT)
    except JobFailedError as error:
        journal.failed(entry.number, str(error))
        raise
    return f"{len(answer.states)} reads of {len(request.variables)} spins"


def stop(journal: Journal, entry: Entry, options: Mapping[str, Any] | None = None) -> bool:
    """Ask the machine to stop a job; return whether there will be no answer."""
    machine, request = _machine(journal, entry, options), _request(journal, entry)
    if entry.id is None or not machine.attach(request, entry.id).cancel():
        return False
    journal.cancelled(entry.number)
    return True


def samples(journal: Journal, entry: Entry) -> dimod.SampleSet:
    """Return the samples of an answered job, in the variables that were sent: on a graph, its nodes."""
    content = journal.answer(entry.number)
    answer, vartype = content["answer"], dimod.Vartype[content["vartype"]]
    states = states_from_json(answer["states"])
    found: dimod.SampleSet = dimod.SampleSet.from_samples(
        (
            states if vartype is dimod.SPIN else (states + 1) // 2,
            [label_from_json(label) for label in content["labels"]],
        ),
        vartype=vartype,
        energy=array_from_json(content["energies"]),
        info={"rapid_ising": {"stages": answer["stages"], "job": entry.number, "id": entry.id}},
        sort_labels=False,
    )
    return found


def _machine(journal: Journal, entry: Entry, options: Mapping[str, Any] | None) -> HoldsJobs:
    name, stored = journal.machine(entry.run)
    machine = load_backend(name, **{**stored, **(options or {})})
    if not isinstance(machine, HoldsJobs):
        raise InvalidParameterError(f"{name} computes here and holds no jobs: run the program again")
    return machine


def _request(journal: Journal, entry: Entry) -> Request:
    name, _ = journal.machine(entry.run)
    return request_from_json(journal.request(entry.number), {"backend": name, "tag": entry.tag})
