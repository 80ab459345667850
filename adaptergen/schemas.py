"""The JSON Schemas of specs and shapes, made from the models that check them."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from adaptergen.spec.architecture import Spec
from adaptergen.spec.shape import Shape

MODELS: dict[str, type[BaseModel]] = {"spec": Spec, "shape": Shape}

Schema = dict[str, Any]


class _Plain(GenerateJsonSchema):
    """Without a title that only repeats the key."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def make_schema(name: str) -> Schema:
    """The JSON Schema of `spec` or `shape`."""
    made = MODELS[name].model_json_schema(schema_generator=_Plain)
    _close(made)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "title": f"adaptergen {name}",
    }


def schema_text(name: str) -> str:
    """The JSON Schema of `spec` or `shape` as committed."""
    return json.dumps(make_schema(name), indent=2, ensure_ascii=False) + "\n"


def _close(schema: Any) -> None:
    """Refuse keys without the form of a name; pydantic only says what those with it hold."""
    if isinstance(schema, list):
        for item in schema:
            _close(item)
    elif isinstance(schema, dict):
        if isinstance(schema.get("patternProperties"), dict):
            schema.setdefault("additionalProperties", False)
            # How long a key may be: some releases of pydantic say it and some do not.
            schema.pop("propertyNames", None)
        for value in schema.values():
            _close(value)
