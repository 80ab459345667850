"""Formatting in process, with the settings that upstream has; no configuration file is read."""

from __future__ import annotations

from functools import cache

import black
import isort

#: Upstream checks with `isort --profile black` (88 columns) and `black --line-length 100`. Which
#: package is its own would otherwise depend on the working directory.
_BLACK = black.Mode(line_length=100)


@cache
def _isort() -> isort.Config:
    return isort.Config(profile="black", known_first_party=("transformer_lens",))


def format_python(text: str) -> str:
    """Python source as upstream's formatters leave it."""
    return black.format_str(isort.code(text, config=_isort()), mode=_BLACK)
