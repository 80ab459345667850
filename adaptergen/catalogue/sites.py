"""The places in TransformerLens where an architecture must be registered."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from adaptergen.catalogue.library import Library, Module, assigned, text_of
from adaptergen.catalogue.model import RegistrationSite, SiteKind
from adaptergen.catalogue.source_tree import PACKAGE

ADAPTERS = f"{PACKAGE}.model_bridge.supported_architectures"
FACTORY = f"{PACKAGE}.factories.architecture_adapter_factory"
REGISTRY = f"{PACKAGE}.tools.model_registry"

_ADAPTERS_FILE = f"{PACKAGE}/model_bridge/supported_architectures/__init__.py"
_FACTORY_FILE = f"{PACKAGE}/factories/architecture_adapter_factory.py"
_REGISTRY_FILE = f"{PACKAGE}/tools/model_registry/__init__.py"
_REPORT_FILE = f"{PACKAGE}/tools/model_registry/generate_report.py"
_IMPORTS = ((ADAPTERS, _ADAPTERS_FILE), (FACTORY, _FACTORY_FILE))
_CONTAINERS = (
    (ADAPTERS, _ADAPTERS_FILE, "__all__"),
    (FACTORY, _FACTORY_FILE, "SUPPORTED_ARCHITECTURES"),
    (REGISTRY, _REGISTRY_FILE, "HF_SUPPORTED_ARCHITECTURES"),
    (REGISTRY, _REGISTRY_FILE, "CANONICAL_AUTHORS_BY_ARCH"),
    (f"{REGISTRY}.generate_report", _REPORT_FILE, "ARCHITECTURE_DESCRIPTIONS"),
)


_KINDS: tuple[tuple[SiteKind, tuple[type[ast.expr], ...]], ...] = (
    ("list", (ast.List, ast.Tuple)),
    ("set", (ast.Set,)),
    ("dict", (ast.Dict,)),
)


def find_sites(library: Library, gaps: list[str]) -> tuple[RegistrationSite, ...]:
    """All registration sites of the tree; a missing one is appended to the gaps."""
    sites: list[RegistrationSite] = []
    for name, file in _IMPORTS:
        module = library.module(name)
        imported = module.imports.values() if module is not None else ()
        classes = (
            symbol
            for origin, symbol in imported
            if symbol is not None and f"{origin}.".startswith(f"{ADAPTERS}.")
        )
        entries = tuple(sorted(classes))
        if entries:
            sites.append(RegistrationSite(file, ADAPTERS, "imports", entries))
        else:
            gaps.append(f"{file}: no imports from {ADAPTERS}")
    for name, file, container in _CONTAINERS:
        value = _module_value(library.module(name), container)
        kind = next((kind for kind, types in _KINDS if isinstance(value, types)), None)
        if kind is None:
            gaps.append(f"{file}: no {container}")
        else:
            texts = {text for text, _, _ in entries_of(value)}
            sites.append(RegistrationSite(file, container, kind, tuple(sorted(texts))))
    return tuple(sites)


def find_adapters(library: Library) -> Mapping[str, str]:
    """Architecture to adapter class, as the factory has them."""
    value = _module_value(library.module(FACTORY), "SUPPORTED_ARCHITECTURES")
    adapters = {name: ast.unparse(item) for name, item, _ in entries_of(value) if item is not None}
    return dict(sorted(adapters.items()))


def entries_of(value: ast.expr | None) -> list[tuple[str, ast.expr | None, int]]:
    """The items of a list, set or dict that are string literals: name, value (of a dict), line."""
    pairs: list[tuple[ast.expr | None, ast.expr | None]]
    if isinstance(value, ast.Dict):
        pairs = [*zip(value.keys, value.values, strict=True)]
    else:
        pairs = [(item, None) for item in getattr(value, "elts", [])]
    return [
        (text, item, key.lineno)
        for key, item in pairs
        if key is not None and (text := text_of(key)) is not None
    ]


def _module_value(module: Module | None, name: str) -> ast.expr | None:
    return None if module is None else assigned(module.body, name)
