"""Which hooks of a draft fire, also in a decode step, and which edits reach the logits."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch

from adaptergen.draft.observation import first_tensor
from adaptergen.inspection.runs import cache_of, forward

#: States of a hook that is not live, with the reason that a draft gives.
REASONS = {
    "read_only": "an edit did not reach the logits of the tiny model",
    "silent": "it did not fire on the tiny model",
    "silent_in_decode": "it did not fire in a decode step of the tiny model",
}


@dataclass(frozen=True)
class Contracts:
    """What was measured of hooks, by their full names."""

    states: Mapping[str, str]
    """Hooks that are not live, and what they are instead."""
    cached: frozenset[str]
    """Hooks that hold all tokens of the cache in a decode step."""


def measure_contracts(bridge: Any, ids: torch.Tensor) -> Contracts:
    """What holds of the hooks of a bridge, which is run on tokens, ``[batch, pos]``."""
    with warnings.catch_warnings():
        # TransformerLens says that an edit of a norm's hooks rounds otherwise.
        warnings.simplefilter("ignore")
        return _contracts(bridge, ids)


def _contracts(bridge: Any, ids: torch.Tensor) -> Contracts:
    model, hooks = bridge.original_model, bridge.hook_dict
    prompt, cache = _fired(model, hooks, ids, {})
    step = prompt
    if cache:
        # Some models of Hugging Face cannot take a step with the cache that they return.
        with suppress(Exception):
            step = _fired(model, hooks, ids[:, -1:], cache)[0]
    found: dict[str, str] = {}
    for name in hooks:
        if name not in prompt:
            found[name] = "silent"
        elif name not in step:
            found[name] = "silent_in_decode"
    live = [name for name in hooks if name not in found or found[name] == "silent_in_decode"]
    found |= dict.fromkeys(_read_only(bridge, live, ids), "read_only")
    pos = ids.shape[-1]
    cached = {
        name
        for name, sizes in step.items()
        if (pos, pos + 1) in zip(prompt.get(name, ()), sizes, strict=False)
    }
    return Contracts(found, frozenset(cached))


def _fired(
    model: Any, hooks: Mapping[str, Any], ids: torch.Tensor, cache: Mapping[str, Any]
) -> tuple[dict[str, tuple[int, ...]], Mapping[str, Any]]:
    """The shapes of what hooks held, where they fired, and the cache after that."""
    fired: dict[str, tuple[int, ...]] = {}

    def see(name: str) -> Any:
        def hooked(_module: Any, _args: Any, output: Any) -> None:
            fired.setdefault(name, tuple(getattr(output, "shape", ())))

        return hooked

    handles = [hook.register_forward_hook(see(name)) for name, hook in hooks.items()]
    try:
        output = forward(model, ids, use_cache=True, **cache)
    finally:
        for handle in handles:
            handle.remove()
    return fired, cache_of(output)


def _read_only(bridge: Any, names: list[str], ids: torch.Tensor) -> Iterator[str]:
    """The hooks an edit of which does not change the logits."""
    plain = _logits(bridge.original_model, ids)
    # An alias is another name of the same hook, which is edited once.
    aliases: dict[str, list[str]] = {}
    for name in names:
        aliases.setdefault(bridge.hook_dict[name].name, []).append(name)
    reached = _with_gradient(bridge, list(aliases), ids)
    for name, same in aliases.items():
        if name not in reached and torch.equal(_edited(bridge, name, ids), plain):
            yield from same


def _with_gradient(bridge: Any, names: list[str], ids: torch.Tensor) -> set[str]:
    """Hooks on which the logits depend, by one backward run; those left out may do so too."""
    added: dict[str, torch.Tensor] = {}

    def add(tensor: Any, hook: Any) -> Any:
        if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
            return None
        if hook.name in added:
            return None
        added[hook.name] = torch.zeros_like(tensor, requires_grad=True)
        return tensor + added[hook.name]

    try:
        # As a user attaches them: some components ask whether there are any.
        with bridge.hooks(fwd_hooks=[(name, add) for name in names]), torch.enable_grad():
            logits = _output(forward(bridge.original_model, ids, with_grad=True))
            weights = torch.linspace(0.5, 1.5, logits.numel()).view(logits.shape)
            grads = torch.autograd.grad(
                (logits * weights).sum(), list(added.values()), allow_unused=True
            )
    except Exception:  # HF writes into tensors that a gradient needs: each hook is edited instead
        return set()
    pairs = zip(added, grads, strict=True)
    return {name for name, grad in pairs if grad is not None and bool((grad != 0).any())}


def _edited(bridge: Any, name: str, ids: torch.Tensor) -> torch.Tensor:
    def edit(tensor: Any, hook: Any) -> Any:
        if not isinstance(tensor, torch.Tensor):
            return None
        if tensor.is_floating_point() or tensor.is_complex():
            return tensor * 1.5 + 0.25
        return tensor.flip(-1)

    try:
        with bridge.hooks(fwd_hooks=[(name, edit)]):
            return _logits(bridge.original_model, ids)
    except Exception:  # HF cannot go on with the edited tensor, so the edit reached it
        return torch.empty(0)


def _logits(model: Any, ids: torch.Tensor) -> torch.Tensor:
    return _output(forward(model, ids))


def _output(output: Any) -> torch.Tensor:
    logits = first_tensor(getattr(output, "logits", output))
    assert logits is not None
    return logits
