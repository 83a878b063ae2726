"""A ramp that ends at a value and stays there: of inverse temperatures, or of a pump."""

from __future__ import annotations

import numpy as np

from rapid_ising.typing import Reals


def rise_and_hold(top: float, steps: int, hold: float) -> Reals:
    """Return ``steps`` values that rise evenly from 0 and stay at ``top`` for the last share ``hold``.

    At least the last one is ``top``.

    >>> rise_and_hold(1.0, 5, 0.2)
    array([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    held = max(1, round(hold * steps))
    return np.concatenate([np.linspace(0.0, top, steps - held, endpoint=False), np.full(held, top)])
