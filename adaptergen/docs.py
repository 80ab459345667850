"""The pages below `docs/` that are made from the code, so that they cannot become stale unnoticed.

`python -m adaptergen.docs` writes them in a checkout; with `--check` it only says what is stale.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from adaptergen.resources import checkout, errors
from adaptergen.schemas import Schema, make_schema
from adaptergen.spec import architecture, shape, values
from adaptergen.spec.arithmetic import Arithmetic, Axis

#: What the words of the column `type` mean, and the types that they stand for.
_TYPES: dict[str, tuple[Any, str]] = {
    "identifier": (values.Identifier, "a Python identifier in ASCII, e.g. `gate_proj`"),
    "module name": (values.ModuleName, "lower-case words joined by `_`, e.g. `nemotron_h`"),
    "class name": (values.ClassName, "CapWords, e.g. `NemotronHForCausalLM`"),
    "class of HF": (values.HFClassName, "CapWords, maybe with `_`, e.g. `Ernie4_5ForCausalLM`"),
    "path": (
        values.AttributePath,
        "identifiers joined by dots, or a number for a place in a list, e.g. `model.layers`",
    ),
    "dotted path": (values.HookName, "identifiers joined by dots, e.g. `attn.hook_pattern`"),
    "Hub id": (values.HubId, "owner and name of a model, e.g. `nvidia/Nemotron-H-8B-Base-8K`"),
    "Hub owner": (values.HubOwner, "a user or an organisation, e.g. `nvidia`"),
    "version": (values.Version, "three numbers, e.g. `4.3.0`"),
    "text": (
        values.Text,
        "one line for people, without quotes, backticks, backslashes, `<` and braces, and "
        "without what formatters, checkers and editors obey, e.g. `noqa`",
    ),
    "title": (
        values.Title, f"at most {values.MAX_TITLE} characters of plain words, e.g. `Nemotron-H`"
    ),
    "key": (values.Key, "an identifier, or `in`"),
    "dimension": (
        Axis,
        "arithmetic, or alternatives joined by `or`: the first without an absent name",
    ),
    "releases": (values.Releases, "bounds of versions, e.g. `>=5.13,<5.17`"),
    "value": (values.Setting, "true, false, a number, a text, or null"),
    "arithmetic": (Arithmetic, "names, whole numbers, `+`, `-`, `*`, `//` and parentheses"),
}  # fmt: skip
_NULL = {"type": "null"}
_PLAIN = {
    "boolean": "true or false",
    "integer": "whole number",
    "null": "null",
    "number": "number",
    "string": "text",
}

_SPEC_INTRO = """\
# Specs and shapes

<!-- Made from adaptergen/spec by `make docs`: edit it there. -->

Files are UTF-8 and YAML 1.2, without anchors, aliases, merge keys and tags. A key that is not in
these tables is an error, and no value is converted: `"8"` is not a number. For completion in an
editor see `adaptergen schema --help`; for the codes of errors see [errors](errors.md).
"""


def errors_page() -> str:
    """The Markdown of `docs/errors.md`."""
    title, _, rest = errors().read_text(encoding="utf-8").partition("\n\n")
    note = "<!-- A copy of adaptergen/data/errors.md, made by `make docs`: edit that file. -->"
    return f"{title}\n\n{note}\n\n{rest}"


def spec_page() -> str:
    """The Markdown of `docs/spec.md`."""
    spec, used = make_schema("spec"), make_schema("shape")
    models = {"Spec": spec, **spec["$defs"]}
    of_shape = {"Shape": used, **used["$defs"]}
    shared = [name for name in of_shape if name in models]
    meanings = [(word, meaning) for word, (_, meaning) in _TYPES.items()]
    parts = [
        _SPEC_INTRO,
        "## Types\n\n" + _table(("type", "meaning"), meanings),
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
        (f"`{key}`", _words(value), "required" if key in required else _default(value),
         _meaning(value, models))
        for key, value in schema["properties"].items()
    ]  # fmt: skip
    table = _table(("key", "type", "default", "meaning"), rows)
    return f"### {name}\n\n{schema['description']}\n\n{table}"


def _meaning(schema: Schema, models: dict[str, Schema]) -> str:
    """What the key says of itself, or else the first line of the one model it holds."""
    description: str = schema.get("description", "")
    if description:
        return description
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


def _words(schema: Schema) -> str:
    """The type that a schema describes."""
    bare = {key: value for key, value in schema.items() if key not in ("default", "description")}
    for word, known in _schemas().items():
        if known == bare:
            return word
    if "$ref" in bare:
        name = bare["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    options = bare.get("oneOf") or bare.get("anyOf")
    if options:
        joined = list(_joined(options))
        if "default" in schema and schema["default"] is None:
            # That the key may be null is what its default says.
            joined = [option for option in joined if option != _NULL]
        return " or ".join(_words(option) for option in joined)
    if "enum" in bare or "const" in bare:
        return " or ".join(f"`{value}`" for value in bare.get("enum", [bare.get("const")]))
    if bare.get("type") == "array":
        return f"list of {_words(bare['items'])}"
    if bare.get("type") == "object":
        ((pattern, value),) = bare["patternProperties"].items()
        keys = (word for word, known in _schemas().items() if known.get("pattern") == pattern)
        return f"mapping of {next(keys)} to {_words(value)}"
    return _PLAIN[bare["type"]]


def _joined(options: list[Schema]) -> Iterator[Schema]:
    """The options of a union, with those that make up a value taken together."""
    value = _schemas()["value"]["anyOf"]
    if all(option in options for option in value):
        yield _schemas()["value"]
        yield from (option for option in options if option not in value)
    else:
        yield from options


@cache
def _schemas() -> dict[str, Schema]:
    return {word: TypeAdapter(kind).json_schema() for word, (kind, _) in _TYPES.items()}


def main(argv: Sequence[str]) -> int:
    """With `--check` write nothing; 1 if a page is stale."""
    root = checkout()
    if root is None:
        print("The pages belong to a checkout of adaptergen, and this is none.", file=sys.stderr)
        return 2
    check, stale = "--check" in argv, False
    for name, text in {"errors.md": errors_page(), "spec.md": spec_page()}.items():
        page = root / "docs" / name
        if page.is_file() and page.read_text(encoding="utf-8") == text:
            continue
        stale = True
        if not check:
            page.parent.mkdir(exist_ok=True)
            page.write_text(text, encoding="utf-8", newline="\n")
        print(f"{'stale' if check else 'wrote'}: docs/{name}")
    if stale and check:
        print("Stale: run `make docs`.")
    return 1 if stale and check else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
