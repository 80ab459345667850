"""Configuration fields, passed-through attributes, and the adapter's own switches."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from adaptergen.catalogue.installed import PACKAGE
from adaptergen.catalogue.library import Class, Library
from adaptergen.catalogue.literals import assignments
from adaptergen.catalogue.model import ConfigField
from adaptergen.catalogue.parameters import parameters
from adaptergen.catalogue.sites import module_value

CONFIG = "TransformerBridgeConfig"
ADAPTER = "ArchitectureAdapter"
PASSTHROUGH = "_HF_PASSTHROUGH_ATTRS"


def find_config_fields(library: Library, gaps: list[str]) -> Mapping[str, ConfigField]:
    """The declared fields of the bridge configuration, inherited ones included."""
    cls = _class(library, f"{PACKAGE}.config.transformer_bridge_config", CONFIG, gaps)
    fields: dict[str, ConfigField] = {}
    for ancestor in reversed(library.mro(cls) if cls is not None else ()):
        for field in _fields(ancestor):
            if field.type is not None or field.name not in fields:
                fields[field.name] = field
    return dict(sorted(fields.items()))


def find_adapter_attributes(library: Library, gaps: list[str]) -> Mapping[str, str]:
    """Class-level attributes an adapter may override, with the defaults' source text."""
    cls = _class(library, f"{PACKAGE}.model_bridge.architecture_adapter", ADAPTER, gaps)
    values = assignments(cls.node.body) if cls is not None else ()
    return dict(sorted((name, ast.unparse(value)) for name, value, _ in values))


def find_passthrough(library: Library, gaps: list[str]) -> tuple[str, ...]:
    """The Hugging Face attributes copied to the bridge configuration, sorted."""
    name = f"{PACKAGE}.model_bridge.sources._bridge_builder"
    value = module_value(library.module(name), PASSTHROUGH)
    if not isinstance(value, (ast.List, ast.Tuple, ast.Set)):
        gaps.append(f"{name}: no {PASSTHROUGH}")
        return ()
    texts = [item.value for item in value.elts if isinstance(item, ast.Constant)]
    return tuple(sorted(text for text in texts if isinstance(text, str)))


def _class(library: Library, module_name: str, name: str, gaps: list[str]) -> Class | None:
    module = library.module(module_name)
    cls = library.find(module, name) if module is not None else None
    if cls is None:
        gaps.append(f"{module_name}: no {name}")
    return cls


def _fields(cls: Class) -> Iterator[ConfigField]:
    """Dataclass fields, then constructor parameters, then attributes made in ``__init__``."""
    for statement in cls.node.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
                default = None if value is None else ast.unparse(value)
                yield ConfigField(name, ast.unparse(annotation), default)
    constructor = cls.method("__init__")
    if constructor is None:
        return
    for parameter in parameters(constructor):
        if parameter.annotation is not None:
            yield ConfigField(parameter.name, parameter.annotation, parameter.default)
    for node in ast.walk(constructor):
        match node:
            case ast.Assign(
                targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=value
            ):
                yield ConfigField(name, None, ast.unparse(value))
