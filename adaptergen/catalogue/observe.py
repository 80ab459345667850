"""Hook points as seen on living components, where syntax alone leaves them open.

Heavy: it imports torch and TransformerLens, once it is called and not before.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from adaptergen.catalogue.errors import CatalogueError
from adaptergen.catalogue.installed import PACKAGE, installed_version
from adaptergen.catalogue.model import Catalogue, Component, Hook

# The smallest model whose numbers no constructor refuses.
_CONFIG = {"d_model": 8, "d_head": 4, "n_heads": 2, "n_layers": 1, "n_ctx": 8, "d_vocab": 16}


def observe(catalogue: Catalogue) -> Catalogue:
    """The catalogue with its open hook points settled by the installed TransformerLens.

    Raises CatalogueError when none is installed, or another version than the catalogue's.
    """
    installed = installed_version()
    if installed != catalogue.tl_version:
        found = f"{installed} is installed" if installed else "none is installed"
        raise CatalogueError(
            f"Hooks of TransformerLens {catalogue.tl_version} cannot be observed: {found}.",
            f"Run `pip install transformer-lens=={catalogue.tl_version}`, or do without.",
        )
    seen = observed_hooks(catalogue)
    return replace(
        catalogue,
        components={
            name: settle(component, seen[name]) if name in seen else component
            for name, component in catalogue.components.items()
        },
    )


def settle(component: Component, seen: frozenset[str]) -> Component:
    """A component whose conditional hooks are known to be there by default, or not."""
    hooks = {hook.name: hook for hook in component.hooks}
    unforeseen = {name: Hook(name, True, (), True) for name in seen - hooks.keys()}
    settled = {
        name: replace(hook, by_default=name in seen)
        for name, hook in hooks.items()
        if hook.conditional
    }
    if not settled and not unforeseen:
        return component
    merged = {**hooks, **settled, **unforeseen}
    return replace(
        component,
        hooks=tuple(hook for _, hook in sorted(merged.items())),
        hooks_source="observed",
    )


def observed_hooks(catalogue: Catalogue) -> Mapping[str, frozenset[str]]:
    """Component to the hook points on an instance; those that cannot be made are left out."""
    hook_point = importlib.import_module(f"{PACKAGE}.hook_points").HookPoint
    seen: dict[str, frozenset[str]] = {}
    for component in catalogue.components.values():
        try:
            instance = instantiate(component)
        except Exception:  # whatever a constructor raises, it only means that nothing was seen
            continue
        seen[component.name] = frozenset(
            name for name, child in instance.named_children() if isinstance(child, hook_point)
        )
    return seen


def instantiate(component: Component, **extra: object) -> Any:
    """An instance made from required arguments, a tiny configuration, and ``extra``."""
    cls = getattr(importlib.import_module(component.module), component.name)
    given = dict(extra)
    if component.accepts_config:
        given.setdefault("config", _tiny_config())
    for keyword in component.keywords:
        if keyword.required:
            given.setdefault(keyword.name, keyword.name)
    return cls(**given)


def _tiny_config() -> Any:
    return importlib.import_module(f"{PACKAGE}.config").TransformerBridgeConfig(**_CONFIG)
