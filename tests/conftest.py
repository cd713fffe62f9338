from __future__ import annotations

from hypothesis import settings

# A run of the tests is to take minutes. A test that needs more examples says so itself.
settings.register_profile("quick", max_examples=30, deadline=None)
settings.load_profile("quick")
