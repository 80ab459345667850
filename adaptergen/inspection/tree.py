"""The modules of a model, per kind of layer, as facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from adaptergen.facts import Kind, Module, Parameter
from adaptergen.inspection.dims import Sizes
from adaptergen.inspection.names import pattern, qualified
from adaptergen.inspection.places import Layout


def kinds(layout: Layout, sizes: Sizes) -> tuple[Kind, ...]:
    """What the layers of each kind hold; a module that only other layers have is absent."""
    known = _members(layout.model)
    return tuple(
        Kind(
            name=kind.name,
            word=kind.word,
            layers=kind.layers,
            modules=_modules(
                kind.block.named_modules(),
                known,
                sizes,
                kind.name,
                f"{layout.path}.{kind.layers[0]}.",
            ),
        )
        for kind in layout.kinds
    )


def outside(layout: Layout, sizes: Sizes) -> tuple[Module, ...]:
    """What the model holds outside its layers, without the model itself."""
    inside = f"{layout.path}."
    named = (
        (path, module)
        for path, module in layout.model.named_modules()
        if path and not (layout.path and path.startswith(inside))
    )
    return _modules(named, _members(layout.model), sizes, "", "")


def tied(model: Any) -> tuple[tuple[str, ...], ...]:
    """Names of one and the same parameter."""
    names: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(pattern(name))
    groups = {tuple(sorted(set(group))) for group in names.values()}
    return tuple(sorted(group for group in groups if len(group) > 1))


def _modules(
    named: Iterator[tuple[str, Any]],
    known: Mapping[type, set[str]],
    sizes: Sizes,
    kind: str,
    prefix: str,
) -> tuple[Module, ...]:
    found: dict[tuple[str, str], Module] = {}
    for path, module in named:
        place, cls = pattern(path), qualified(type(module))
        if (place, cls) in found:
            continue
        found[place, cls] = Module(
            path=place,
            cls=cls,
            state="identity" if type(module) is torch.nn.Identity else "module",
            parameters=_parameters(module, sizes, kind, f"{prefix}{path}." if path else prefix),
        )
        for name in sorted(_absent(module, known)):
            at = f"{place}.{name}" if place else name
            found.setdefault((at, ""), Module(path=at, state="absent"))
    return tuple(found[key] for key in sorted(found))


def _members(model: Any) -> dict[type, set[str]]:
    """Names of modules that instances of a class hold, over the whole model."""
    found: dict[type, set[str]] = {}
    for module in model.modules():
        held = {name for name, child in module._modules.items() if child is not None}
        found.setdefault(type(module), set()).update(held)
    return found


def _absent(module: Any, known: Mapping[type, set[str]]) -> set[str]:
    """Empty places of a module: None is registered, or others of its class have one there."""
    if isinstance(module, (torch.nn.ModuleList, torch.nn.ModuleDict, torch.nn.Sequential)):
        return set()
    none = {name for name, child in module._modules.items() if child is None}
    others = {name for name in known[type(module)] if name not in module._modules}
    return none | others


def _parameters(module: Any, sizes: Sizes, kind: str, prefix: str) -> dict[str, Parameter]:
    found = {}
    for held, buffer in ((module._parameters, False), (module._buffers, True)):
        for name, tensor in held.items():
            if tensor is not None:
                shape = tuple(tensor.shape)
                sizes.learn(kind, prefix + name, shape)
                told = sizes.parameter(prefix + name, shape)
                found[name] = Parameter(shape=shape, sizes=told, buffer=buffer)
    return dict(sorted(found.items()))
