"""What TransformerLens computes from hooks: norms of what is not whole, patterns, slices."""

from __future__ import annotations

from math import prod
from typing import Any

from adaptergen.verify.promises import Promise
from adaptergen.verify.subject import Subject, difference

#: Float32 rounds otherwise in another order of the same operations.
WITHIN = 1e-5


def check_norms(subject: Subject, cache: Any) -> None:
    """`apply_ln_to_stack` does to the residual stream what the norms of the model do.

    At the end of the model, and before its second layer, where each is the norm of one tensor.
    """
    layers = len(subject.kinds)
    norms = {"ln_final.hook_normalized": (f"blocks.{layers - 1}.hook_out", -1)}
    if layers > 1:
        norms["blocks.1.ln1.hook_normalized"] = ("blocks.1.hook_in", 1)
    for promise in subject.promised:
        before, layer = norms.get(promise.name, ("", 0))
        if before not in cache.cache_dict or promise.name not in cache.cache_dict:
            continue  # A missing hook has its finding already.
        normalized = cache.apply_ln_to_stack(cache[before][None], layer=layer)[0]
        what = "`apply_ln_to_stack` of the residual stream is not what the norm returns"
        mend = "mend the flags that say which norm it is, such as `normalization_type: RMS`"
        _compare(subject, promise, difference(normalized, cache[promise.name]), what, mend)


def check_patterns(subject: Subject, cache: Any) -> None:
    """The weights that a token gives to those before it sum to one."""
    for promise in subject.promised:
        if promise.row.name == "attn.hook_pattern" and promise.name in cache.cache_dict:
            apart = (cache[promise.name].sum(-1) - 1).abs().max().item()
            what, mend = "attention weights do not sum to one", "look at which tensor it holds"
            _compare(subject, promise, apart, what, mend)


def check_slices(subject: Subject, tokens: Any, cache: Any) -> None:
    """With `pos_slice`, a cache holds of each hook what belongs to one position."""
    if "pos_slice" not in subject.plan.abilities:
        return
    batch, pos = tokens.shape
    # The first, which is there also where another axis is taken for that of positions.
    sliced = subject.bridge.run_with_cache(tokens[:1], pos_slice=0)[1].cache_dict
    for promise in subject.promised:
        whole, part = cache.cache_dict.get(promise.name), sliced.get(promise.name)
        at = promise.row.pos_axis
        if at is None or whole is None or part is None:
            continue  # It has no positions, or its finding already.
        if whole.shape != subject.shape(promise, batch, pos):
            continue
        sizes = [size for size in subject.shape(promise, 1, pos) if size is not None]
        expected, measured = prod([*sizes[:at], *sizes[at + 1 :]]), part.numel()
        subject.sheet.count("slices")
        if measured != expected:
            what = "`pos_slice` does not leave one position of the hook"
            mend = "write its shape so that TransformerLens finds the positions in it"
            subject.find(promise.finding("slices", what, str(expected), str(measured), mend))


def _compare(subject: Subject, promise: Promise, apart: float, what: str, mend: str) -> None:
    subject.sheet.count("norms and patterns")
    if not apart <= WITHIN:
        subject.find(promise.finding("analyses", what, f"<= {WITHIN:g}", f"{apart:g}", mend))
