"""What a config class takes, as facts."""

from __future__ import annotations

import ast
import inspect
import math
import textwrap
from collections.abc import Iterator
from typing import Any

from adaptergen.facts import ConfigFacts, ConfigField, Vocabulary
from adaptergen.facts.base import Json
from adaptergen.inspection.failures import attempted
from adaptergen.inspection.fields import REQUIRED, Declared, declared, read
from adaptergen.inspection.names import qualified

_KWARGS = "kwargs"
#: Values that are tried for an older name, to see which field changes.
_TRIED: tuple[Any, ...] = (7, 2, True, False, 0.5, "silu", [1, 3])


def config_facts(config_class: Any, full: Any, vocabulary: Vocabulary | None) -> ConfigFacts:
    """The facts of a config class; `full` is a config of it, made of the defaults."""
    fields = declared(config_class)
    return ConfigFacts(
        cls=qualified(config_class),
        model_type=getattr(config_class, "model_type", ""),
        fields={name: _field(field) for name, field in fields.items()},
        aliases=dict(sorted(getattr(config_class, "attribute_map", {}).items())),
        older={name: _sets(config_class, name) for name in sorted(older_names(config_class))},
        none=tuple(name for name in fields if read(full, name) is None),
        vocabulary=vocabulary,
    )


def older_names(config_class: Any) -> set[str]:
    """Names that the class, or a base that not all configs have, takes out of its kwargs."""
    from transformers import PreTrainedConfig

    shared = set(PreTrainedConfig.__mro__)
    found: set[str] = set()
    for cls in config_class.__mro__:
        if cls not in shared:
            for method in vars(cls).values():
                found.update(_taken(inspect.unwrap(method)) if callable(method) else ())
    return found - set(declared(config_class))


def json_value(value: Any) -> Json:
    """A value as JSON holds it; what JSON cannot hold is its `repr`."""
    if isinstance(value, dict):
        return {str(key): json_value(item) for key, item in sorted(value.items(), key=str)}
    if isinstance(value, (list, tuple)):
        return [json_value(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return type(value).__name__ if "object at 0x" in repr(value) else repr(value)


def _field(field: Declared) -> ConfigField:
    if field.default is REQUIRED:
        return ConfigField(type=field.type, required=True)
    return ConfigField(type=field.type, default=json_value(field.default))


def _taken(method: Any) -> Iterator[str]:
    """Words that a method looks up in its `kwargs`."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(method)))
    except (OSError, TypeError, SyntaxError):
        return
    for node in ast.walk(tree):
        word: ast.expr | None = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            if _is_kwargs(node.func.value) and node.func.attr in ("pop", "get"):
                word = node.args[0]
        elif isinstance(node, ast.Subscript) and _is_kwargs(node.value):
            word = node.slice
        elif isinstance(node, ast.Compare) and _is_kwargs(node.comparators[0]):
            word = node.left if isinstance(node.ops[0], (ast.In, ast.NotIn)) else None
        if isinstance(word, ast.Constant) and isinstance(word.value, str):
            yield word.value


def _is_kwargs(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == _KWARGS


def _sets(config_class: Any, name: str) -> str:
    """The field that an older name sets; empty where no value that was tried sets one."""
    plain = attempted(config_class)
    if plain is None:
        return ""
    now, before = read(plain, name), {n: read(plain, n) for n in declared(config_class)}
    # A property may tell the value in the older form.
    own = (now[::-1], now * 2) if isinstance(now, (str, list)) and now else ()
    for value in (*own, *_TRIED):
        after = attempted(config_class, **{name: value})
        if after is None:
            continue
        changed = next((n for n in before if read(after, n) != before[n]), "")
        if changed:
            return changed
    return ""
