"""Boltzmann machines beyond the RBM: on any graph, and deep. Each trains from any source of samples.

python examples/06_other_machines.py
"""

from __future__ import annotations

import networkx as nx

import rapid_ising as ri


def kings_graph(side: int) -> nx.Graph[tuple[int, int]]:
    """Return the graph of a king's moves, as CMOS annealers have it; its inner spins, first, are pixels."""
    cells = [(row, column) for row in range(side) for column in range(side)]
    border = {cell for cell in cells if {0, side - 1} & set(cell)}
    graph: nx.Graph[tuple[int, int]] = nx.Graph()
    graph.add_nodes_from(sorted(cells, key=lambda cell: (cell in border, cell)))
    graph.add_edges_from(
        (a, b) for a in cells for b in cells if a < b and max(abs(a[0] - b[0]), abs(a[1] - b[1])) == 1
    )
    return graph


def main() -> None:
    data = ri.datasets.stripes(4)
    machines = {
        "every two of 16 spins": ri.BoltzmannMachine(16, seed=0),
        "king's graph, 16 + 20 hidden": ri.BoltzmannMachine(
            kings_graph(6), n_visible=16, weight_std=0.1, seed=0
        ),
        "deep, 16-12-6": ri.DeepBoltzmannMachine((16, 12, 6), weight_std=0.1, seed=0),
        "patterns on 16 + 6 spins": ri.PatternBoltzmannMachine(22, 8, n_visible=16, seed=0),
    }
    for name, model in machines.items():
        run = ri.train(model, data.train, epochs=300, seed=0, progress=False)
        found = ri.evaluate(model, data, steps=5, tries=20)
        print(f"{name:30} {run.seconds:5.2f} s, wrong pixels at zero temperature:", end=" ")
        print(f"{found.zero_temperature_train:.3f} (training) {found.zero_temperature_test:.3f} (held out)")
    samples = machines["king's graph, 16 + 20 hidden"].sample(5, backend="simulated-annealing", seed=0)
    print("samples of the king's graph from simulated annealing:")
    for image in samples.reshape(-1, 4, 4):
        print("  ", " / ".join("".join("#" if pixel > 0 else "." for pixel in row) for row in image))


if __name__ == "__main__":
    main()
