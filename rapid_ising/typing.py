"""Names for the arrays that pass between the parts."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
"""A floating array, float32 or float64."""
Reals: TypeAlias = npt.NDArray[np.float64]
"""A float64 array."""
Indices: TypeAlias = npt.NDArray[np.intp]
"""An array of indices."""
States: TypeAlias = npt.NDArray[np.int8]
"""States of spins, one row a state, each value -1 or +1."""
Range: TypeAlias = tuple[float, float]
"""The lowest and the highest value of a coefficient."""
