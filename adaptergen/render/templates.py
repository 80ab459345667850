"""The templates, and how they are filled."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import jinja2

from adaptergen.resources import templates


@cache
def environment() -> jinja2.Environment:
    """Templates from the project's folder; an unknown name in one is a bug and raises."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates()),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


def fill(template: str, **values: object) -> str:
    """The text of a template."""
    return environment().get_template(template).render(**values)


def format_files(files: Mapping[str, str]) -> dict[str, str]:
    """The files, by their paths, with those of Python formatted."""
    return {
        path: format_python(text) if path.endswith(".py") else text for path, text in files.items()
    }


def format_python(text: str) -> str:
    """Python source as upstream's formatters leave it."""
    # Imported where they are needed: what is only run in memory is not formatted.
    import black
    import isort

    # Upstream checks with `isort --profile black` (88 columns) and `black --line-length 100`.
    sorted_text = isort.code(text, config=_isort())
    return black.format_str(sorted_text, mode=black.Mode(line_length=100))


@cache
def _isort() -> Any:
    import isort

    # Which package is its own would otherwise depend on the working directory.
    return isort.Config(profile="black", known_first_party=("tests", "transformer_lens"))
