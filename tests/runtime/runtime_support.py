"""Binding and hooking components of the runtime without a whole model.

Importing this skips the test module, with the reason, where something heavy is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from adaptergen import runtime

WHY = "pip install 'adaptergen[verify]'"
torch = pytest.importorskip("torch", reason=f"needs torch: {WHY}")
pytest.importorskip("transformer_lens", reason=f"needs transformer-lens: {WHY}")
runtime.install()

from transformer_lens.model_bridge.generalized_components.base import (  # noqa: E402
    GeneralizedComponent,
)
from transformer_lens.model_bridge.generalized_components.taps import (  # noqa: E402
    Tap,
    tapped,
)


def bind(component: Any, module: Any) -> Any:
    """Bind a component and its submodules as TransformerLens does."""
    component.set_original_component(module)
    for key, submodule in component.submodules.items():
        bind(submodule, getattr(module, submodule.name))
        component.add_module(key, submodule)
        setattr(module, submodule.name, submodule)
    return component


def wrap(module: Any, submodules: dict[str, str] | None = None, **taps: Tap) -> Any:
    """A component over a module, with taps; two underscores in their names stand for a dot."""
    named = {name.replace("__", "."): tap for name, tap in taps.items()}
    parts = {key: GeneralizedComponent(name) for key, name in (submodules or {}).items()}
    return bind(tapped(GeneralizedComponent, named)("mixer", submodules=parts), module)


def hook_of(component: Any, name: str) -> Any:
    """The hook point with a dotted name."""
    for part in name.split("."):
        component = component._modules[part]
    return component


def record(component: Any, *names: str) -> dict[str, list[Any]]:
    """What these hooks hold from now on, call by call."""
    seen: dict[str, list[Any]] = {name: [] for name in names}
    for name in names:

        def keep(tensor: Any, hook: Any, into: list[Any] = seen[name]) -> None:
            into.append(tensor.detach().clone())

        hook_of(component, name).add_hook(keep)
    return seen


def edit(component: Any, name: str, change: Callable[[Any], Any]) -> None:
    """Have a hook change what it holds."""
    hook_of(component, name).add_hook(lambda tensor, hook: change(tensor))


__all__ = [
    "GeneralizedComponent",
    "Tap",
    "bind",
    "edit",
    "hook_of",
    "record",
    "tapped",
    "torch",
    "wrap",
]
