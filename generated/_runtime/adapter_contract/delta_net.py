"""What the hooks of a gated delta net hold: the delta rule, and TransformerLens' state of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from .findings import Finding
from .models import SUMMED, Check, Level, ModelUnderTest, relative, too_far
from .reference import cache_argument, new_cache
from .tables import offers

#: What the recurrence takes, and what it returns.
_TAKEN = ("hook_q", "hook_k", "hook_v", "hook_beta", "hook_log_decay")
_RETURNED = "hook_recurrence_out"


def check_delta_rule(run: ModelUnderTest) -> Iterator[Finding]:
    """The hooks of the recurrence obey the delta rule, token by token.

    The state that HF keeps after the last token is the rule's, and TransformerLens' analysis's.
    """
    kept = new_cache(run.spare.config)
    run.spare(run.tokens, use_cache=True, **{cache_argument(run.spare): kept})
    for hook in run.hooks:
        path = hook.name.removesuffix(f".{_RETURNED}")
        taken = [run.activations.get(f"{path}.{name}") for name in _TAKEN]
        if path == hook.name or hook.layer is None or any(each is None for each in taken):
            continue  # A missing hook has its finding already.
        returned, state = _delta_rule(*taken)
        held = kept.layers[hook.layer].recurrent_states
        analysed = run.recorded[1].compute_ssm_state(layer=hook.layer, time_step=-1)
        run.report.count("products", 3)
        for what, expected, measured in (
            ("what the delta rule makes of the other hooks", returned, run.activations[hook.name]),
            ("what leads to the state that HF keeps", state, _only(held)),
            ("what leads to the state by `compute_ssm_state`", state, analysed),
        ):
            apart = relative(expected, measured)
            if not apart <= SUMMED:
                fix = "look at which arguments of the recurrence the hooks hold"
                yield too_far("delta rule", hook, f"the hook is not {what}", SUMMED, apart, fix)


def _delta_rule(q: Any, k: Any, v: Any, beta: Any, log_decay: Any) -> tuple[Any, Any]:
    """What the rule returns ``[batch, pos, heads, d_value]``, and the last state of each head.

    Each step decays the state, takes from the value what the state has under the key already, and
    writes the rest there. Each query head serves as many value heads as there are for one.
    """
    shared = v.shape[2] // k.shape[2]
    q, k = (_unit(each).repeat_interleave(shared, dim=2) for each in (q, k))
    state, outputs = torch.zeros_like(k[:, 0, :, :, None] * v[:, 0, :, None, :]), []
    for pos in range(v.shape[1]):
        state = state * log_decay[:, pos, :, None, None].exp()
        known = torch.einsum("bhkv,bhk->bhv", state, k[:, pos])
        written = (v[:, pos] - known) * beta[:, pos, :, None]
        state = state + torch.einsum("bhk,bhv->bhkv", k[:, pos], written)
        outputs.append(torch.einsum("bhkv,bhk->bhv", state, q[:, pos]) * q.shape[-1] ** -0.5)
    return torch.stack(outputs, dim=1), state


def _unit(vectors: Any) -> Any:
    return vectors * (vectors.square().sum(-1, keepdim=True) + 1e-6).rsqrt()


def _only(states: Any) -> Any:
    """The state of a layer; some releases keep a list of one."""
    return states if isinstance(states, torch.Tensor) else states[0]


CHECKS = (Check("delta rule", check_delta_rule, Level.TINY, offers(_RETURNED)),)
