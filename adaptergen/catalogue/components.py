"""The component classes of a tree, each with everything syntax tells about it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from adaptergen.catalogue.constructor import signature
from adaptergen.catalogue.errors import CatalogueError
from adaptergen.catalogue.hookpoints import hook_points
from adaptergen.catalogue.installed import PACKAGE
from adaptergen.catalogue.library import Class, Library
from adaptergen.catalogue.literals import Unknown, class_dict, class_flag
from adaptergen.catalogue.model import Component
from adaptergen.catalogue.supercalls import walk_own
from adaptergen.catalogue.tree import COMPONENTS

ROOT = "GeneralizedComponent"
BRIDGE = "TransformerBridge"
_PACKAGE = f"{PACKAGE}.{COMPONENTS.replace('/', '.')}"
_ALIASES = "hook_aliases"


@dataclass(frozen=True)
class Found:
    """The components, and what could not be told of them."""

    components: Mapping[str, Component]
    gaps: tuple[str, ...]


def find_components(library: Library) -> Found:
    """Every class that is, or derives from, GeneralizedComponent."""
    gaps: list[str] = []
    components: dict[str, Component] = {}
    for cls, mro in _classes(library):
        if cls.name in components:
            gaps.append(f"{cls.module.name}.{cls.name}: a second class of that name")
        else:
            components[cls.name] = _component(library, cls, mro, gaps)
    if ROOT not in components:
        raise CatalogueError(
            f"{library.package} defines no {ROOT} in {COMPONENTS}.",
            "Give a TransformerLens that has bridge components.",
        )
    return Found(dict(sorted(components.items())), tuple(gaps))


def find_bridge_aliases(library: Library, gaps: list[str]) -> Mapping[str, tuple[str, ...]]:
    """Other names that every bridge has for hooks outside the layers, and the hooks."""
    package = library.module(f"{PACKAGE}.model_bridge")
    cls = library.find(package, BRIDGE) if package is not None else None
    if cls is None:
        gaps.append(f"{PACKAGE}.model_bridge: no {BRIDGE}")
        return {}
    return _targets(_mapping(library, library.mro(cls), _ALIASES, gaps))


def _classes(library: Library) -> Iterator[tuple[Class, tuple[Class, ...]]]:
    for module in library.modules_in(_PACKAGE):
        for cls in module.classes.values():
            mro = library.mro(cls)
            if any(ancestor.name == ROOT for ancestor in mro):
                yield cls, mro


def _component(library: Library, cls: Class, mro: Sequence[Class], gaps: list[str]) -> Component:
    taken = signature(mro)
    aliases = _mapping(library, mro, _ALIASES, gaps)
    properties = _mapping(library, mro, "property_aliases", gaps)
    points = hook_points(mro)
    if points.unnamed:
        gaps.append(f"{cls.name}: makes hook points whose names syntax does not tell")
    return Component(
        name=cls.name,
        module=_import_from(library, cls),
        bases=tuple(base.name for base in library.bases(cls)),
        keywords=taken.keywords,
        swallows_unknown=taken.swallows_unknown,
        is_list_item=bool(class_flag(mro, "is_list_item")),
        hook_aliases=_targets(aliases),
        aliases_vary=any(_varies_aliases(ancestor) for ancestor in mro),
        property_aliases={name: str(target) for name, target in sorted(properties.items())},
        hooks=points.hooks,
    )


def _import_from(library: Library, cls: Class) -> str:
    package = library.module(_PACKAGE)
    exported = package is not None and library.find(package, cls.name) == cls
    return _PACKAGE if exported else cls.module.name


def _mapping(
    library: Library, mro: Sequence[Class], attribute: str, gaps: list[str]
) -> Mapping[str, object]:
    try:
        return class_dict(library, mro, attribute)
    except Unknown:
        gaps.append(f"{mro[0].name}.{attribute}: not a plain dict")
        return {}


def _targets(aliases: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(target) if isinstance(target, list) else (str(target),)
        for name, target in sorted(aliases.items())
    }


def _varies_aliases(cls: Class) -> bool:
    """Whether a method of the class changes its instances' aliases.

    The root is no witness: it only applies the overrides that it is given.
    """
    if cls.name == ROOT:
        return False
    methods = [item for item in cls.node.body if isinstance(item, ast.FunctionDef)]
    return any(_touches_aliases(node) for method in methods for node in walk_own(method))


def _touches_aliases(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id="self"), attr=attribute, ctx=ast.Store()):
            return attribute == _ALIASES
        case ast.Subscript(value=ast.Attribute(attr=attribute), ctx=ast.Store() | ast.Del()):
            return attribute == _ALIASES
        case ast.Call(func=ast.Attribute(value=ast.Attribute(attr=attribute), attr=method)):
            return attribute == _ALIASES and method in {"pop", "update", "setdefault", "clear"}
        case ast.keyword(arg="hook_alias_overrides", value=value):
            return not (isinstance(value, ast.Name) and value.id == "hook_alias_overrides")
    return False
