"""Models of transformers, and the bridge around one. Imports torch."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import torch
import transformers
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.sources import _bridge_builder

from adaptergen.problems import quote, suggestion
from adaptergen.verify.findings import Disagreement, Finding, Spot
from adaptergen.verify.target import Target


def hf_class(target: Target) -> Any:
    """The class of transformers that the spec is about."""
    return getattr(transformers, target.plan.spec.architecture)


def hf_config(target: Target, fields: Mapping[str, Any]) -> Any:
    """A config with these fields; attention is eager, as TransformerLens sets it."""
    # As in a file: lists, not tuples.
    plain = {key: list(v) if isinstance(v, tuple) else v for key, v in fields.items()}
    return hf_class(target).config_class(**{**plain, "attn_implementation": "eager"})


def config_of_file(target: Target, fields: Mapping[str, Any]) -> Any:
    """The same for the fields of a config.json, which may be those of an older release."""
    return hf_class(target).config_class.from_dict(dict(fields), attn_implementation="eager")


def random_model(target: Target, config: Any, dtype: str = "float32", device: str = "cpu") -> Any:
    """A model with random weights, the same each time; on `meta` without any."""
    before = torch.get_default_dtype()
    # Told of what is made elsewhere only: being told costs each operation.
    elsewhere = nullcontext() if device == "cpu" else torch.device(device)
    # So that the caller's random numbers stay what they were.
    with torch.random.fork_rng(devices=[]), elsewhere:
        torch.manual_seed(0)
        torch.set_default_dtype(getattr(torch, dtype))
        try:
            return hf_class(target)(config).eval()
        finally:
            torch.set_default_dtype(before)


def bridge_config(target: Target, model: Any, name: str) -> Any:
    """The config that TransformerLens makes of a model's, before an adapter has a say."""
    architecture = target.plan.spec.architecture
    return _bridge_builder.build_bridge_config_from_hf(
        model.config, architecture, name, model.dtype
    )


def wrap(target: Target, model: Any, name: str) -> Any:
    """The bridge around a model, with the target's adapter. The model is changed in place."""
    adapter = target.adapter(bridge_config(target, model, name))
    # Where weights are offloaded, the first parameter has no device to run on.
    adapter.cfg.device = str(model.device) if model.device.type != "meta" else "cpu"
    adapter.prepare_model(model)
    return TransformerBridge(model, adapter, tokenizer=None)


def layer_kinds(target: Target, model: Any) -> list[str]:
    """The kind of each layer of a model that is not wrapped, as HF's blocks tell it.

    A layer that the spec has no kind for is told as HF tells it. Raises `Disagreement` if HF's
    blocks do not tell it as the spec says.
    """
    blocks = list(model.get_submodule(target.plan.block.path))
    told = target.plan.spec.blocks.kind
    if not target.plan.kinds:
        return ["layer"] * len(blocks)
    if told is None:
        return [_held(target, block) for block in blocks]
    former = {old: kind.name for kind in target.plan.kinds for old in kind.formerly}
    names = [_told(target, block, told.attribute) for block in blocks]
    return [former.get(name, name) for name in names]


def _told(target: Target, block: Any, attribute: str) -> str:
    """What a block says that it is. Raises `Disagreement`."""
    if not hasattr(block, attribute):
        what = f"{quote(type(block).__name__)} has no attribute {quote(attribute)}"
        known = [name for name in vars(block) if not name.startswith("_")]
        mend = suggestion(attribute, known) or "look the attribute up in transformers"
        line = target.line("blocks", "kind", "attribute")
        at = Spot(file=target.source.path, line=line)
        raise Disagreement(Finding("kinds", what, attribute, "nothing", mend, at))
    return str(getattr(block, attribute))


def _held(target: Target, block: Any) -> str:
    names = {name for name, _ in block.named_modules()}
    return next((kind.name for kind in target.plan.kinds if kind.holds in names), "unknown")
