"""Blocks whose layers differ: each binds what its layer has, and nothing that other layers have."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from transformer_lens.conversion_utils.conversion_steps.rearrange_tensor_conversion import (
    RearrangeTensorConversion,
)
from transformer_lens.hook_points import HookPoint
from transformer_lens.model_bridge.generalized_components.base import (
    GeneralizedComponent,
)

#: A field of the Hugging Face config, and whether it has to be set, or to have the value named last.
Condition = tuple[str, bool] | tuple[str, bool, Any]


@dataclass(frozen=True)
class LayerKind:
    """What a block binds on the layers of one kind.

    Args:
        slot: Key under which the block binds the component. A layer is of one kind in a slot.
        component: The component, of which each layer gets a copy.
        has_submodule: Dotted path of a submodule that the Hugging Face blocks of this kind have and
            the others do not, where no attribute of the block tells the kind.
        conditional: Submodules or hooks of the component, by their dotted names, that depend on the
            Hugging Face config.
    """

    slot: str
    component: GeneralizedComponent
    has_submodule: str = ""
    conditional: Mapping[str, Condition] = field(default_factory=dict)

    def __deepcopy__(self, memo: dict[int, Any]) -> LayerKind:
        # Each layer is a copy of one block; the kinds are the same for all.
        return self


class LayerKindsMixin(GeneralizedComponent):
    """Binds the slots of its layer's kinds and no other; leaves out what the config leaves out.

    Args:
        kinds: The kinds of layer by their names; none if layers are alike.
        attribute: Attribute of the Hugging Face block with the name of its kind, among those kinds
            that no submodule tells.
        former: Names of kinds in older releases -> the names in ``kinds``.
        aliases: Aliases that the class does not have so -> the hooks that each may lead to, of
            which it leads to the first that a layer has.
        conditional: Submodules or hooks of every layer that depend on the Hugging Face config.
    """

    def __init__(
        self,
        name: str,
        config: Any = None,
        submodules: Mapping[str, GeneralizedComponent] | None = None,
        kinds: Mapping[str, LayerKind] | None = None,
        attribute: str = "",
        former: Mapping[str, str] | None = None,
        aliases: Mapping[str, Sequence[str]] | None = None,
        conditional: Mapping[str, Condition] | None = None,
    ) -> None:
        self_kinds, shared = dict(kinds or {}), dict(submodules or {})
        # TransformerLens translates names of weights by the template of the blocks, so there a slot
        # has what any kind binds.
        slots: dict[str, GeneralizedComponent] = {}
        for kind in self_kinds.values():
            component = copy.deepcopy(kind.component)
            if kind.slot in slots:
                union = {**slots[kind.slot].submodules, **component.submodules}
                component = GeneralizedComponent(component.name, submodules=union)
            slots[kind.slot] = component
        super().__init__(name, config=config, submodules={**shared, **slots})
        self._kinds, self._shared = self_kinds, tuple(shared)
        self._attribute, self._former = attribute, dict(former or {})
        self._aliases, self._conditional = {**self.hook_aliases, **(aliases or {})}, conditional or {}

    @property
    def kinds(self) -> dict[str, LayerKind]:
        """The kinds of layer by their names."""
        return self._kinds

    def set_original_component(self, original_component: torch.nn.Module) -> None:
        """Bind the Hugging Face block, keeping what its layer has.

        Raises:
            ValueError: A slot has the module of several kinds, or one that is of no kind.
        """
        super().set_original_component(original_component)
        if self._kinds:
            self.submodules = {key: self.submodules[key] for key in self._shared}
        for kind in self._kinds_of(original_component):
            component = self.submodules[kind.slot] = copy.deepcopy(kind.component)
            leave_out(component, kind.conditional, original_component)
        leave_out(self, self._conditional, original_component)
        self._alias()

    def _kinds_of(self, hf_block: Any) -> list[LayerKind]:
        told: Any = getattr(hf_block, self._attribute) if self._attribute else None
        own = self._former.get(told, told)
        by_attribute = sorted(name for name, kind in self._kinds.items() if not kind.has_submodule)
        if self._attribute and own not in by_attribute:
            raise ValueError(f"{self.name}: layer kind {own!r} is none of {by_attribute}")
        modules = dict(hf_block.named_modules())
        found = {
            name: kind
            for name, kind in self._kinds.items()
            if (kind.has_submodule in modules if kind.has_submodule else name == own)
        }
        for kind in self._kinds.values():
            path = kind.component.name
            in_slot = {n: k.has_submodule for n, k in self._kinds.items() if k.slot == kind.slot}
            at_path = {n: k.has_submodule for n, k in self._kinds.items() if k.component.name == path}
            # A layer without the module is of no kind that has it, and nothing is missed.
            untold = path in modules and found.keys().isdisjoint(at_path)
            if untold or len(found.keys() & in_slot) > 1:
                known = at_path if untold else in_slot
                raise ValueError(f"{self.name}: expected a layer with exactly one of {known}")
        return list(found.values())

    def _alias(self) -> None:
        """Lead each alias to the first hook that this layer has; one that leads nowhere goes."""
        found: dict[str, str] = {}
        for alias, hooks in self._aliases.items():
            for hook in [hooks] if isinstance(hooks, str) else hooks:
                if _has_hook(self, hook):
                    found.setdefault(alias, hook)
        self.hook_aliases = found

    def __reduce_ex__(self, protocol: Any) -> Any:
        # The classes that `blocks_with_kinds` makes have no name in a module.
        return _rebuild, (type(self).__mro__[2],), vars(self)


@functools.cache
def _kinds_class(block: type) -> type[LayerKindsMixin]:
    members = {
        "__doc__": f"{block.__name__} that binds what its layer has.",
    }
    return type(f"{block.__name__}WithKinds", (LayerKindsMixin, block), members)


def blocks_with_kinds(block: type[GeneralizedComponent], **arguments: Any) -> Any:
    """Blocks of one class whose layers differ; the arguments are those of `LayerKindsMixin`."""
    cls: Any = block
    return _kinds_class(cls)(**arguments)


def _rebuild(block: type) -> Any:
    cls = _kinds_class(block)
    return cls.__new__(cls)


def _has_hook(component: GeneralizedComponent, path: str) -> bool:
    key, dot, below = path.partition(".")
    if dot:
        return key in component.submodules and _has_hook(component.submodules[key], below)
    return key in component._hook_registry


def leave_out(
    component: GeneralizedComponent,
    conditional: Mapping[str, Condition],
    original_component: torch.nn.Module,
) -> None:
    """Drop submodules, and hooks, that the config of a Hugging Face module leaves out."""
    if not conditional:
        return
    config = next(m.config for m in original_component.modules() if hasattr(m, "config"))
    for path, (field_name, holds, *value) in conditional.items():
        found = getattr(config, field_name)
        if (found == value[0] if value else found is not None) == holds:
            continue
        *parents, name = path.split(".")
        owner = functools.reduce(lambda at, key: at.submodules[key], parents, component)
        if owner.submodules.pop(name, None) is None:
            without_hooks(owner, name)


def without_hooks(component: GeneralizedComponent, *names: str) -> Any:
    """Remove hook points and aliases that the forward of Hugging Face never fires."""
    for name in names:
        # The registry of hooks has no public way to remove one.
        if component._hook_registry.pop(name, None) is not None:
            delattr(component, name)
    component.hook_aliases = {
        alias: target for alias, target in component.hook_aliases.items() if alias not in names
    }
    return component


def with_pos_dim(component: GeneralizedComponent, pos_dim: int, *names: str) -> Any:
    """Say which axis of hooks, all unless some are named, is that of positions."""
    if not names:
        component.mark_pos_dim(pos_dim)
    for name in names:
        getattr(component, name).pos_dim = pos_dim
    return component


class CopyingHookPoint(HookPoint):
    """Returns a copy where there are backward hooks: Hugging Face writes into what it returns.

    Torch refuses to write into what a module with backward hooks returns.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The activation as the hooks leave it."""
        activation = super().__call__(*args, **kwargs)
        return activation.clone() if _has_backward_hook(activation) else activation


def _has_backward_hook(activation: torch.Tensor) -> bool:
    # Torch has no public name for the function that calls backward hooks of modules.
    return "BackwardHook" in type(activation.grad_fn).__name__


def with_copies(component: GeneralizedComponent, *names: str) -> Any:
    """Let Hugging Face write into the tensors of hooks, also where they have backward hooks."""
    for name in names:
        # Also in the registry of hooks, which has the same object.
        getattr(component, name).__class__ = CopyingHookPoint
    return component


def configs_of(cfg: Any, bridge: Any) -> Iterator[Any]:
    """The config of an adapter, and the copies of it that components of layers hold."""
    yield cfg
    for block in bridge.blocks:
        for part in block.modules():
            config = getattr(part, "config", None)
            if config is not cfg and isinstance(config, type(cfg)):
                yield config


def split_heads(block: Any, hook: str, heads: int) -> None:
    """Split the last axis of a hook, by its dotted name in a block, into heads."""
    # TransformerLens splits by `d_head`, but only once, and not what is set afterwards.
    if "attn" in block.submodules:
        block.attn.setup_hook_compatibility()
    *path, name = hook.split(".")
    owner = functools.reduce(getattr, path, block)
    getattr(owner, name).hook_conversion = RearrangeTensorConversion(
        "batch pos (head d_head) -> batch pos head d_head", head=heads
    )
