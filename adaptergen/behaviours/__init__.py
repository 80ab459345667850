"""What some architectures compute, each in a folder of its own.

A folder has up to three files: `language.py`, the words and components that the behaviour adds to
the language, which imports no torch; `runtime.py`, what adapters use; and `contract.py`, what tests
check. The last two ship with generated adapters and do not import adaptergen.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from types import ModuleType

from adaptergen.catalogue.model import Catalogue, Component, Hook
from adaptergen.resources import behaviours, shipped


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


@dataclass(frozen=True)
class Reducible:
    """A size that a smaller model can have less of: the last axis of a hook of a component."""

    component: str
    hook: str
    least: int
    """How much is left at least."""
    groups: str = ""
    """Field of the HF config with a number of groups, if there are any."""
    in_group: int = 0
    """How much is left at least in each group."""


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


def reducible() -> list[Reducible]:
    """The sizes that behaviours let a smaller model have less of."""
    return [one for language in languages().values() for one in getattr(language, "REDUCIBLE", ())]


@cache
def own_taps(component: str) -> frozenset[str]:
    """The hooks on which a component of a behaviour has taps itself, as its class says."""
    for name, language in languages().items():
        if component in {each.name for each in getattr(language, "COMPONENTS", ())}:
            tree = ast.parse(shipped()[name].read_text("utf-8"))
            classes = (node for node in tree.body if isinstance(node, ast.ClassDef))
            own = next(node.body for node in classes if node.name == component)
            values = {
                target.id: node.value
                for node in (*tree.body, *own)
                if isinstance(node, ast.Assign)
                for target in node.targets
                if isinstance(target, ast.Name)
            }
            return frozenset(_keys("taps", values))
    return frozenset()


def _keys(name: str, values: Mapping[str, ast.expr]) -> Iterator[str]:
    """The keys of a dict that is written out, or put together of others by their names."""
    value = values.get(name)
    if isinstance(value, ast.Name):
        yield from _keys(value.id, values)
    if isinstance(value, ast.Dict):
        for key, other in zip(value.keys, value.values, strict=True):
            if isinstance(key, ast.Constant):
                yield str(key.value)
            elif isinstance(other, ast.Name):
                yield from _keys(other.id, values)


def _extended(component: RuntimeComponent, known: Component, module: str) -> Component:
    without = component.without
    return replace(
        known,
        name=component.name,
        module=module,
        hooks=(
            *(hook for hook in known.hooks if hook.name not in without),
            *map(Hook, component.adds),
            *(Hook(name, conditional=True, by_default=False) for name in component.may_add),
        ),
        hook_aliases={k: to for k, to in known.hook_aliases.items() if k not in without},
    )
