"""What some architectures compute, each in a folder of its own.

A folder has up to three files: `language.py`, the words and components that the behaviour adds to
the language, which imports no torch; `runtime.py`, what adapters use; and `contract.py`, what tests
check. The last two ship with generated adapters and do not import adaptergen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from types import ModuleType

from adaptergen.catalogue import Catalogue, Component, Hook
from adaptergen.resources import behaviours


@dataclass(frozen=True)
class RuntimeComponent:
    """A component that the runtime adds to those of TransformerLens, by the one that it extends."""

    name: str
    extends: str
    without: tuple[str, ...] = ()
    """Hooks and aliases that it does not offer."""
    adds: tuple[str, ...] = ()
    """Hooks that it offers beside those that it extends."""
    may_add: tuple[str, ...] = ()
    """Hooks that it offers where HF has what they are on."""


@cache
def languages() -> Mapping[str, ModuleType]:
    """The `language` of each behaviour, by its name."""
    return {name: import_module(f"{__name__}.{name}.language") for name in behaviours()}


def with_components(catalogue: Catalogue) -> Catalogue:
    """The catalogue with components of behaviours, whose modules are relative to the runtime."""
    added: dict[str, Component] = {}
    for name, language in languages().items():
        for component in getattr(language, "COMPONENTS", ()):
            known = catalogue.components.get(component.extends)
            if known:
                added[component.name] = _extended(component, known, f".{name}")
    return replace(catalogue, components={**catalogue.components, **added})


def _extended(component: RuntimeComponent, known: Component, module: str) -> Component:
    without = component.without
    return replace(
        known,
        name=component.name,
        module=module,
        bases=(component.extends,),
        hooks=(
            *(hook for hook in known.hooks if hook.name not in without),
            *map(Hook, component.adds),
            *(Hook(name, conditional=True, by_default=False) for name in component.may_add),
        ),
        hook_aliases={k: to for k, to in known.hook_aliases.items() if k not in without},
    )
