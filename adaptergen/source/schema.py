"""What a model expects at a location, read off its JSON Schema.

The JSON Schema says the same about every kind of field (unions, aliases, dicts, root models), so
nothing here needs to know Python's type annotations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticUserError

from adaptergen.problems import Loc

Schema = dict[str, Any]


@dataclass(frozen=True)
class Followed:
    """A location of pydantic, followed into the data.

    `path` is the part of it that the data has, without the tags of unions; `value` is what stands
    there; `keys` are the keys a mapping may have there; `schemas` are what the model says of it.
    """

    path: Loc
    value: Any
    keys: frozenset[str]
    schemas: tuple[Schema, ...]


def follow(model: type[BaseModel], data: Any, loc: Loc) -> Followed:
    """Follow a location of a pydantic error."""
    root = _json_schema(model)
    schemas: list[Schema] = [root]
    path: list[str | int] = []
    for part in loc:
        options = [option for schema in schemas for option in _options(root, schema)]
        tagged = [option["discriminator"]["mapping"][part] for option in options
                  if part in option.get("discriminator", {}).get("mapping", {})]  # fmt: skip
        if tagged:
            # The tag of a union, even if the data happens to have a key of that name.
            schemas = [{"$ref": reference} for reference in tagged]
        elif _has(data, part):
            data = data[part]
            path.append(part)
            schemas = [child for option in options for child in _children(option, part)]
    found = tuple(option for schema in schemas for option in _options(root, schema))
    keys = frozenset(key for option in found for key in option.get("properties", {}))
    return Followed(tuple(path), data, keys, found)


def can_lack(model: type[BaseModel], data: Any, loc: Loc) -> bool:
    """Whether a mapping can do without the key at the end of a location."""
    around = follow(model, data, loc[:-1])
    return loc[-1] in around.keys and not any(
        loc[-1] in schema.get("required", ()) for schema in around.schemas
    )


def stand_in(model: type[BaseModel], data: Any, loc: Loc) -> Any:
    """A value that the model takes at a location, if its JSON Schema says all; it means nothing."""
    root = _json_schema(model)
    around = follow(model, data, loc[:-1])
    schemas = [child for schema in around.schemas for child in _children(schema, loc[-1])]
    return _any_of(root, schemas[0]) if schemas else None


#: Texts among which there is one for every kind of name; nobody calls anything like that.
_TEXTS = ("_stand_in", "StandIn", "stand_in", "stand_in/stand_in", "0.0.0")


def _any_of(root: Schema, schema: Schema) -> Any:
    options = list(_options(root, schema))
    words: Schema = {}
    for option in reversed(options):
        words |= option
    if "const" in words or "enum" in words:
        return words.get("const", words.get("enum", [None])[0])
    options = [option for option in options if "type" in option]
    first = min(options, key=lambda option: option["type"] in ("array", "object"), default={})
    if first.get("type") == "object":
        children = {key: next(_children(first, key)) for key in first.get("required", ())}
        return {key: _any_of(root, child) for key, child in children.items()}
    if first.get("type") == "array":
        return [_any_of(root, first.get("items", {}))] * first.get("minItems", 0)
    if first.get("type") == "string":
        pattern = first.get("pattern", "")
        return next((text for text in _TEXTS if re.search(pattern, text)), _TEXTS[0])
    return {"integer": 0, "number": 0, "boolean": False}.get(str(first.get("type")))


@lru_cache(maxsize=32)
def _json_schema(model: type[BaseModel]) -> Schema:
    try:
        return model.model_json_schema()
    except PydanticUserError:
        # A type without a JSON Schema: problems are still found, without suggestions.
        return {}


def _options(root: Schema, schema: Schema, depth: int = 0) -> Iterator[Schema]:
    """A schema and everything it may stand for."""
    if depth > 16:  # a reference to itself
        return
    yield schema
    reference = schema.get("$ref", "")
    if reference.startswith("#/$defs/"):
        target = root.get("$defs", {}).get(reference[len("#/$defs/") :], {})
        yield from _options(root, target, depth + 1)
    for word in ("anyOf", "oneOf", "allOf"):
        for option in schema.get(word, ()):
            yield from _options(root, option, depth + 1)


def _children(schema: Schema, part: str | int) -> Iterator[Schema]:
    """The schemas of what stands at a key or an index."""
    if isinstance(part, int):
        prefix = schema.get("prefixItems", [])
        candidates = [prefix[part]] if part < len(prefix) else [schema.get("items")]
    elif part in schema.get("properties", {}):
        candidates = [schema["properties"][part]]
    else:
        patterns = schema.get("patternProperties", {}).values()
        candidates = [schema.get("additionalProperties"), *patterns]
    yield from (candidate for candidate in candidates if isinstance(candidate, dict))


def _has(data: Any, part: str | int) -> bool:
    if isinstance(data, dict):
        return part in data
    return isinstance(data, list) and isinstance(part, int) and 0 <= part < len(data)
