"""Settings shared by all tests."""

from __future__ import annotations

import os
import signal
import tempfile

# The matrices of tests are small: threads of BLAS gain nothing, and wait for each other on a busy machine.
# Set before NumPy is imported; processes that tests start inherit it.
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

# Embeddings that tests find are kept for this run alone.
CACHE = tempfile.TemporaryDirectory(prefix="rapid-ising-")
os.environ.setdefault("RAPID_ISING_CACHE", CACHE.name)

import hypothesis  # noqa: E402

# A shell that runs the tests in the background starts them with Ctrl-C ignored, and tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples in every run, and none stored: a failure reproduces anywhere.
hypothesis.settings.register_profile("rapid-ising", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("rapid-ising")
