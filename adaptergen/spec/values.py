"""Values of a spec that are neither a name nor a text: dimensions, releases, settings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from pydantic import (
    AfterValidator,
    BeforeValidator,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)

from adaptergen.problems import SpecValueError, quote
from adaptergen.spec.arithmetic import MAX_LENGTH, Expression, parse
from adaptergen.spec.names import MAX_NAME, check_identifier, check_text

#: Keys under which TransformerLens binds a submodule, although Python reserves the word.
RESERVED_KEYS = frozenset({"in"})

MAX_INTEGER = 2**53

#: The version of specs and shapes.
FORMAT = 1

# The text goes into generated code as it stands, so it is no more than this.
_RELEASES = re.compile(r"[<>=0-9., ]{1,80}")
_BOUNDS = ("<", "<=", ">", ">=")


#: Names in axes that no config has: sequences, positions of the call, and those with cached ones.
TOKEN_AXES = frozenset({"batch", "pos", "kv_pos"})


@dataclass(frozen=True)
class Dimension:
    """One axis of a tensor: the first of its alternatives in which no name is None."""

    alternatives: tuple[Expression, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names used, in the order of the text."""
        names = (name for expression in self.alternatives for name in expression.names)
        return tuple(dict.fromkeys(names))

    def __str__(self) -> str:
        return " or ".join(map(str, self.alternatives))


def parse_dimension(value: object) -> Dimension:
    """`d_model`, `2 * d_head`, or `q_lora_rank or d_model`."""
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        message = "a dimension must be text or a whole number"
        raise SpecValueError("wrong-type", message, "e.g. `2 * d_head`")
    return Dimension(tuple(map(parse, re.split(r"\s+or\s+", str(value)))))


def _check_version(value: object) -> object:
    if isinstance(value, bool):
        message = f"a version must be a number, but is `{str(value).lower()}`"
        raise SpecValueError("wrong-type", message, f"use `{FORMAT}`")
    if type(value) is int and value > FORMAT:
        message = f"this file is of version {value}, and this adaptergen reads {FORMAT}"
        raise SpecValueError("file-newer", message, "update adaptergen")
    return value


def _check_key(text: str) -> str:
    return text if text in RESERVED_KEYS else check_identifier(text)


def _check_releases(text: str) -> str:
    message = f"{quote(text)} is not a range of releases"
    if not _RELEASES.fullmatch(text):
        raise SpecValueError("bad-releases", message, "e.g. >=5.13 or >=5.13,<5.17")
    try:
        specifiers = SpecifierSet(text)
    except InvalidSpecifier:
        raise SpecValueError("bad-releases", message, "e.g. >=5.13 or >=5.13,<5.17") from None
    if not len(specifiers) or any(part.operator not in _BOUNDS for part in specifiers):
        raise SpecValueError("bad-releases", message, "use <, <=, > and >= only")
    return text


def _check_setting(value: bool | int | float | str | None) -> bool | int | float | str | None:
    if isinstance(value, str):
        return check_text(value)
    if isinstance(value, (int, float)) and not abs(value) <= MAX_INTEGER:
        raise SpecValueError("bad-value", f"the number {value!r} is too large", "use a smaller one")
    return value


#: The version of a file.
FileVersion = Annotated[Literal[1], BeforeValidator(_check_version)]

#: A key under which a submodule is bound.
Key = Annotated[
    str,
    AfterValidator(_check_key),
    WithJsonSchema(
        {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "maxLength": MAX_NAME}
    ),
]

#: An axis of a tensor, as text in YAML.
Axis = Annotated[
    Dimension,
    PlainValidator(parse_dimension),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "maxLength": MAX_LENGTH}, {"type": "integer", "minimum": 1}]}
    ),
]

#: A range of releases of transformers.
Releases = Annotated[
    str,
    AfterValidator(_check_releases),
    WithJsonSchema({"type": "string", "pattern": "^[<>=0-9., ]+$", "maxLength": 80}),
]

#: A value that is passed on as it stands.
Setting = Annotated[bool | int | float | str | None, AfterValidator(_check_setting)]
