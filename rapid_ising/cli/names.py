"""The names that options take, for help and completion, where the code behind them would load slowly.

A test holds them to the catalogues of that code. Names of machines are read from the installed packages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import typer

from rapid_ising.backend_names import available_backends

DATASETS = {
    "stripes": "vertical ones, 4 x 4; N x N as stripes-N",
    "bars-and-stripes": "4 x 4; N x N as bars-and-stripes-N",
    "digits": "scikit-learn's, 8 x 8",
    "mnist": "from the folder that RAPID_ISING_DATA names",
    "fashion-mnist": "from the folder that RAPID_ISING_DATA names",
}
MODELS = {
    "rbm": "two layers, free weights and biases",
    "pattern-rbm": "two layers, weights built from patterns (RAPID)",
    "boltzmann-machine": "every two spins coupled",
    "pattern-boltzmann-machine": "every two spins coupled, through patterns",
    "deep-boltzmann-machine": "several hidden layers",
    "pattern-deep-boltzmann-machine": "several hidden layers, coupled through patterns",
}
NEGATIVE_PHASES = {
    "patterns": "the model's own patterns, refreshed by Gibbs steps",
    "cd": "contrastive divergence",
    "pcd": "persistent contrastive divergence",
    "parallel-tempering": "chains that exchange temperatures",
    "simulated-tempering": "chains that move between temperatures",
    "wang-landau": "chains that are flat in energy",
    "langevin": "gradient-guided flips",
    "exact": "enumeration, for small models",
}
RECIPES = {
    "default": "the best known",
    "paper": "those of arXiv:1910.01592",
    "recall": "the best recall after a known number of epochs",
    "likelihood": "a model of high likelihood",
}
STUDIES = ("fig1a", "fig1b", "fig2a", "fig2b", "negative-phases", "models", "likelihood")
OTHER_STUDIES = ("machines", "services")
"""Those that "all" does not mean."""

Completions = Iterator[tuple[str, str]]


def listed(names: Iterable[str]) -> str:
    """Return names as they stand in a sentence.

    >>> listed(["cd", "pcd", "exact"])
    'cd, pcd or exact'
    """
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


def datasets(incomplete: str) -> Completions:
    """Complete the name of a data set."""
    return _starting(DATASETS, incomplete)


def models(incomplete: str) -> Completions:
    """Complete the name of a model."""
    return _starting(MODELS, incomplete)


def negative_phases(incomplete: str) -> Completions:
    """Complete the name of a negative phase."""
    return _starting(NEGATIVE_PHASES, incomplete)


def recipes(incomplete: str) -> Completions:
    """Complete the name of a recipe."""
    return _starting(RECIPES, incomplete)


def studies(incomplete: str) -> Completions:
    """Complete the name of a study."""
    return _starting(dict.fromkeys((*STUDIES, *OTHER_STUDIES, "all"), ""), incomplete)


def backends(incomplete: str) -> Completions:
    """Complete the name of a machine; none is imported."""
    return _starting(dict.fromkeys(available_backends(), ""), incomplete)


def backend_options(context: typer.Context, incomplete: str) -> Completions:
    """Complete an option of the machine that the command line names so far, as ``KEY=``."""
    from rapid_ising.errors import RapidIsingError
    from rapid_ising.registry import backend_class, backend_options

    try:
        keys = backend_options(backend_class(context.params.get("backend") or ""))
    except RapidIsingError:
        return iter(())
    return _starting({f"{key}=": "" for key in keys}, incomplete)


def _starting(names: dict[str, str], incomplete: str) -> Completions:
    return ((name, told) for name, told in names.items() if name.startswith(incomplete))
