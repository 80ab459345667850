"""The residual stream: a layer adds to it what its components return."""

from __future__ import annotations

from typing import Any

from adaptergen.verify.findings import Finding, Spot
from adaptergen.verify.subject import Subject, difference

#: What is before, what is added, what is after; by the name that a block with such a sum has.
SUMS = {
    "hook_mixer_out": [("hook_resid_pre", "hook_mixer_out", "hook_resid_post")],
    "hook_resid_mid": [
        ("hook_resid_pre", "hook_attn_out", "hook_resid_mid"),
        ("hook_resid_mid", "hook_mlp_out", "hook_resid_post"),
    ],
}


def check_residuals(subject: Subject, cache: Any) -> None:
    """On every layer, before + added = after, exactly."""
    names = subject.bridge.hook_dict
    aliases = subject.plan.block.aliases
    sums = [each for name, told in SUMS.items() if name in aliases for each in told]
    for layer, kind in enumerate(subject.kinds):
        for hooks in sums:
            points = [names.get(f"blocks.{layer}.{hook}") for hook in hooks]
            found = [cache.cache_dict.get(point.name) for point in points if point is not None]
            if len(found) < 3 or any(tensor is None for tensor in found):
                continue  # A missing hook has its finding already.
            before, added, after = found
            apart = difference(before + added, after)
            subject.sheet.count("residuals")
            if apart:
                what, mend = f"the layer does not add {hooks[1]} to {hooks[0]}", "mend the path"
                spot = Spot.of(subject.node(kind), layer, kind, hooks[1])
                subject.find(Finding("residuals", what, "0", f"{apart:g}", mend, spot))
