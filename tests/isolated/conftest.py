"""A checkout of TransformerLens, as the tests of the export have it."""

from conftest_export import base, new_spec, one_reading_of_the_components, run, upstream

__all__ = ["base", "new_spec", "one_reading_of_the_components", "run", "upstream"]
