"""The studies that there are, by the names of the command line."""

from __future__ import annotations

from rapid_ising.errors import UnknownNameError
from rapid_ising.reproduction.fig1 import Fig1
from rapid_ising.reproduction.fig2a import Fig2a
from rapid_ising.reproduction.fig2b import Fig2b
from rapid_ising.reproduction.likelihood import Likelihood
from rapid_ising.reproduction.machines import Machines
from rapid_ising.reproduction.models import Models
from rapid_ising.reproduction.negative_phases import NegativePhases
from rapid_ising.reproduction.services import Services
from rapid_ising.reproduction.study import Study

STUDIES: dict[str, Study] = {
    "fig1a": Fig1("train"),
    "fig1b": Fig1("test"),
    "fig2a": Fig2a(),
    "fig2b": Fig2b(),
    "negative-phases": NegativePhases(),
    "models": Models(),
    "likelihood": Likelihood(),
    "machines": Machines(),
    "services": Services(),
}
"""Each study as it is asked for; two of them may share their tasks."""
OTHER = ("machines", "services")
"""The studies that are not of the paper's figures and must be asked for by name."""


def chosen(names: list[str]) -> dict[str, Study]:
    """Return the studies of some names, in the order of the catalogue; "all" is every one of the paper.

    >>> list(chosen(["fig1b", "fig1a"]))
    ['fig1a', 'fig1b']
    """
    for name in names:
        if name not in (*STUDIES, "all"):
            raise UnknownNameError.among("study", name, (*STUDIES, "all"))
    return {
        name: study
        for name, study in STUDIES.items()
        if name in names or ("all" in names and name not in OTHER)
    }


def study_of(name: str) -> Study:
    """Return a study that does the tasks of this study name."""
    for study in STUDIES.values():
        if study.name == name:
            return study
    raise UnknownNameError.among("study", name, {study.name for study in STUDIES.values()})
