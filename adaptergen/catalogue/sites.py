"""The places in TransformerLens where an architecture must be registered."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from adaptergen.catalogue.installed import PACKAGE
from adaptergen.catalogue.library import Library, Module
from adaptergen.catalogue.literals import assignments
from adaptergen.catalogue.model import RegistrationSite, SiteKind

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


def find_sites(library: Library, gaps: list[str]) -> tuple[RegistrationSite, ...]:
    """All registration sites that the tree has; those it lacks go to the gaps."""
    sites: list[RegistrationSite] = []
    for name, file in _IMPORTS:
        module = library.module(name)
        entries = sorted(_imported_adapters(module)) if module is not None else []
        if entries:
            sites.append(RegistrationSite(file, ADAPTERS, "imports", tuple(entries)))
        else:
            gaps.append(f"{file}: no imports from {ADAPTERS}")
    for name, file, container in _CONTAINERS:
        value = module_value(library.module(name), container)
        read = _container(value) if value is not None else None
        if read is None:
            gaps.append(f"{file}: no {container}")
        else:
            sites.append(RegistrationSite(file, container, read[0], tuple(sorted(set(read[1])))))
    return tuple(sites)


def find_adapters(library: Library) -> Mapping[str, str]:
    """Architecture to adapter class, as the factory has them, in its order."""
    value = module_value(library.module(FACTORY), "SUPPORTED_ARCHITECTURES")
    if not isinstance(value, ast.Dict):
        return {}
    return {
        key.value: ast.unparse(item)
        for key, item in zip(value.keys, value.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }


def module_value(module: Module | None, name: str) -> ast.expr | None:
    """The expression last assigned to a module-level name."""
    if module is None:
        return None
    values = [value for target, value, _ in assignments(module.body) if target == name]
    return values[-1] if values else None


def _imported_adapters(module: Module) -> Iterator[str]:
    for origin, symbol in module.imports.values():
        if symbol is not None and f"{origin}.".startswith(f"{ADAPTERS}."):
            yield symbol


def _container(value: ast.expr) -> tuple[SiteKind, list[str]] | None:
    match value:
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return "list", list(_texts(items))
        case ast.Set(elts=items):
            return "set", list(_texts(items))
        case ast.Dict(keys=keys):
            return "dict", list(_texts(keys))
    return None


def _texts(nodes: list[ast.expr] | list[ast.expr | None]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
