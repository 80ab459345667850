"""The component classes of a TransformerLens, each with all that its source text says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adaptergen.catalogue.constructor import accepted_keywords
from adaptergen.catalogue.hookpoints import hook_points
from adaptergen.catalogue.library import (
    COMPONENTS,
    PACKAGE,
    Class,
    Library,
    NotLiteral,
    class_dict,
    class_flag,
)
from adaptergen.catalogue.model import CatalogueError, Component

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
    return _aliases(library, library.mro(cls), gaps)


def _component(library: Library, cls: Class, mro: Sequence[Class], gaps: list[str]) -> Component:
    keywords, swallows_unknown = accepted_keywords(mro)
    hooks, unnamed = hook_points(mro)
    if unnamed:
        gaps.append(f"{cls.name}: makes hook points whose names are not in the source text")
    exported = library.find(_PACKAGE, cls.name) == cls
    return Component(
        name=cls.name,
        module=_PACKAGE if exported else cls.module.name,
        keywords=keywords,
        swallows_unknown=swallows_unknown,
        is_list_item=bool(class_flag(mro, "is_list_item")),
        hook_aliases=_aliases(library, mro, gaps),
        hooks=hooks,
    )


def _aliases(library: Library, mro: Sequence[Class], gaps: list[str]) -> dict[str, tuple[str, ...]]:
    """Other names of hooks, and the hooks that each may lead to."""
    try:
        aliases = class_dict(library, mro, _ALIASES)
    except NotLiteral:
        gaps.append(f"{mro[0].name}.{_ALIASES}: not a plain dict")
        return {}
    return {
        name: tuple(target) if isinstance(target, list) else (str(target),)
        for name, target in sorted(aliases.items())
    }
