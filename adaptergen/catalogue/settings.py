"""Configuration fields, passed-through attributes, and the adapter's own switches."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from adaptergen import guard
from adaptergen.catalogue.installed import PACKAGE
from adaptergen.catalogue.library import Class, Library, Module
from adaptergen.catalogue.literals import assignments
from adaptergen.catalogue.model import ConfigField
from adaptergen.catalogue.parameters import parameters
from adaptergen.catalogue.sites import module_value

CONFIG = "TransformerBridgeConfig"
ADAPTER = "ArchitectureAdapter"
PASSTHROUGH = "_HF_PASSTHROUGH_ATTRS"
#: Folders that declare or set fields of the config, or hold the models from before bridges.
_NO_BRIDGE = frozenset({"components", "config", "pretrained", "supported_architectures"})
_OLDER = ("Hooked", "loading_from_pretrained")
_WORD = re.compile(rb"[A-Za-z_]\w+")
#: Modules that ask adapters for attributes which the base class does not declare.
_ASKING = ("weight_processing", "model_bridge.transformer_bridge", "model_bridge.bridge_core")


def find_config_fields(library: Library, gaps: list[str]) -> Mapping[str, ConfigField]:
    """The declared fields of the bridge configuration, inherited ones included."""
    # Before 3.3.0 the file had another name; the package exports the class in every release.
    exported = library.module(f"{PACKAGE}.config")
    moved = exported is not None and library.find(exported, CONFIG) is not None
    place = f"{PACKAGE}.config" if moved else f"{PACKAGE}.config.transformer_bridge_config"
    cls = _class(library, place, CONFIG, gaps)
    fields: dict[str, ConfigField] = {}
    for ancestor in reversed(library.mro(cls) if cls is not None else ()):
        for field in _fields(ancestor):
            if field.type is not None or field.name not in fields:
                fields[field.name] = field
    words = _words_of_bridges(library.package)
    return {
        name: replace(field, read=name.encode() in words) for name, field in sorted(fields.items())
    }


def _words_of_bridges(package: Path) -> set[bytes]:
    """Every word in what a bridge may run: not what declares or sets fields, nor older models."""
    words: set[bytes] = set()
    for file in package.rglob("*.py"):
        parts = file.relative_to(package).parts
        if not _NO_BRIDGE.intersection(parts) and not parts[0].startswith(_OLDER):
            words.update(_WORD.findall(guard.read(file, small=False)))
    return words


def find_adapter_attributes(library: Library, gaps: list[str]) -> Mapping[str, str]:
    """Attributes an adapter may set, with the defaults' source text.

    The base class declares some; others are only asked for, by `getattr` with a default.
    """
    cls = _class(library, f"{PACKAGE}.model_bridge.architecture_adapter", ADAPTER, gaps)
    values = assignments(cls.node.body) if cls is not None else ()
    asked = dict(pair for name in _ASKING for pair in _asked(library.module(f"{PACKAGE}.{name}")))
    declared = {name: ast.unparse(value) for name, value, _ in values}
    return dict(sorted((asked | declared).items()))


def _asked(module: Module | None) -> Iterator[tuple[str, str]]:
    """Names and defaults in `getattr(adapter, name, default)`."""
    body = module.body if module is not None else ()
    for node in (node for statement in body for node in ast.walk(statement)):
        match node:
            case ast.Call(
                func=ast.Name(id="getattr"),
                args=[
                    ast.Name(id="adapter") | ast.Attribute(attr="adapter"),
                    ast.Constant(value=str(name)),
                    default,
                ],
            ):
                yield name, ast.unparse(default)


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
