"""A configuration with the widths of a checkpoint, and little else of its size."""

from __future__ import annotations

from typing import Any

from adaptergen.spec.arithmetic import Name
from adaptergen.verify.models import layer_kinds, random_model
from adaptergen.verify.target import Target

VOCABULARY, EXPERTS = 512, 8


def reduce_config(target: Target, config: Any) -> dict[str, str]:
    """Leave one layer of each kind, a small vocabulary, few experts; say what was reduced."""
    reduced = {"layers": _reduce_layers(target, config)}
    for field, number in {"vocab_size": VOCABULARY, **_experts(target, config)}.items():
        before = getattr(config, field)
        if before > number:
            setattr(config, field, number)
            reduced[field] = f"{number} of {before}"
    for field in ("pad_token_id", "bos_token_id", "eos_token_id"):
        token = getattr(config, field, None)
        if isinstance(token, int) and token >= config.vocab_size:
            setattr(config, field, None)
    return reduced


def _reduce_layers(target: Target, config: Any) -> str:
    kinds = layer_kinds(target, random_model(target, config, device="meta"))
    told = target.plan.spec.blocks.kind
    first = {kind: kinds.index(kind) for kind in kinds}
    if told:
        listing = getattr(config, told.listed_in)
        setattr(config, told.listed_in, [listing[layer] for layer in first.values()])
        left = len(first)
    else:
        left = max(first.values()) + 1
        config.num_hidden_layers = left
    return f"{left} of {len(kinds)}"


def _experts(target: Target, config: Any) -> dict[str, int]:
    """The field that says how many experts a router chooses from, and how many to leave."""
    fields = set()
    for top in target.plan.nodes:
        for _, node in top.walk():
            for hook in node.hooks if node.bridge == "MoERouterBridge" else ():
                if hook.name == "hook_out":
                    term = hook.axes[-1].alternatives[0].term
                    fields |= {term.name} if isinstance(term, Name) else set()
    # Routers that choose within groups look at two experts of each.
    least = max(EXPERTS, 2 * (getattr(config, "n_group", None) or 1))
    return {field: least for field in fields if isinstance(getattr(config, field, None), int)}
