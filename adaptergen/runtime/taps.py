"""Taps: hooks on what functions take and return while Hugging Face's own forward runs.

A bridge component sees what goes into a module and what comes out. A tap makes a hook of what is
computed in between: an argument or the result of a function that the forward of the wrapped module
calls. Hugging Face computes; the hook reads and edits. Nothing is computed a second time, and
nothing outside the call is changed, so other models and other threads see nothing of a tap.

A call with hooks attached to taps runs on a shallow copy of the wrapped module. The copy shares
parameters, buffers and submodules. Its methods find wrapped functions before the globals of their
module, and a mode that torch keeps per thread sees the torch functions that they call. A call
without such hooks is the plain one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from accelerate.utils import align_module_device

from transformer_lens.hook_points import HookPoint
from transformer_lens.model_bridge.generalized_components.base import (
    GeneralizedComponent,
)
from transformer_lens.model_bridge.generalized_components.tapped_call import (
    TappedCall,
    below,
    has_function,
    hooks_of,
    is_hooked,
)


@dataclass(frozen=True)
class Tap:
    """An argument or the result of a function that the forward of a wrapped module calls.

    One of three says which function: ``function``, the names of functions of Hugging Face's module,
    of methods, or of submodules that are called; ``torch``, the name of a function of torch; or
    ``weight``, the dotted path of a parameter, for the operation that receives it.

    Args:
        function: Names; the first that a release has is the one that it calls.
        torch: A name in ``torch.nn.functional``.
        weight: A parameter of the component, such as ``gate.weight``.
        argument: Position of the argument; without it, the tap is on the result. Of an operation
            with a weight, any number stands for the operand that is not the weight.
        part: Position in a result that is a tuple.
        call: Which of several calls in one forward, from 0.
        tokens: Axis of positions of a tensor that may have more of them than this call has tokens;
            the hook gets those of the call alone.
        activation: Attribute of the wrapped module that says which activation the function applies
            last, if any. The hook on the result stands before the activation.
        flatten: Axis from which on the hook gets all axes but the last as one.
        heads_first: Heads stand before positions; the hook gets positions before heads.
    """

    function: str | tuple[str, ...] = ()
    torch: str = ""
    weight: str = ""
    argument: int | None = None
    part: int | None = None
    call: int | None = None
    tokens: int | None = None
    activation: str = ""
    flatten: int | None = None
    heads_first: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the function, the one to be preferred first."""
        return (self.function,) if isinstance(self.function, str) else self.function


