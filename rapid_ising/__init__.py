"""Train Boltzmann machines with low-energy samples from any Ising machine.

The public names are those of ``__init__.pyi``; each is imported when it is first used, so that
``import rapid_ising`` takes no longer than what is asked of it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
