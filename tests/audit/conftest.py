"""The checkout that the tests of `export` use, too."""

from conftest_export import base, new_spec, one_reading_of_the_components, run, upstream

__all__ = ["base", "new_spec", "one_reading_of_the_components", "run", "upstream"]
