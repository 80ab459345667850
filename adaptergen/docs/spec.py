"""The reference of specs and shapes, made from the models that check them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from typing import Any

from adaptergen.docs.types import MEANINGS, words
from adaptergen.schemas import make_schema
from adaptergen.spec import architecture, shape

Schema = dict[str, Any]

_INTRO = """\
# Specs and shapes

<!-- Made from adaptergen/spec by `make docs`: edit it there. -->

Files are UTF-8 and YAML 1.2, without anchors, aliases, merge keys and tags. A key that is not in
these tables is an error, and no value is converted: `"8"` is not a number. For completion in an
editor see `adaptergen schema --help`; for the codes of errors see [errors](errors.md).
"""


def spec_page() -> str:
    """The Markdown of `docs/spec.md`."""
    spec, used = make_schema("spec"), make_schema("shape")
    models = {"Spec": spec, **spec["$defs"]}
    of_shape = {"Shape": used, **used["$defs"]}
    shared = [name for name in of_shape if name in models]
    parts = [
        _INTRO,
        "## Types\n\n" + _table(("type", "meaning"), list(MEANINGS.items())),
        f"## Specs\n\n{inspect.getdoc(architecture)}\n",
        *(_model(name, models) for name in _in_order(models) if name not in shared),
        f"## Shapes\n\n{inspect.getdoc(shape)}\n",
        *(_model(name, of_shape) for name in _in_order(of_shape)),
    ]
    return "\n".join(parts)


def _in_order(models: dict[str, Schema]) -> list[str]:
    """The models as a reader meets them: each after the first that refers to it."""
    found = [next(iter(models))]
    for name in found:
        text = json.dumps(models[name]["properties"])
        references = [part.partition('"')[0] for part in text.split("#/$defs/")[1:]]
        found += [other for other in dict.fromkeys(references) if other not in found]
    return found


def _model(name: str, models: dict[str, Schema]) -> str:
    schema = models[name]
    required = schema.get("required", [])
    rows = [
        (f"`{key}`", words(value), "required" if key in required else _default(value),
         _meaning(value, models))
        for key, value in schema["properties"].items()
    ]  # fmt: skip
    table = _table(("key", "type", "default", "meaning"), rows)
    return f"### {name}\n\n{schema['description']}\n\n{table}"


def _meaning(schema: Schema, models: dict[str, Schema]) -> str:
    """What the key says of itself, or else the first line of the one model it holds."""
    told: str = schema.get("description", "")
    if told:
        return told
    options = (schema, *schema.get("anyOf", ()))
    names = [option["$ref"].rpartition("/")[2] for option in options if "$ref" in option]
    return str(models[names[0]]["description"]).partition("\n")[0] if len(names) == 1 else ""


def _default(schema: Schema) -> str:
    value = schema.get("default")
    if value is None:
        return "none"
    return f"`{json.dumps(value)}`" if isinstance(value, bool) else "empty"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n"
                   for line in lines)  # fmt: skip
