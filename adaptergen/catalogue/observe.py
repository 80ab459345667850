"""Which conditional hook points a component has by default, observed on an instance.

Calling `observe` imports torch and TransformerLens; importing this module does not.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from adaptergen.catalogue.library import PACKAGE, installed_version
from adaptergen.catalogue.model import Catalogue, CatalogueError, Component, Hook

# The smallest model whose numbers no constructor refuses.
_CONFIG = {"d_model": 8, "d_head": 4, "n_heads": 2, "n_layers": 1, "n_ctx": 8, "d_vocab": 16}


def observe(catalogue: Catalogue) -> Catalogue:
    """The catalogue with its conditional hook points resolved by the installed TransformerLens.

    Raises CatalogueError if the catalogue's version is not installed.
    """
    installed = installed_version()
    if installed != catalogue.tl_version:
        found = f"{installed} is installed" if installed else "none is installed"
        raise CatalogueError(
            f"Hooks of TransformerLens {catalogue.tl_version} cannot be observed: {found}.",
            f"Run `pip install transformer-lens=={catalogue.tl_version}`, or do without.",
        )
    observed = observed_hooks(catalogue)
    return replace(
        catalogue,
        components={
            name: resolve_hooks(component, observed[name]) if name in observed else component
            for name, component in catalogue.components.items()
        },
    )


def resolve_hooks(component: Component, observed: frozenset[str]) -> Component:
    """The component with `by_default` set for its conditional hooks."""
    hooks = {hook.name: hook for hook in component.hooks}
    resolved = {name: Hook(name, True, (), True) for name in observed - hooks.keys()}
    for name, hook in hooks.items():
        if hook.conditional:
            resolved[name] = replace(hook, by_default=name in observed)
    if not resolved:
        return component
    merged = tuple(hook for _, hook in sorted({**hooks, **resolved}.items()))
    return replace(component, hooks=merged, hooks_source="observed")


def observed_hooks(catalogue: Catalogue) -> Mapping[str, frozenset[str]]:
    """Component to the hook points on an instance; without components that cannot be made."""
    hook_point = importlib.import_module(f"{PACKAGE}.hook_points").HookPoint
    observed: dict[str, frozenset[str]] = {}
    for component in catalogue.components.values():
        try:
            instance = instantiate(component)
        except Exception:  # whatever a constructor raises: then nothing is observed
            continue
        observed[component.name] = frozenset(
            name for name, child in instance.named_children() if isinstance(child, hook_point)
        )
    return observed


def instantiate(component: Component, **extra: object) -> Any:
    """An instance made from required arguments, a tiny configuration, and ``extra``."""
    cls = getattr(importlib.import_module(component.module), component.name)
    given = dict(extra)
    if component.keyword("config"):
        config = importlib.import_module(f"{PACKAGE}.config").TransformerBridgeConfig
        given.setdefault("config", config(**_CONFIG))
    for keyword in component.keywords:
        if keyword.required:
            given.setdefault(keyword.name, keyword.name)
    return cls(**given)
