"""Standard logging: everything goes to the logger ``rapid_ising`` and those below it, quiet by default.

At INFO: what is made around a machine, jobs with their ids, waits, calibrations that took several calls, how
trainings begin and end. At DEBUG: every epoch, checkpoint and calibration. No record holds a token.
"""

from __future__ import annotations

import logging

# Without a handler of the program's own nothing is written, warnings included.
logging.getLogger("rapid_ising").addHandler(logging.NullHandler())


def logger(name: str) -> logging.Logger:
    """Return the logger of a module, below ``rapid_ising``.

    >>> logger("rapid_ising.demo").parent.name
    'rapid_ising'
    """
    return logging.getLogger(name)
