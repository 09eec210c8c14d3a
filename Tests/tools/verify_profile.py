"""A pytest plugin: hypothesis looks longer (pytest -p verify_profile)."""

from hypothesis import settings

settings.register_profile("verify", max_examples=2000, deadline=None)
settings.load_profile("verify")
