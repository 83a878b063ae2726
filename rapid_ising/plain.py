"""Objects told in JSON values: what goes into a record beside the numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Return ``value`` as JSON values, without addresses and without what a repr leaves out.

    A dataclass is told by its class and its options, but for those that its class names in ``untold``;
    anything else that has no form in JSON, by its class.

    Examples
    --------
    >>> from rapid_ising.training.schedules import Exponential
    >>> plain({"schedule": Exponential(0.96), "seeds": np.arange(2)})
    {'schedule': {'class': 'Exponential', 'ratio': 0.96, 'floor': 1e-05}, 'seeds': [0, 1]}
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    told = {"class": type(value).__name__}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        left_out = getattr(type(value), "untold", ())
        fields = [field for field in dataclasses.fields(value) if field.init and field.repr]
        shown = [field.name for field in fields if field.name not in left_out]
        told |= {name: plain(getattr(value, name)) for name in shown}
    return told
