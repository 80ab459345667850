"""The component classes of a TransformerLens, each with all that its source text says."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from adaptergen.catalogue.constructor import accepted_keywords, walk_own
from adaptergen.catalogue.hookpoints import hook_points
from adaptergen.catalogue.library import Class, Library, NotLiteral, class_dict, class_flag
from adaptergen.catalogue.model import CatalogueError, Component
from adaptergen.catalogue.source_tree import COMPONENTS, PACKAGE

ROOT = "GeneralizedComponent"
BRIDGE = "TransformerBridge"
_PACKAGE = f"{PACKAGE}.{COMPONENTS.replace('/', '.')}"
_ALIASES = "hook_aliases"


def find_components(library: Library, gaps: list[str]) -> Mapping[str, Component]:
    """Every class that is GeneralizedComponent or derives from it; gaps are appended."""
    components: dict[str, Component] = {}
    for module in library.modules_in(_PACKAGE):
        for cls in module.classes.values():
            mro = library.mro(cls)
            if not any(ancestor.name == ROOT for ancestor in mro):
                continue
            if cls.name in components:
                gaps.append(f"{module.name}.{cls.name}: a second class of that name")
            else:
                components[cls.name] = _component(library, cls, mro, gaps)
    if ROOT not in components:
        raise CatalogueError(
            f"{library.package} defines no {ROOT} in {COMPONENTS}.",
            "Give a TransformerLens that has bridge components.",
        )
    return dict(sorted(components.items()))


def find_bridge_aliases(library: Library, gaps: list[str]) -> Mapping[str, tuple[str, ...]]:
    """Other names that every bridge has for hooks outside the layers, and the hooks."""
    cls = library.find(f"{PACKAGE}.model_bridge", BRIDGE)
    if cls is None:
        gaps.append(f"{PACKAGE}.model_bridge: no {BRIDGE}")
        return {}
    return _targets(_mapping(library, library.mro(cls), _ALIASES, gaps))


def _component(library: Library, cls: Class, mro: Sequence[Class], gaps: list[str]) -> Component:
    keywords, swallows_unknown = accepted_keywords(mro)
    properties = _mapping(library, mro, "property_aliases", gaps)
    hooks, unnamed = hook_points(mro)
    if unnamed:
        gaps.append(f"{cls.name}: makes hook points whose names are not in the source text")
    exported = library.find(_PACKAGE, cls.name) == cls
    return Component(
        name=cls.name,
        module=_PACKAGE if exported else cls.module.name,
        bases=tuple(base if isinstance(base, str) else base.name for base in library.bases(cls)),
        keywords=keywords,
        swallows_unknown=swallows_unknown,
        is_list_item=bool(class_flag(mro, "is_list_item")),
        hook_aliases=_targets(_mapping(library, mro, _ALIASES, gaps)),
        aliases_vary=any(_varies_aliases(ancestor) for ancestor in mro),
        property_aliases={name: str(target) for name, target in sorted(properties.items())},
        hooks=hooks,
    )


def _mapping(
    library: Library, mro: Sequence[Class], attribute: str, gaps: list[str]
) -> Mapping[str, object]:
    try:
        return class_dict(library, mro, attribute)
    except NotLiteral:
        gaps.append(f"{mro[0].name}.{attribute}: not a plain dict")
        return {}


def _targets(aliases: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(target) if isinstance(target, list) else (str(target),)
        for name, target in sorted(aliases.items())
    }


def _varies_aliases(cls: Class) -> bool:
    """Whether a method of the class changes its instances' aliases.

    The root class only applies the overrides that it is given.
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
