"""A configuration with the widths of a checkpoint, and little else of its size."""

from __future__ import annotations

from typing import Any

from adaptergen.behaviours import reducible
from adaptergen.spec.arithmetic import Name
from adaptergen.verify.models import layer_kinds, random_model
from adaptergen.verify.target import Target

VOCABULARY = 512


def reduce_config(target: Target, config: Any) -> dict[str, str]:
    """Leave one layer of each kind, a small vocabulary, few experts; say what was reduced."""
    reduced = {"layers": _reduce_layers(target, config)}
    for field, number in {"vocab_size": VOCABULARY, **_sizes(target, config)}.items():
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


def _sizes(target: Target, config: Any) -> dict[str, int]:
    """Fields of the config that behaviours let be smaller, and what is left of each."""
    nodes = [node for top in target.plan.nodes for _, node in top.walk()]
    sizes = {}
    for rule in reducible():
        least = max(rule.least, rule.in_group * (getattr(config, rule.groups, None) or 1))
        for hook in (h for node in nodes if node.bridge == rule.component for h in node.hooks):
            term = hook.axes[-1].alternatives[0].term
            if hook.name == rule.hook and isinstance(term, Name):
                sizes[term.name] = least
    known = {name for name in sizes if isinstance(getattr(config, name, None), int)}
    return {name: sizes[name] for name in known}
