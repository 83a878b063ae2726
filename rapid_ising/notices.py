"""The warnings that rapid-ising gives: samples that came, and may not be what they seem."""

from __future__ import annotations


class RapidIsingWarning(UserWarning):
    """The root of every warning of rapid-ising, so that one filter catches them all."""


class ConvergenceWarning(RapidIsingWarning):
    """Reads still remember where they started."""


class CalibrationWarning(RapidIsingWarning):
    """Reads are not at the inverse temperature that was asked."""


class WeightsWarning(RapidIsingWarning):
    """Importance weights leave few effective reads, or could not be given."""


class RoundingWarning(RapidIsingWarning):
    """The steps of a machine change the law of a model too much for its reads to be samples of it."""
