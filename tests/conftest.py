"""Settings shared by all tests."""

from __future__ import annotations

import hypothesis

# The same examples in every run, and none stored: a failure reproduces anywhere.
hypothesis.settings.register_profile("rapid-ising", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("rapid-ising")
