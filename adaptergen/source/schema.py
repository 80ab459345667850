"""What a model expects at a location, read off its JSON Schema.

The JSON Schema says the same about every kind of field (unions, aliases, dicts, root models), so
nothing here needs to know Python's type annotations.
"""

from __future__ import annotations

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
    there; `keys` are the keys a mapping may have there.
    """

    path: Loc
    value: Any
    keys: frozenset[str]


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
    keys = {key for schema in schemas for option in _options(root, schema)
            for key in option.get("properties", {})}  # fmt: skip
    return Followed(tuple(path), data, frozenset(keys))


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
