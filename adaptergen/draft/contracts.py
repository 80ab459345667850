"""Which hooks of a draft fire, also in a decode step, and which edits reach the logits."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch

from adaptergen.contract.models import edited
from adaptergen.contract.reference import BATCH, POS
from adaptergen.draft.observation import first_tensor
from adaptergen.inspection.runs import cache_of, forward, tokens

#: How the full name of a hook in a layer begins, of the blocks or of another list.
LAYER = re.compile(r"^(\w+)\.\d+\.")

#: States of a hook that is not live, with the reason that a draft gives.
REASONS = {
    "read_only": "an edit did not reach the logits of the tiny model",
    "no_gradient": "an edit reached the logits of the tiny model, and no gradient came back",
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
    choosing: frozenset[str]
    """Hooks of numbers an edit of which reaches the logits, and no gradient comes back."""


def measure_contracts(bridge: Any) -> Contracts:
    """What holds of the hooks of a bridge, which is run on as many tokens as tests run it on."""
    ids = tokens(bridge.original_model, BATCH, POS)
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
    read_only, choosing = _without_gradient(bridge, live, ids)
    found |= dict.fromkeys(read_only, "read_only")
    pos = ids.shape[-1]
    cached = {
        name
        for name, sizes in step.items()
        if (pos, pos + 1) in zip(prompt.get(name, ()), sizes, strict=False)
    }
    return Contracts(found, frozenset(cached), choosing)


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


def _without_gradient(
    bridge: Any, names: list[str], ids: torch.Tensor
) -> tuple[list[str], frozenset[str]]:
    """The hooks an edit of which does not change the logits, and those where that alone does.

    A hook is judged by all layers that have it: what one layer chooses may leave an edit out.
    """
    plain = _logits(bridge.original_model, ids)
    # An alias is another name of the same hook, which is edited once.
    aliases: dict[str, list[str]] = {}
    for name in names:
        aliases.setdefault(bridge.hook_dict[name].name, []).append(name)
    gradients = _gradients(bridge, list(aliases), ids)
    read_only: list[str] = []
    choosing: set[str] = set()
    groups: dict[str, list[str]] = {}
    for name in aliases:
        groups.setdefault(LAYER.sub(r"\1.", name), []).append(name)
    for group in groups.values():
        if any(gradients.get(name) for name in group):
            continue
        if all(torch.equal(_edited(bridge, name, ids), plain) for name in group):
            read_only += [name for one in group for name in aliases[one]]
        else:
            choosing |= gradients.keys() & set(group)
    return read_only, frozenset(choosing)


def _gradients(bridge: Any, names: list[str], ids: torch.Tensor) -> dict[str, bool]:
    """Whether a gradient comes back to hooks of numbers, by one backward run.

    Nothing is known of hooks that are left out.
    """
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
        return {}
    pairs = zip(added, grads, strict=True)
    return {name: grad is not None and bool((grad != 0).any()) for name, grad in pairs}


def _edited(bridge: Any, name: str, ids: torch.Tensor) -> torch.Tensor:
    def edit(tensor: Any, hook: Any) -> Any:
        return edited(tensor) if isinstance(tensor, torch.Tensor) else None

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
