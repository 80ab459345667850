"""What hooks hold, held against each other: sums, products and norms that have to come out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from transformers.pytorch_utils import Conv1D

from .findings import Finding, Spot
from .models import ModelUnderTest, at, difference, relative
from .tables import Hook

#: Float32 rounds otherwise in another order of the same operations.
ROUNDED = 1e-5
#: The same for sums of many products, by the largest value.
SUMMED = 1e-4

#: What is before, what is added, what is after; by the alias that a block with such a sum has.
SUMS = {
    "hook_mixer_out": [("hook_resid_pre", "hook_mixer_out", "hook_resid_post")],
    "hook_resid_mid": [
        ("hook_resid_pre", "hook_attn_out", "hook_resid_mid"),
        ("hook_resid_mid", "hook_mlp_out", "hook_resid_post"),
    ],
}


def check_residuals(run: ModelUnderTest) -> Iterator[Finding]:
    """On every layer, before + added = after, exactly."""
    for layer, kind in enumerate(run.kinds):
        for name, sums in SUMS.items():
            for hooks in sums if run.named(layer, name) else ():
                before, added, after = (run.cached(layer, hook) for hook in hooks)
                if before is None or added is None or after is None:
                    continue  # A missing hook has its finding already.
                apart = difference(before + added, after)
                run.report.count("residuals")
                if apart:
                    what, mend = f"the layer does not add {hooks[1]} to {hooks[0]}", "mend the path"
                    spot = Spot(layer, kind, hooks[1])
                    yield Finding("residuals", what, "0", f"{apart:g}", mend, spot, ("kind",))


def check_norms(run: ModelUnderTest) -> Iterator[Finding]:
    """`apply_ln_to_stack` does to the residual stream what the norms of the model do.

    At the end of the model, and before its second layer, where each is the norm of one tensor.
    """
    layers = len(run.kinds)
    norms = {"ln_final.hook_normalized": (f"blocks.{layers - 1}.hook_out", -1)}
    if layers > 1:
        norms["blocks.1.ln1.hook_normalized"] = ("blocks.1.hook_in", 1)
    for name, (before, layer) in norms.items():
        if name not in run.hook or not {before, name} <= run.activations.keys():
            continue  # A missing hook has its finding already.
        stack = run.activations[before][None]
        normalized = run.recorded[1].apply_ln_to_stack(stack, layer=layer)[0]
        run.report.count("norms and patterns")
        apart = difference(normalized, run.activations[name])
        if not apart <= ROUNDED:
            what = "`apply_ln_to_stack` of the residual stream is not what the norm returns"
            mend = "mend the flags that say which norm it is, such as `normalization_type: RMS`"
            yield _note("analyses", run.hook[name], what, ROUNDED, apart, mend)


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
            yield _note("analyses", hook, what, ROUNDED, total, mend)
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
        mixed = pattern @ self.for_heads(values, pattern.shape[1])
        apart = relative(mixed, z)
        self.run.report.count("products")
        if not apart <= SUMMED:
            what = "the pattern by hook_v is not what the output projection takes (hook_z)"
            yield _note("identities", self.pattern, what, SUMMED, apart, _SWAPPED)

    def check_softmax(self, scores: Any, pattern: Any) -> Iterator[Finding]:
        """The pattern is the softmax of the scores; sinks take a share of it."""
        self.run.report.count("products")
        share = pattern / pattern.sum(-1, keepdim=True)
        apart = difference(scores.float().softmax(-1), share.float())
        if not apart <= ROUNDED:
            what, mend = "hook_pattern is not the softmax of hook_attn_scores", "look at both"
            yield _note("identities", self.pattern, what, ROUNDED, apart, mend)

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
            yield _note("identities", self.pattern, what, SUMMED, apart, _SWAPPED)

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
            yield _note("identities", self.pattern, what, SUMMED, apart, _SWAPPED)

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
                yield _note("identities", hook, what, SUMMED, apart, mend)


def check_mlps(run: ModelUnderTest) -> Iterator[Finding]:
    """What goes into the last projection is the activation of `pre`, times `pre_linear`."""
    seen = set[tuple[int | None, str]]()
    for name in run.bridge.hook_dict:
        layer, _, short = run.split(name) if name.startswith("blocks.") else (None, "", name)
        path = short.removesuffix("hook_post")
        if path == short or (layer, path) in seen:
            continue
        seen.add((layer, path))
        pre, linear, post = (
            run.cached(layer, f"{path}hook_{end}") for end in ("pre", "pre_linear", "post")
        )
        act = _activation(run.bridge, layer, path)
        if pre is None or post is None or act is None or pre.shape != post.shape:
            continue
        run.report.count("products")
        one: Any = 1.0 if linear is None else linear
        apart = relative(act(pre) * one, post)
        if apart <= SUMMED:
            continue
        what = f"{path}hook_post is not the activation of hook_pre"
        what += "" if linear is None else ", times hook_pre_linear"
        mend = "look at the paths of the projections"
        if linear is not None and relative(act(linear) * pre, post) <= SUMMED:
            mend += ": the gate and the other one are swapped"
        found = run.hook.get(run.named(layer, f"{path}hook_post"))
        if found is not None:
            yield _note("identities", found, what, SUMMED, apart, mend)


def _activation(bridge: Any, layer: int | None, path: str) -> Callable[[Any], Any] | None:
    """The function that HF's module applies; None if it has none, or several."""
    around = bridge if layer is None else bridge.blocks[layer]
    for part in path.rstrip(".").split("."):
        around = getattr(around, part, None)
    module = getattr(around, "original_component", None)
    names = ("act_fn", "act", "activation_fn", "activation", "activation_func", "gelu_impl")
    found = [getattr(module, name) for name in names if callable(getattr(module, name, None))]
    return found[0] if len(found) == 1 else None


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
            yield _note("identities", hook, what, SUMMED, apart, mend)
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
        yield _note("identities", hook, what, SUMMED, apart, mend)


def _sum(terms: Sequence[Any], out: Any) -> Any:
    total = torch.zeros_like(out)
    for term in terms:
        total = total + term.reshape(out.shape)
    return total


def _note(check: str, hook: Hook, what: str, allowed: float, apart: float, mend: str) -> Finding:
    return Finding(check, what, f"<= {allowed:g}", f"{apart:g}", mend, at(hook))
