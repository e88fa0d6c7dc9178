"""Readers meet what nobody would write: a clear error, never a hang, never a write outside of the run.

The suite tries a few hundred examples, `make fuzz` more than 100,000.
"""

import os

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))  # of each test
fuzzed = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
