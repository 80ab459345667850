"""What TransformerLens' analyses take for a norm is what the norm returns."""

from __future__ import annotations

from collections.abc import Iterator

from .findings import Finding
from .models import ROUNDED, Check, Level, ModelUnderTest, difference, too_far


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
            yield too_far("analyses", run.hook[name], what, ROUNDED, apart, mend)


CHECKS = (Check("norms", check_norms, Level.TINY),)
