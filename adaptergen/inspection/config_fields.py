"""The fields of a config class: what it declares, and what a config of it holds.

Importing this module imports neither torch nor transformers.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import math
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from adaptergen.facts import ConfigFacts, ConfigField, Json, Vocabulary
from adaptergen.inspection.fault_isolation import attempted, guarded
from adaptergen.problems import quote

#: No default: the field has to be given.
REQUIRED = inspect.Parameter.empty

#: Values that are tried for an older name, to see which field changes.
_TRIED: tuple[Any, ...] = (7, 2, True, False, 0.5, "silu", [1, 3])


@dataclass(frozen=True)
class DeclaredField:
    """A field: the text of its annotation, and its default or `REQUIRED`."""

    name: str
    type: str
    default: Any


def qualified(cls: Any) -> str:
    """`package.module.Class`, without what an outer function adds."""
    return f"{cls.__module__}.{cls.__qualname__}".replace("<locals>.", "")


def declared(config_class: Any) -> dict[str, DeclaredField]:
    """The fields by name, sorted; without those that every config has."""
    from transformers import PreTrainedConfig

    common = {field.name for field in dataclasses.fields(PreTrainedConfig)}
    own = "__init__" in vars(config_class) and not hasattr(config_class.__init__, "__wrapped__")
    fields = _of_signature(config_class) if own else _of_dataclass(config_class)
    found = {field.name: field for field in fields if field.name not in common}
    return dict(sorted(found.items()))


def read(config: Any, name: str) -> Any:
    """The value of a field; its default where the config raises, else None."""
    try:
        return getattr(config, name, None)
    except Exception:  # per-layer configs raise where layers differ, other properties anything
        field = declared(type(config)).get(name)
        default = None if field is None or field.default is REQUIRED else field.default
        return vars(config).get(name, default)


def sub_configs(config_class: Any) -> dict[str, Any]:
    """Fields that hold a config, and the class of it (None where a model type decides)."""
    from transformers import PreTrainedConfig

    classes = dict(getattr(config_class, "sub_configs", {}) or {})
    return {
        name: cls if isinstance(cls, type) and issubclass(cls, PreTrainedConfig) else None
        for name, cls in classes.items()
    }


def full_config(config_class: Any, values: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """A config of full size, of the defaults and the fields of a config.json. Raises `Failed`."""
    what = f"{quote(config_class.__name__)} cannot be made"
    hint = "observe another model, or another release of transformers"
    return guarded("hf-config", what, hint, lambda: config_class.from_dict(dict(values)))


def observe_config(config_class: Any, vocabulary: Vocabulary | None = None) -> ConfigFacts:
    """The facts of a config class; the vocabulary of kinds takes models. Raises `Failed`."""
    fields, full = declared(config_class), full_config(config_class)
    return ConfigFacts(
        cls=qualified(config_class),
        model_type=getattr(config_class, "model_type", ""),
        fields={
            name: ConfigField(
                type=field.type,
                default=None if field.default is REQUIRED else json_value(field.default),
                required=field.default is REQUIRED,
            )
            for name, field in fields.items()
        },
        aliases=dict(sorted(getattr(config_class, "attribute_map", {}).items())),
        older={name: _field_set_by(config_class, name) for name in _older_names(config_class)},
        none=tuple(name for name in fields if read(full, name) is None),
        vocabulary=vocabulary,
    )


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


def _of_dataclass(config_class: Any) -> Iterator[DeclaredField]:
    for field in dataclasses.fields(config_class):
        default = field.default
        if default is dataclasses.MISSING:
            factory = field.default_factory
            default = REQUIRED if factory is dataclasses.MISSING else factory()
        yield DeclaredField(field.name, _annotation(field.type), default)


def _of_signature(config_class: Any) -> Iterator[DeclaredField]:
    for name, parameter in list(inspect.signature(config_class.__init__).parameters.items())[1:]:
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            yield DeclaredField(name, _annotation(parameter.annotation), parameter.default)


def _annotation(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return ""
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _older_names(config_class: Any) -> list[str]:
    """Names that the class, or a base that not all configs have, takes out of its kwargs."""
    from transformers import PreTrainedConfig

    own = [cls for cls in config_class.__mro__ if cls not in PreTrainedConfig.__mro__]
    methods = (method for cls in own for method in vars(cls).values() if callable(method))
    found = {name for method in methods for name in _names_in_kwargs(inspect.unwrap(method))}
    return sorted(found - set(declared(config_class)))


def _names_in_kwargs(method: Any) -> Iterator[str]:
    """Names that a method looks up in its `kwargs`."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(method)))
    except (OSError, TypeError, SyntaxError):
        return
    for node in ast.walk(tree):
        name: ast.expr | None = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            if _is_kwargs(node.func.value) and node.func.attr in ("pop", "get"):
                name = node.args[0]
        elif isinstance(node, ast.Subscript) and _is_kwargs(node.value):
            name = node.slice
        elif isinstance(node, ast.Compare) and _is_kwargs(node.comparators[0]):
            name = node.left if isinstance(node.ops[0], (ast.In, ast.NotIn)) else None
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            yield name.value


def _is_kwargs(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "kwargs"


def _field_set_by(config_class: Any, name: str) -> str:
    """The field that an older name sets; empty where no value that was tried sets one."""
    plain = attempted(config_class)
    if plain is None:
        return ""
    before = {field: read(plain, field) for field in declared(config_class)}
    # A property may give the value in the older form.
    now = read(plain, name)
    own = (now[::-1], now * 2) if isinstance(now, (str, list)) and now else ()
    for value in (*own, *_TRIED):
        after = attempted(config_class, **{name: value})
        if after is not None:
            changed = next((n for n in before if read(after, n) != before[n]), "")
            if changed:
                return changed
    return ""
