"""minorminer, the package that finds embeddings, imported when one is looked for."""

from __future__ import annotations

import importlib
from typing import Any

from rapid_ising.errors import MissingDependencyError


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingDependencyError(
            "an embedding needs minorminer, not installed here: pip install 'rapid-ising[embedding]'"
        ) from error


def minorminer() -> Any:
    """Return the package."""
    return _module("minorminer")


def busclique() -> Any:
    """Return its cliques on Chimera, Pegasus and Zephyr graphs."""
    return _module("minorminer.busclique")


def subgraph() -> Any:
    """Return its search for subgraphs."""
    return _module("minorminer.subgraph")


def parallel_embeddings() -> Any:
    """Return its search for disjoint embeddings."""
    return _module("minorminer.utils.parallel_embeddings")
