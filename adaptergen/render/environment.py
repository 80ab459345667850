"""The templates, and how they are filled."""

from __future__ import annotations

from functools import cache

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
