"""The fields of a config class, by its declaration: nothing is built."""

from __future__ import annotations

import dataclasses
import inspect
from dataclasses import dataclass
from typing import Any

#: No default: the field has to be given.
REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True)
class Declared:
    """A field: the text of its annotation, and its default or `REQUIRED`."""

    name: str
    type: str
    default: Any


def declared(config_class: Any) -> dict[str, Declared]:
    """The fields by name, sorted; without those that every config has."""
    if config_class not in _DECLARED:
        _DECLARED[config_class] = _declared(config_class)
    return _DECLARED[config_class]


_DECLARED: dict[Any, dict[str, Declared]] = {}


def _declared(config_class: Any) -> dict[str, Declared]:
    from transformers import PreTrainedConfig

    common = {field.name for field in dataclasses.fields(PreTrainedConfig)}
    own = "__init__" in vars(config_class) and not hasattr(config_class.__init__, "__wrapped__")
    found = _of_signature(config_class) if own else _of_dataclass(config_class)
    return {name: found[name] for name in sorted(found) if name not in common}


def read(config: Any, name: str) -> Any:
    """The value of a field; its default where the config refuses to tell, else None."""
    try:
        return getattr(config, name, None)
    except Exception:  # per-layer configs raise where layers differ, other properties anything
        field = declared(type(config)).get(name)
        default = None if field is None or field.default is REQUIRED else field.default
        return vars(config).get(name, default)


def sub_configs(config_class: Any) -> dict[str, Any]:
    """Fields that hold a config, and the class of it (None where a model type decides)."""
    from transformers import PreTrainedConfig

    found = {}
    for name, one in dict(getattr(config_class, "sub_configs", {}) or {}).items():
        is_class = isinstance(one, type) and issubclass(one, PreTrainedConfig)
        found[name] = one if is_class else None
    return found


def _of_dataclass(config_class: Any) -> dict[str, Declared]:
    found = {}
    for field in dataclasses.fields(config_class):
        default = field.default
        if default is dataclasses.MISSING:
            made = field.default_factory
            default = REQUIRED if made is dataclasses.MISSING else made()
        found[field.name] = Declared(field.name, _text(field.type), default)
    return found


def _of_signature(config_class: Any) -> dict[str, Declared]:
    found = {}
    for name, parameter in list(inspect.signature(config_class.__init__).parameters.items())[1:]:
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            kind = parameter.annotation
            text = "" if kind is inspect.Parameter.empty else _text(kind)
            found[name] = Declared(name, text, parameter.default)
    return found


def _text(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)
