"""A lock of two releases, in which the attention of a small model changed."""

from __future__ import annotations

from adaptergen.lock.entry import Entry, Hook, Kind, Model, Module
from adaptergen.lock.store import Lock


def entry(state: str = "live") -> Entry:
    """An entry with one layer of one kind."""
    return Entry(
        model=Model(cls="transformers.models.x.modeling_x.XForCausalLM", config="transformers.X"),
        kinds={"layer": Kind(layers=(0, 1))},
        modules={"layer": {"attn": Module(cls="x.XAttention", component="attn")}},
        hooks={"layer": {"attn.hook_out": Hook(state=state, shape="[batch, pos]", rms=0.5)}},
        order=("layer/attn.hook_out",),
    )


def lock() -> Lock:
    """Two releases."""
    entries = {"5.9.0/4.3.0": entry(), "5.10.0/4.3.0": entry("silent")}
    return Lock("specs/x.yaml", "XForCausalLM", entries)
