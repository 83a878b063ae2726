"""A machine's capabilities as JSON values, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import networkx as nx

from rapid_ising.capabilities import Capabilities
from rapid_ising.couplings import Couplings
from rapid_ising.errors import InvalidDataError
from rapid_ising.machine.record_values import label_from_json, label_to_json
from rapid_ising.plain import plain


def capabilities_to_json(facts: Capabilities) -> dict[str, Any]:
    """Return a machine's capabilities: its graph as nodes and edges, structures of couplings by name.

    >>> capabilities_to_json(Capabilities(topology=nx.path_graph(2)))["topology"]
    {'nodes': [0, 1], 'edges': [[0, 1]], 'facts': {}}
    """
    told = {field.name: getattr(facts, field.name) for field in dataclasses.fields(facts)}
    if facts.topology is not None:
        graph = facts.topology
        told["topology"] = {
            "nodes": [label_to_json(node) for node in graph],
            "edges": [[label_to_json(end) for end in edge] for edge in graph.edges],
            "facts": plain(graph.graph),
        }
    if facts.structures is not None:
        told["structures"] = [kind.__name__ for kind in facts.structures]
    values: dict[str, Any] = plain(told)
    return values


def capabilities_from_json(value: Mapping[str, Any]) -> Capabilities:
    """Return the capabilities that ``capabilities_to_json`` wrote.

    Raises
    ------
    InvalidDataError
        If they name a structure of couplings that there is not, or a fact of a later version.
    """
    known = {field.name for field in dataclasses.fields(Capabilities)}
    later = sorted(set(value) - known)
    if later:
        raise InvalidDataError(f"capabilities with {', '.join(later)} are of a later version: update")
    told: dict[str, Any] = {
        key: tuple(item) if isinstance(item, list) else item for key, item in value.items()
    }
    if told.get("topology") is not None:
        topology = told["topology"]
        graph: nx.Graph[Any] = nx.Graph()
        graph.graph.update(topology["facts"])
        graph.add_nodes_from(label_from_json(node) for node in topology["nodes"])
        graph.add_edges_from(tuple(map(label_from_json, edge)) for edge in topology["edges"])
        told["topology"] = graph
    if told.get("structures") is not None:
        told["structures"] = tuple(_structure(name) for name in told["structures"])
    return Capabilities(**told)


def _structure(name: str) -> type[Couplings]:
    for kind in Couplings.__subclasses__():
        if kind.__name__ == name:
            return kind
    raise InvalidDataError(f"there are no {name} couplings: import the package that defines them")
