"""The lowest energy over all states of one half of the spins, for each state r of the other half.

With the first half cut into quarters q and p, it is the least of

    E(r, q, p) = x_rq + y_rp + t_qp

over all q and p. An entry costs one addition: y_rp is added once the least over q is taken.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rapid_ising.kernels.compile import compiled

Reals = npt.NDArray[np.float64]


def lowest_energies_twin(outer: Reals, inner: Reals, table: Reals) -> Reals:
    """Return the energies in plain NumPy; the specification of the kernel below."""
    lowest: Reals = (outer[:, :, np.newaxis] + inner[:, np.newaxis, :] + table).min(axis=(1, 2))
    return lowest


@compiled(nogil=True, fastmath={"nnan", "nsz"})
def lowest_energies(outer: Any, inner: Any, table: Any, lowest: Any) -> None:  # pragma: no cover - compiled
    """Write the energies of x = ``outer``, (R, Q), y = ``inner``, (R, P), and t = ``table``, (Q, P)."""
    least = np.empty(table.shape[1])
    for r in range(len(lowest)):
        least[:] = np.inf
        for q in range(table.shape[0]):
            x = outer[r, q]
            for p in range(table.shape[1]):
                least[p] = min(least[p], table[q, p] + x)
        found = np.inf
        for p in range(table.shape[1]):
            found = min(found, least[p] + inner[r, p])
        lowest[r] = found
