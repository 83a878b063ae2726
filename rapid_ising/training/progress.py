"""What the bar of a training says beside its epochs."""

from __future__ import annotations

from collections.abc import Mapping

SHOWN = {
    "hamming_test": "distance",
    "zero_temperature_test": "T=0",
    "log_likelihood_test": "log-lik.",
}
"""The measures shown beside the bar when a callback records them."""


def held_out(record: Mapping[str, float]) -> str | None:
    """Return what the record of an epoch holds of held-out images, None where it holds nothing.

    >>> held_out({"epoch": 3, "hamming_test": 0.25})
    'held out: distance 0.250'
    """
    parts = [f"{label} {record[key]:.3f}" for key, label in SHOWN.items() if key in record]
    return f"held out: {', '.join(parts)}" if parts else None
