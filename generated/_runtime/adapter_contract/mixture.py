"""What the hooks of a mixture of experts hold: weights, experts, and their sum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from .findings import Finding
from .models import SUMMED, Check, Level, ModelUnderTest, relative, too_far
from .tables import Hook, offers


def check_experts(run: ModelUnderTest) -> Iterator[Finding]:
    """The weighted sum of the experts is what the experts return, by the weights in the hooks."""
    for hook in run.hooks:
        path = hook.name.removesuffix(".gate.hook_expert_weights")
        weights = run.activations.get(hook.name)
        if path == hook.name or weights is None:
            continue
        into, out = (run.activations.get(f"{path}.experts.hook_{end}") for end in ("in", "out"))
        if into is None or out is None or hook.layer is None:
            continue
        experts = run.bridge.get_submodule(f"{path}.experts").original_component
        total = _weighted(experts, into, weights)
        if total is None:
            continue
        run.report.count("products")
        apart = relative(total, out)
        if not apart <= SUMMED:
            what = "the sum of the experts by hook_expert_weights is not experts.hook_out"
            mend = "look at what the hooks of the router hold"
            yield too_far("identities", hook, what, SUMMED, apart, mend)
        yield from _check_mixture(run, hook, path)


def _weighted(experts: Any, into: Any, weights: Any) -> Any:
    """Each expert's output for all tokens by its weight; None if they are called otherwise."""
    total = 0
    for expert in range(weights.shape[-1]):
        chosen = torch.full((len(into), 1), expert)
        try:
            returned = experts(into, chosen, torch.ones(len(into), 1, dtype=into.dtype))
        except (TypeError, AttributeError, IndexError, RuntimeError):
            return None
        total = total + weights[:, expert, None] * returned
    return total


#: What a mixture adds up: the experts, or a projection of their sum, and those that are shared.
_ROUTED = ("latent_out", "experts")
_SHARED = ("shared_experts", "shared_expert")


def _check_mixture(run: ModelUnderTest, hook: Hook, path: str) -> Iterator[Finding]:
    parts = dict(run.bridge.get_submodule(path).submodules)
    if set(parts) - {*_ROUTED, *_SHARED, "gate", "latent_in"}:
        return  # Something else has a part in it.
    routed = next(name for name in _ROUTED if f"{path}.{name}.hook_out" in run.activations)
    added = [routed, *(name for name in _SHARED if name in parts)]
    out = run.activations.get(f"{path}.hook_out")
    terms = [run.activations.get(f"{path}.{name}.hook_out") for name in added]
    if out is None or any(term is None for term in terms):
        return
    apart = relative(_sum(terms, out), out)
    if not apart <= SUMMED:
        what = f"the mixture does not return the sum of {' and '.join(added)}"
        mend = "look at the paths of its parts"
        yield too_far("identities", hook, what, SUMMED, apart, mend)


def _sum(terms: Sequence[Any], out: Any) -> Any:
    total = torch.zeros_like(out)
    for term in terms:
        total = total + term.reshape(out.shape)
    return total


CHECKS = (Check("experts", check_experts, Level.TINY, offers("gate.hook_expert_weights")),)
