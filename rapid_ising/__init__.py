"""Train Boltzmann machines with low-energy samples from any Ising machine.

The public names are those of ``__init__.pyi``; each is imported when it is first used, so that
``import rapid_ising`` takes no longer than what is asked of it.
"""

from typing import Any

import lazy_loader

_public, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    """Return a public name, imported now; the error of any other says which one may be meant."""
    try:
        return _public(name)
    except AttributeError as error:
        if name not in __all__:
            from rapid_ising.errors import nearest

            near = nearest(name, __all__)
            error.args = (f"{error}{f': did you mean {near}?' if near else ''}",)
        raise
