"""The JSON Schemas of specs and shapes, made from the models that check them."""

from __future__ import annotations

import json

from pydantic import BaseModel

from adaptergen.spec.architecture import Spec
from adaptergen.spec.shape import Shape

MODELS: dict[str, type[BaseModel]] = {"spec": Spec, "shape": Shape}


def schema_text(name: str) -> str:
    """The JSON Schema of `spec` or `shape` as committed."""
    made = MODELS[name].model_json_schema()
    content = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"adaptergen {name}",
        **{key: value for key, value in made.items() if key != "title"},
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
