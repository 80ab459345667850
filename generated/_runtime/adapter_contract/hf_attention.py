"""What the hooks of attention hold, held against each other: scores, pattern, values, heads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from transformers.pytorch_utils import Conv1D

from .findings import Finding
from .models import (
    ROUNDED,
    SUMMED,
    Check,
    Level,
    ModelUnderTest,
    difference,
    relative,
    too_far,
)
from .tables import Hook, offers


def check_attention(run: ModelUnderTest) -> Iterator[Finding]:
    """Scores are queries by keys, the pattern their softmax, and outputs the pattern by values.

    Wherever the hooks of both sides are there. Values and keys that stand in each other's place
    are found so, whatever their shapes.
    """
    for hook in run.hooks:
        if not hook.short.endswith("hook_pattern") or hook.name not in run.activations:
            continue
        pattern = run.activations[hook.name]
        attention = _Attention(run, hook)
        run.report.count("norms and patterns")
        total = difference(pattern.sum(-1), torch.ones_like(pattern.sum(-1)))
        if not (total <= ROUNDED or attention.has_sinks):
            what, mend = "attention weights do not sum to one", "look at which tensor it holds"
            yield too_far("analyses", hook, what, ROUNDED, total, mend)
        yield from attention.check_values(pattern)
        yield from attention.check_roles()
        scores = run.hook.get(f"{attention.path}.hook_attn_scores")
        # Where an edit of the scores reaches nothing, they may be another tensor.
        if scores is None or scores.state != "live" or scores.name not in run.activations:
            yield from attention.check_products(pattern.log(), "the logarithm of hook_pattern")
            continue
        yield from attention.check_softmax(run.activations[scores.name], pattern)
        yield from attention.check_products(run.activations[scores.name], "hook_attn_scores")


class _Attention:
    """The hooks of one layer's attention."""

    def __init__(self, run: ModelUnderTest, pattern: Hook) -> None:
        self.run, self.pattern = run, pattern
        self.path = pattern.name.rpartition(".")[0]
        module = run.bridge.get_submodule(self.path).original_component
        self.has_sinks = any("sink" in name for name, _ in module.named_parameters())
        self.layer = pattern.layer

    def tensor(self, name: str) -> Any:
        """Queries, keys or values as `[batch, heads, pos, features]`; None if no hook has them."""
        full = self.run.named(self.layer, f"{self.path.split('.', 2)[-1]}.{name}")
        hook, found = self.run.hook.get(full), self.run.activations.get(full)
        if hook is None or found is None or found.dim() != 4:
            return None
        pos = hook.contract.pos_axis
        return found if pos == 2 else found.transpose(1, 2)

    def for_heads(self, tensor: Any, heads: int) -> Any:
        """Keys and values once for each head of the queries."""
        return tensor.repeat_interleave(heads // tensor.shape[1], dim=1)

    def check_values(self, pattern: Any) -> Iterator[Finding]:
        """The pattern by the values is what the output projection takes, per head."""
        values, z = self.tensor("hook_v"), self.tensor("hook_z")
        if values is None or z is None or pattern.shape[1] % values.shape[1]:
            return
        # A sink is the last place that tokens attend to, and has no value.
        mixed = pattern[..., : values.shape[-2]] @ self.for_heads(values, pattern.shape[1])
        queries = self.run.activations.get(f"{self.path}.q.hook_out")
        if queries is not None and queries.numel() == 2 * z.numel():
            # Each head of the projection holds queries, then a gate on the output of the head.
            by_head = queries.reshape(*queries.shape[:2], z.shape[1], -1)
            mixed = mixed * by_head.chunk(2, dim=-1)[1].transpose(1, 2).sigmoid()
        apart = relative(mixed, z)
        self.run.report.count("products")
        if not apart <= SUMMED:
            what = "the pattern by hook_v is not what the output projection takes (hook_z)"
            yield too_far("identities", self.pattern, what, SUMMED, apart, _SWAPPED)

    def check_softmax(self, scores: Any, pattern: Any) -> Iterator[Finding]:
        """The pattern is the softmax of the scores; sinks take a share of it."""
        self.run.report.count("products")
        share = pattern / pattern.sum(-1, keepdim=True)
        apart = difference(scores.float().softmax(-1), share.float())
        if not apart <= ROUNDED:
            what, mend = "hook_pattern is not the softmax of hook_attn_scores", "look at both"
            yield too_far("identities", self.pattern, what, ROUNDED, apart, mend)

    def check_products(self, scores: Any, name: str) -> Iterator[Finding]:
        """The scores are queries by keys, scaled and masked."""
        pairs = [(self.tensor(f"hook_{q}"), self.tensor(f"hook_{k}")) for q, k in _PAIRS]
        products = [
            q @ self.for_heads(k, q.shape[1]).transpose(-1, -2)
            for q, k in pairs
            if q is not None and k is not None and q.shape[1] % k.shape[1] == 0
            if q.shape[-1] == k.shape[-1] and q.shape[1] == scores.shape[1]
        ]
        # Before a rotation, and without a part of the features, they are the product of others.
        rotates = hasattr(self.run.bridge, "rotary_emb")
        if len(products) < 1 + rotates:
            return
        self.run.report.count("products")
        apart = min(self._unexplained(scores, product) for product in products)
        if not apart <= SUMMED:
            what = f"{name} is not queries by keys, scaled"
            yield too_far("identities", self.pattern, what, SUMMED, apart, _SWAPPED)

    def check_roles(self) -> Iterator[Finding]:
        """A rotation keeps lengths: those of hook_q are not those of the rotated keys."""
        q, k = self.tensor("hook_q"), self.tensor("hook_k")
        turned, other = self.tensor("hook_rot_q"), self.tensor("hook_rot_k")
        tensors = [one for one in (q, k, turned, other) if one is not None]
        if len(tensors) < 4 or len({one.shape for one in tensors}) > 1:
            return
        self.run.report.count("products")
        if _lengths_apart(q, turned) > SUMMED >= _lengths_apart(q, other):
            what = "hook_q holds what is rotated as keys"
            apart = _lengths_apart(q, turned)
            yield too_far("identities", self.pattern, what, SUMMED, apart, _SWAPPED)

    def _unexplained(self, scores: Any, product: Any) -> float:
        """What is left of the scores after a scale, and a slope by distance for each head.

        Rows may be shifted: the softmax is the same.
        """
        cap = getattr(self.run.hf_config, "attn_logit_softcapping", None)
        worst = 0.0
        for head in range(scores.shape[1]):
            told = scores[:, head].double()
            # What is masked, and what is so small that float32 has no digits of it.
            seen = told > told.amax(-1, keepdim=True) - 9
            told = cap * torch.atanh(told / cap) if cap else told
            distance = torch.arange(told.shape[-1]) - torch.arange(told.shape[-2])[:, None]
            known = [product[:, head].double(), distance.expand_as(told).double()]
            columns = torch.stack([_centred(one, seen) for one in known], dim=-1)
            wanted = _centred(told, seen)[:, None]
            left = wanted - columns @ torch.linalg.lstsq(columns, wanted).solution
            worst = max(worst, float(left.abs().max() / wanted.abs().max().clamp(min=1)))
        return worst


#: After a rotation, where there is one and its hooks hold all features; else before.
_PAIRS = (("rot_q", "rot_k"), ("q", "k"))
_SWAPPED = "look at the paths of queries, keys and values: two may be swapped"


def _centred(tensor: Any, seen: Any) -> Any:
    """What is seen, without the mean of its row."""
    mean = (tensor.where(seen, 0)).sum(-1, keepdim=True) / seen.sum(-1, keepdim=True).clamp(min=1)
    return (tensor - mean)[seen]


def _lengths_apart(one: Any, other: Any) -> float:
    """How far the lengths of vectors are from each other, up to one factor."""
    ratio = one.norm(dim=-1) / other.norm(dim=-1)
    return float((ratio / ratio.mean() - 1).abs().max())


def check_heads(run: ModelUnderTest) -> Iterator[Finding]:
    """The sum over heads of `z W_O`, and the bias, is what attention returns."""
    for hook in run.hooks:
        path = hook.name.removesuffix(".o.hook_in")
        if path == hook.name or f"{path}.o.hook_out" not in run.activations:
            continue
        z, out = run.activations.get(hook.name), run.activations[f"{path}.o.hook_out"]
        module = run.bridge.get_submodule(f"{path}.o").original_component
        weight = getattr(module, "weight", None)
        if z is None or z.dim() != 4 or not isinstance(weight, torch.Tensor) or weight.is_meta:
            continue
        matrix = weight if isinstance(module, Conv1D) else weight.T
        by_head = matrix.view(z.shape[2], z.shape[3], -1)
        total = torch.einsum("bphd,hdm->bpm", z, by_head)
        total = total if getattr(module, "bias", None) is None else total + module.bias
        run.report.count("products")
        for name, expected in (
            (f"{path}.o.hook_out", out),
            (f"{path}.hook_out", run.activations.get(f"{path}.hook_out")),
        ):
            apart = 0.0 if expected is None else relative(total, expected)
            if not apart <= SUMMED:
                what = f"the sum over heads of z W_O is not {name.split('.', 2)[-1]}"
                mend = "look at the width of a head, and at what the hook of the output holds"
                yield too_far("identities", hook, what, SUMMED, apart, mend)


CHECKS = (
    Check("attention", check_attention, Level.TINY, offers("hook_pattern")),
    Check("heads", check_heads, Level.TINY, offers("o.hook_in")),
)
