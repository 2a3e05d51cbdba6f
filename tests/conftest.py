"""How hypothesis draws its examples: without a limit of time, and the same ones each time where `CI` is set.

A busy machine must not turn a test red, and a change must not be refused for an example that it has nothing to do with.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "soilql",
    deadline=None,
    derandomize="CI" in os.environ,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("soilql")
