"""The committed JSON Schemas, made from the models of what adaptergen reads and writes."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from adaptergen import records
from adaptergen.coverage import SurveyRecord
from adaptergen.lock.entry import LockFile
from adaptergen.spec.architecture import Spec
from adaptergen.spec.shape import Shape

MODELS: dict[str, type[BaseModel]] = {
    "spec": Spec,
    "shape": Shape,
    "audit": records.AuditRecord,
    "build": records.BuildRecord,
    "drift": records.DriftRecord,
    "inspect": records.InspectRecord,
    "lock": LockFile,
    "survey": SurveyRecord,
    "verify": records.VerifyRecord,
}

Schema = dict[str, Any]


class _Plain(GenerateJsonSchema):
    """Without a title that only repeats the key."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def make_schema(name: str) -> Schema:
    """The JSON Schema of one of the models."""
    model = MODELS[name]
    if issubclass(model, records.Record):
        made = model.model_json_schema(schema_generator=_Plain, mode="serialization")
    else:
        made = model.model_json_schema(schema_generator=_Plain)
    _close(made)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "title": f"adaptergen {name}",
    }


def schema_text(name: str) -> str:
    """The JSON Schema of that name as committed."""
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
