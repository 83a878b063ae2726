"""Averages of the products h_a v_i, from samples or as exact moments: what a gradient is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

from rapid_ising.typing import Floats


class Statistics(ABC):
    """Averages over the states of one phase, data or model."""

    @property
    @abstractmethod
    def visible(self) -> Floats:
        """<v_i>, shape (V,)."""

    @property
    @abstractmethod
    def hidden(self) -> Floats:
        """<h_a>, shape (H,)."""

    @abstractmethod
    def correlations(self) -> Floats:
        """<h_a v_i>, shape (H, V)."""

    @abstractmethod
    def onto_hidden(self, patterns: Floats) -> Floats:
        """sum_a xi_ka <h_a v_i> for hidden patterns (K, H), shape (K, V)."""

    @abstractmethod
    def onto_visible(self, patterns: Floats) -> Floats:
        """sum_i xi_ki <h_a v_i> for visible patterns (K, V), shape (K, H)."""


@final
class SampleStatistics(Statistics):
    """Averages over rows: visible states (n, V) and the hidden means or states (n, H) that go with them.

    ``divisor`` replaces n where the rows are part of a larger whole. Projections onto patterns never form
    the H x V matrix.
    """

    def __init__(self, visible: Floats, hidden: Floats, divisor: int | None = None) -> None:
        self._visible = visible
        self._hidden = hidden
        self._share = visible.dtype.type(1 / (len(visible) if divisor is None else divisor))

    @property
    def visible(self) -> Floats:  # noqa: D102
        mean: Floats = self._visible.sum(axis=0) * self._share
        return mean

    @property
    def hidden(self) -> Floats:  # noqa: D102
        mean: Floats = self._hidden.sum(axis=0) * self._share
        return mean

    def correlations(self) -> Floats:  # noqa: D102
        return (self._hidden.T * self._share) @ self._visible

    def onto_hidden(self, patterns: Floats) -> Floats:  # noqa: D102
        return (patterns @ self._hidden.T * self._share) @ self._visible

    def onto_visible(self, patterns: Floats) -> Floats:  # noqa: D102
        return (patterns @ self._visible.T * self._share) @ self._hidden


@final
class MomentStatistics(Statistics):
    """Averages that are known as such: means (V,) and (H,), and <h_a v_i> (H, V)."""

    def __init__(self, visible: Floats, hidden: Floats, correlations: Floats) -> None:
        self._visible = visible
        self._hidden = hidden
        self._correlations = correlations

    @property
    def visible(self) -> Floats:  # noqa: D102
        return self._visible

    @property
    def hidden(self) -> Floats:  # noqa: D102
        return self._hidden

    def correlations(self) -> Floats:  # noqa: D102
        return self._correlations

    def onto_hidden(self, patterns: Floats) -> Floats:  # noqa: D102
        return patterns @ self._correlations

    def onto_visible(self, patterns: Floats) -> Floats:  # noqa: D102
        return patterns @ self._correlations.T
