"""Fixtures of these tests; what they are made of is imported by name."""

from conftest_export import base, new_spec, one_reading_of_the_components, run, upstream

__all__ = ["base", "new_spec", "one_reading_of_the_components", "run", "upstream"]
