"""On every layer, what its parts return is added to the residual stream, exactly."""

from __future__ import annotations

from collections.abc import Iterator

from .findings import Finding, Spot
from .models import Check, Level, ModelUnderTest, difference

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


CHECKS = (Check("residuals", check_residuals, Level.RUN),)
