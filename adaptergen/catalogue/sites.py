"""The places in TransformerLens where an architecture must be registered."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from adaptergen.catalogue.library import PACKAGE, Library, assigned, text_of
from adaptergen.catalogue.model import RegistrationSite, SiteKind

ADAPTERS = f"{PACKAGE}.model_bridge.supported_architectures"
_ADAPTERS_FILE = f"{PACKAGE}/model_bridge/supported_architectures/__init__.py"
_FACTORY_FILE = f"{PACKAGE}/factories/architecture_adapter_factory.py"
_REGISTRY_FILE = f"{PACKAGE}/tools/model_registry/__init__.py"
_REPORT_FILE = f"{PACKAGE}/tools/model_registry/generate_report.py"
_FACTORY = "SUPPORTED_ARCHITECTURES"
_CONTAINERS = (
    (_ADAPTERS_FILE, "__all__"),
    (_FACTORY_FILE, _FACTORY),
    (_REGISTRY_FILE, "HF_SUPPORTED_ARCHITECTURES"),
    (_REGISTRY_FILE, "CANONICAL_AUTHORS_BY_ARCH"),
    (_REPORT_FILE, "ARCHITECTURE_DESCRIPTIONS"),
)
_KINDS: dict[type, SiteKind] = {
    ast.List: "list", ast.Tuple: "list", ast.Set: "set", ast.Dict: "dict",
}  # fmt: skip


def find_sites(library: Library, gaps: list[str]) -> tuple[RegistrationSite, ...]:
    """All registration sites of the tree; a missing one is appended to the gaps."""
    sites: list[RegistrationSite] = []
    for file in (_ADAPTERS_FILE, _FACTORY_FILE):
        module = library.module(_module_name(file))
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
    for file, container in _CONTAINERS:
        value = _value(library, file, container)
        kind = _KINDS.get(type(value))
        if kind is None:
            gaps.append(f"{file}: no {container}")
        else:
            texts = {text for text, _, _ in entries_of(value)}
            sites.append(RegistrationSite(file, container, kind, tuple(sorted(texts))))
    return tuple(sites)


def find_adapters(library: Library) -> Mapping[str, str]:
    """Architecture to adapter class, as the factory has them."""
    value = _value(library, _FACTORY_FILE, _FACTORY)
    adapters = {name: ast.unparse(item) for name, item, _ in entries_of(value) if item is not None}
    return dict(sorted(adapters.items()))


def entries_of(value: ast.expr | None) -> list[tuple[str, ast.expr | None, int]]:
    """The items of a list, set or dict that are string literals: name, value (of a dict), line."""
    keys: list[ast.expr | None] = getattr(value, "elts", [])
    values: Sequence[ast.expr | None] = [None] * len(keys)
    if isinstance(value, ast.Dict):
        keys, values = value.keys, value.values
    pairs = zip(keys, values, strict=True)
    named = ((text_of(key), item, key.lineno) for key, item in pairs if key is not None)
    return [(name, item, line) for name, item, line in named if name is not None]


def _value(library: Library, file: str, name: str) -> ast.expr | None:
    module = library.module(_module_name(file))
    return None if module is None else assigned(module.body, name)


def _module_name(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
