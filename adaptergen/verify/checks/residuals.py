"""The residual stream: a layer adds to it what its component returns."""

from __future__ import annotations

from typing import Any

from adaptergen.verify.findings import Finding, Spot
from adaptergen.verify.subject import Subject, difference

ALIASES = ("hook_resid_pre", "hook_mixer_out", "hook_resid_post")


def check_residuals(subject: Subject, cache: Any) -> None:
    """For blocks of one component: before + added = after, exactly."""
    if "hook_mixer_out" not in subject.plan.block.aliases:
        return
    names = subject.bridge.hook_dict
    for layer, kind in enumerate(subject.kinds):
        points = [names.get(f"blocks.{layer}.{alias}") for alias in ALIASES]
        if not all(point is not None and point.name in cache.cache_dict for point in points):
            continue  # A missing name has its finding already.
        before, added, after = (cache[point.name] for point in points if point is not None)
        apart = difference(before + added, after)
        subject.sheet.count("residuals")
        if apart:
            what, mend = "the layer does not add what its component returns", "mend the path"
            spot = Spot.of(subject.node(kind), layer, kind, "hook_mixer_out")
            subject.find(Finding("residuals", what, "0", f"{apart:g}", mend, spot))
