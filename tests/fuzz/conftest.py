"""Readers meet what nobody would write. The suite tries some; `make fuzz` tries 100,000 and more."""

from hypothesis import HealthCheck, settings

SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
settings.register_profile("suite", max_examples=40, deadline=None, suppress_health_check=SLOW)
settings.register_profile("nightly", max_examples=8_000, deadline=None, suppress_health_check=SLOW)
settings.load_profile("suite")
