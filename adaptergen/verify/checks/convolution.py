"""Hooks of a convolution that HF computes in functions, from the weight alone."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import torch
import transformers

from adaptergen.plan.model import FunctionalPlan
from adaptergen.verify.promises import Promise, holds
from adaptergen.verify.reference import Reference
from adaptergen.verify.subject import Subject, difference

#: Sums in another order: what float32 rounds.
CLOSE = 1e-5


def check_convolution(subject: Subject, reference: Reference) -> None:
    """Its hooks hold the convolution of this call's tokens, and leave HF's module as it was."""
    functional = subject.plan.functional
    hooks = _hooks(subject, functional) if functional else []
    if functional is None or len(hooks) != 2 or hooks[0].layer is None:
        return
    before, after = hooks
    name = before.name.rpartition(".")[0].split(".", 2)[2]
    conv1d = attrgetter(name)(subject.bridge.blocks[hooks[0].layer])
    mixer = attrgetter(name.rpartition(".")[0])(subject.bridge.blocks[hooks[0].layer])
    attributes = dict(mixer.original_component.__dict__)
    tokens = reference.work.tokens
    names = [before.name, after.name]
    _, whole = subject.bridge.run_with_cache(tokens, use_cache=False, names_filter=names)
    if before.name not in whole.cache_dict or after.name not in whole.cache_dict:
        return  # Silent hooks have their finding already.
    computed = conv1d.original_component(whole[before.name])[..., : tokens.shape[1]]
    apart = difference(whole[after.name], computed)
    _note(subject, after, "holds another tensor than the convolution", apart)
    for split in (1, 2, 5):
        parts = [tokens[:, :split], tokens[:, split:]]
        if not holds(functional.functions.continues, transformers.__version__):
            parts.pop()  # HF itself cannot continue a cache with several tokens there.
        _check_parts(subject, hooks, parts, whole)
    _check_training(subject, reference, hooks)
    if mixer.original_component.__dict__ != attributes:
        _note(subject, before, "leaves the HF module changed after a run", float("inf"))


def _hooks(subject: Subject, functional: FunctionalPlan) -> list[Promise]:
    ends = (f".{functional.key}.hook_in", f".{functional.key}.hook_out")
    found = [p for p in subject.promised if p.name.endswith(ends)]
    return [p for p in found if p.layer == found[0].layer] if found else []


def _check_parts(subject: Subject, hooks: list[Promise], parts: list[Any], whole: Any) -> None:
    state = subject.new_cache()
    options = {
        "past_key_values": state,
        "use_cache": True,
        "names_filter": [hook.name for hook in hooks],
    }
    caches = [subject.bridge.run_with_cache(part, **options)[1] for part in parts]
    for hook in hooks:
        joined = torch.cat([cache[hook.name] for cache in caches if hook.name in cache], dim=2)
        expected = whole[hook.name][..., : joined.shape[2]]
        apart = difference(joined, expected)
        _note(subject, hook, "holds other tokens than those of its call", apart)


def _check_training(subject: Subject, reference: Reference, hooks: list[Promise]) -> None:
    gradients: dict[str, float] = {}

    def keep(gradient: Any, hook: Any) -> None:
        gradients[hook.name] = float(gradient.abs().sum())

    bridge = subject.bridge
    with torch.enable_grad(), bridge.hooks(bwd_hooks=[(hook.name, keep) for hook in hooks]):
        bridge.train()
        try:
            logits = bridge(reference.work.tokens, use_cache=False)
            logits.sum().backward()
        finally:
            bridge.eval()
            bridge.zero_grad()
    for hook in hooks:
        if not gradients.get(hook.name, 0.0) > 0:
            _note(subject, hook, "passes no gradient in training", float("inf"))
    apart = difference(logits.detach(), reference.logits)
    _note(subject, hooks[1], "changes the logits in training", apart)


def _note(subject: Subject, hook: Promise, what: str, apart: float) -> None:
    subject.sheet.count("convolutions")
    if not apart <= CLOSE:
        mend = "mend functional: of the shape"
        what = f"the hook {hook.row.name} {what}"
        subject.find(hook.finding("convolution", what, f"<= {CLOSE:g}", f"{apart:g}", mend))
