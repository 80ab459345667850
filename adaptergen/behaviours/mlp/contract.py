"""What the hooks of an MLP hold: the activation of one projection, times the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ...contract.findings import Finding
from ...contract.models import SUMMED, Check, Level, ModelUnderTest, relative, too_far


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
            yield too_far("identities", found, what, SUMMED, apart, mend)


def _activation(bridge: Any, layer: int | None, path: str) -> Callable[[Any], Any] | None:
    """The function that HF's module applies; None if it has none, or several."""
    around = bridge if layer is None else bridge.blocks[layer]
    for part in path.rstrip(".").split("."):
        around = getattr(around, part, None)
    module = getattr(around, "original_component", None)
    names = ("act_fn", "act", "activation_fn", "activation", "activation_func", "gelu_impl")
    found = [getattr(module, name) for name in names if callable(getattr(module, name, None))]
    return found[0] if len(found) == 1 else None


CHECKS = (Check("mlps", check_mlps, Level.TINY),)