class TapsMixin(GeneralizedComponent):
    """Fires the taps of a component, which is the class that it is mixed into."""

    #: Hook, by its dotted name below the component, and its tap.
    taps: Mapping[str, Tap] = {}
    #: Whether Hugging Face has a forward for training that calls none of its submodules.
    fused_in_training: bool = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = [name for name in self.taps if "." not in name]
        # A hook of its own hides an alias of the same name.
        self.hook_aliases = {
            alias: target for alias, target in self.hook_aliases.items() if alias not in own
        }
        # Hooks that nothing but a tap can fire.
        self._made_hooks = tuple(name for name in own if name not in self._hook_registry)
        for name in self._made_hooks:
            setattr(self, name, HookPoint())

    def set_original_component(self, original_component: torch.nn.Module) -> None:
        """Bind the wrapped module, and offer no hook on functions that its release has not."""
        super().set_original_component(original_component)
        for name in self._made_hooks:
            names = self.taps[name].names
            if names and not any(has_function(original_component, each) for each in names):
                del self._hook_registry[name]
                delattr(self, name)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the wrapped module between its hooks, and with those of its taps if any is used."""
        run = self._plain_forward
        if self._needs_taps():
            # To stay out of a compiled graph costs, so only where there is one.
            compiling = torch.compiler.is_compiling()
            run = self._forward_untraced if compiling else self._forward_with_taps
        offloaded = [part for part in self._read_modules() if "_hf_hook" in vars(part)]
        if not offloaded:
            # A compiled forward is kept where no context is entered.
            return run(*args, **kwargs)
        with ExitStack() as stack:
            for part in offloaded:
                # Hugging Face reads the weight, and no call of the module loads it.
                stack.enter_context(align_module_device(part))
            return run(*args, **kwargs)

    def _plain_forward(self, *args: Any, **kwargs: Any) -> Any:
        return super().forward(*args, **kwargs)

    def _needs_taps(self) -> bool:
        if torch.compiler.is_compiling():
            if any(is_hooked(hook) for _, _, hook in self._tapped()):
                return True
        elif any(self._attached_to_taps()):
            return True
        if not (self.fused_in_training and self.training):
            return False
        parts = (part for each in self.submodules.values() for part in each.modules())
        return any(map(is_hooked, parts))

    @torch.compiler.disable
    def _forward_untraced(self, *args: Any, **kwargs: Any) -> Any:
        return self._forward_with_taps(*args, **kwargs)

    def _forward_with_taps(self, *args: Any, **kwargs: Any) -> Any:
        call = TappedCall(self, args, kwargs)
        with call.mode():
            return call.bridge._plain_forward(*args, **kwargs)

    def _replaced_submodules(self) -> dict[str, Callable[..., Any]]:
        """What takes the place of submodules in a tapped call, by their names at Hugging Face."""
        return {}

    def _further_functions(self, call: TappedCall, names: dict[str, Any]) -> dict[str, Any]:
        """Functions that take the place of those of Hugging Face, beside those with hooks."""
        return {}

    def _tapped(self) -> list[tuple[str, Tap, HookPoint]]:
        """The taps that this layer has, with their hooks."""
        # Submodules are bound after the component, so not before the first call.
        found: list[tuple[str, Tap, HookPoint]] | None = vars(self).get("_tapped_hooks")
        if found is None:
            found = [
                (name, tap, hook)
                for name, tap in self.taps.items()
                if (hook := below(self, name)) is not None
            ]
            self._tapped_hooks = found
        return found

    def _attached_to_taps(self) -> list[Any]:
        """What torch keeps of everything that is attached to hooks of taps: mostly empty dicts."""
        found: list[Any] | None = vars(self).get("_attached")
        if found is None:
            # Asked in each call, so what to ask is looked up once.
            found = [dicts for _, _, hook in self._tapped() for dicts in hooks_of(hook)]
            self._attached = found
        return found

    def _read_modules(self) -> tuple[torch.nn.Module, ...]:
        """Submodules of Hugging Face whose weights are read where they are not called."""
        found: tuple[torch.nn.Module, ...] | None = vars(self).get("_modules_read")
        if found is None:
            children = dict.fromkeys(
                path.partition(".")[0]
                for name, tap in self.taps.items()
                for path in (name, tap.weight)
                if "." in path and tap.names != (path.partition(".")[0],)
            )
            bridges = (self._modules.get(key) for key in children)
            found = tuple(bridge._modules["_original_component"] for bridge in bridges if bridge)
            self._modules_read = found
        return found

    def __reduce_ex__(self, protocol: Any) -> Any:
        # Classes that `tapped` makes have no name in a module, by which pickle would find them.
        made_of = vars(type(self)).get("made_of")
        if made_of is None:
            return super().__reduce_ex__(protocol)
        return _rebuild, made_of, vars(self)


@functools.cache
def _tapped_class(
    bridge: type, taps: tuple[tuple[str, Tap], ...], fused_in_training: bool
) -> type[TapsMixin]:
    own = getattr(bridge, "taps", {})
    bases = (bridge,) if issubclass(bridge, TapsMixin) else (TapsMixin, bridge)
    members = {
        "__doc__": f"{bridge.__name__} with taps on the forward of Hugging Face.",
        "taps": {**own, **dict(taps)},
        "fused_in_training": fused_in_training,
        "made_of": (bridge, taps, fused_in_training),
    }
    return type(f"Tapped{bridge.__name__}", bases, members)


def tapped(
    bridge: type[GeneralizedComponent], taps: Mapping[str, Tap], fused_in_training: bool = False
) -> Any:
    """The class of a component, with taps, beside those that it has.

    Args:
        bridge: A bridge class.
        taps: Hook, by its dotted name below the component -> its tap.
        fused_in_training: Whether Hugging Face has a forward for training that calls none of its
            submodules. While any hook below the component is used, the other one runs.

    Returns:
        A subclass of ``bridge`` with the same constructor.
    """
    cls: Any = bridge
    return _tapped_class(cls, tuple(taps.items()), fused_in_training)


def _rebuild(bridge: type, taps: tuple[tuple[str, Tap], ...], fused_in_training: bool) -> Any:
    cls = _tapped_class(bridge, taps, fused_in_training)
    return cls.__new__(cls)
