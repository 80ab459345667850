"""Modules and blocks of Hugging Face as they are, whatever they take and return."""

from __future__ import annotations

from typing import Any

import torch

from transformer_lens.hook_points import HookPoint
from transformer_lens.model_bridge.generalized_components.base import (
    GeneralizedComponent,
)
from transformer_lens.model_bridge.generalized_components.block import BlockBridge
from transformer_lens.model_bridge.generalized_components.layer_kinds import (
    without_hooks,
)


class HFModuleBridge(GeneralizedComponent):
    """Hooks the first tensor that a module takes, and the first that it returns."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the wrapped module between its hooks."""
        args, kwargs = with_hooked_input(self, args, kwargs)
        original: Any = self.original_component
        return with_hooked_output(original(*args, **kwargs), self.hook_out)


class HFBlockBridge(BlockBridge):
    """A block of any order of norms, attention and MLPs; what it returns may be in any container.

    It has the residual stream before and after the layer, of other names of BlockBridge those that
    ``hook_alias_overrides`` gives, and ``hook_mlp_in`` where it has a norm of
    the MLP, ``ln2`` or ``ln2_post``.
    """

    hook_aliases = {"hook_resid_pre": "hook_in", "hook_resid_post": "hook_out"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "ln2" not in self.submodules and not self.mlp_reads_resid_directly:
            without_hooks(self, "hook_mlp_in")

    @staticmethod
    def _is_standalone_hidden_state_call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        # What a block returns is what Hugging Face's does, also where it takes the stream alone.
        return False

    def _apply_output_hook(self, output: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(output, torch.Tensor) or type(output) is tuple:
            return super()._apply_output_hook(output, *args, **kwargs)
        return with_hooked_output(output, self.hook_out)


def with_hooked_input(
    component: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a module with the first tensor hooked by ``component.hook_in``."""
    for at, value in enumerate(args):
        if isinstance(value, torch.Tensor):
            return (*args[:at], component.hook_in(value), *args[at + 1 :]), kwargs
    named = [name for name, value in kwargs.items() if isinstance(value, torch.Tensor)]
    if not named:
        return args, kwargs
    name = "hidden_states" if "hidden_states" in named else named[0]
    return args, {**kwargs, name: component.hook_in(kwargs[name])}


def with_hooked_output(output: Any, hook: HookPoint) -> Any:
    """What a module returns with the first tensor hooked, in a container of the same type."""
    if isinstance(output, torch.Tensor):
        return hook(output)
    if isinstance(output, dict):  # as outputs of Hugging Face's models are
        for name, value in output.items():
            if isinstance(value, torch.Tensor):
                output[name] = hook(value)
                break
        return output
    if not isinstance(output, (tuple, list)):
        return output
    items = list(output)
    at = next((at for at, value in enumerate(items) if isinstance(value, torch.Tensor)), None)
    if at is None:
        # Quantised models return pairs of tuples.
        at = next((at for at, value in enumerate(items) if isinstance(value, (tuple, list))), None)
    if at is not None:
        items[at] = with_hooked_output(items[at], hook)
    if isinstance(output, list):
        output[:] = items
        return output
    return type(output)(*items) if hasattr(output, "_fields") else tuple(items)
