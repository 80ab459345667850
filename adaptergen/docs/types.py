"""The type of a key in words, read off the JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from adaptergen.spec import values
from adaptergen.spec.arithmetic import Arithmetic, Axis

Schema = dict[str, Any]

_NAMED = {
    "identifier": values.Identifier,
    "module name": values.ModuleName,
    "class name": values.ClassName,
    "dotted path": values.AttributePath,
    "Hub id": values.HubId,
    "Hub owner": values.HubOwner,
    "version": values.Version,
    "text": values.Text,
    "title": values.Title,
    "key": values.Key,
    "dimension": Axis,
    "releases": values.Releases,
    "value": values.Setting,
    "arithmetic": Arithmetic,
}
_NULL = {"type": "null"}
_PLAIN = {
    "boolean": "true or false",
    "integer": "whole number",
    "null": "null",
    "number": "number",
    "string": "text",
}

#: What the words mean; the second column of a table.
MEANINGS = {
    "identifier": "a Python identifier in ASCII, e.g. `gate_proj`",
    "module name": "lower-case words joined by `_`, e.g. `nemotron_h`",
    "class name": "CapWords, e.g. `NemotronHForCausalLM`",
    "dotted path": "identifiers joined by dots, e.g. `model.layers`",
    "Hub id": "owner and name of a model, e.g. `nvidia/Nemotron-H-8B-Base-8K`",
    "Hub owner": "a user or an organisation, e.g. `nvidia`",
    "version": "three numbers, e.g. `4.3.0`",
    "text": "one line for people, without quotes, backticks, backslashes, `<` and braces, and "
    "without what formatters, checkers and editors obey, e.g. `noqa`",
    "title": f"at most {values.MAX_TITLE} characters of plain words, e.g. `Nemotron-H`",
    "key": "an identifier, or `in`",
    "dimension": "arithmetic, or alternatives joined by `or`: the first without an absent name",
    "releases": "bounds of versions, e.g. `>=5.13,<5.17`",
    "value": "true, false, a number, a text, or null",
    "arithmetic": "names, whole numbers, `+`, `-`, `*`, `//` and parentheses",
}


def words(schema: Schema) -> str:
    """The type that a schema describes."""
    bare = {key: value for key, value in schema.items() if key not in ("default", "description")}
    known = _known(bare)
    if known:
        return known
    if "$ref" in bare:
        name = bare["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    options = bare.get("oneOf") or bare.get("anyOf")
    if options:
        joined = list(_joined(options))
        if "default" in schema and schema["default"] is None:
            # That the key may be null is what its default says.
            joined = [option for option in joined if option != _NULL]
        return " or ".join(words(option) for option in joined)
    if "enum" in bare or "const" in bare:
        return " or ".join(f"`{value}`" for value in bare.get("enum", [bare.get("const")]))
    if bare.get("type") == "array":
        return f"list of {words(bare['items'])}"
    if bare.get("type") == "object":
        ((pattern, value),) = bare["patternProperties"].items()
        return f"mapping of {_key(pattern)} to {words(value)}"
    return _PLAIN[bare["type"]]


def _joined(options: list[Schema]) -> Iterator[Schema]:
    """The options of a union, with those that make up a value taken together."""
    value = _schemas()["value"]["anyOf"]
    if all(option in options for option in value):
        yield _schemas()["value"]
        yield from (option for option in options if option not in value)
    else:
        yield from options


def _known(schema: Schema) -> str | None:
    return next((word for word, known in _schemas().items() if known == schema), None)


def _key(pattern: str) -> str:
    return next(word for word, known in _schemas().items() if known.get("pattern") == pattern)


@cache
def _schemas() -> dict[str, Schema]:
    return {word: TypeAdapter(kind).json_schema() for word, kind in _NAMED.items()}
