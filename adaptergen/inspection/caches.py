"""The cache that generation makes, and what it keeps of each kind of layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from adaptergen.facts import CacheFacts, CacheLayer
from adaptergen.inspection import runs
from adaptergen.inspection.dims import POS, Sizes
from adaptergen.inspection.failures import reason
from adaptergen.inspection.names import qualified
from adaptergen.inspection.places import Layout
from adaptergen.inspection.values import Run


def cache_facts(layout: Layout, sizes: Sizes) -> CacheFacts:
    """What is left after two greedy tokens."""
    model = layout.model
    ids = runs.tokens(model)
    generate = getattr(model, "generate", None)
    if generate is None or not hasattr(model, "prepare_inputs_for_generation"):
        return CacheFacts(error="the class has no generation")
    try:
        with torch.no_grad():
            output = generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=2, min_new_tokens=2,
                do_sample=False, use_cache=True, return_dict_in_generate=True, pad_token_id=0,
            )  # fmt: skip
    except Exception as error:  # code of transformers may raise anything
        return CacheFacts(error=reason(error))
    _, cache = runs.kept(output)
    if cache is None:
        return CacheFacts()
    run = Run(sizes, len(ids), 1, POS)
    made = [
        _layer(kind.name, cache, i, run.inside(kind.name))
        for kind in layout.kinds
        for i in kind.layers
    ]
    layers = {layer.model_dump_json(): layer for layer in made}
    return CacheFacts(
        cls=qualified(type(cache)), layers=tuple(layers[text] for text in sorted(layers))
    )


def _layer(kind: str, cache: Any, index: int, run: Run) -> CacheLayer:
    held = getattr(cache, "layers", None)
    if isinstance(held, list):
        if index >= len(held):
            return CacheLayer(kind=kind, cls="")
        states = dict(_tensors(vars(held[index])))
        return _facts(kind, qualified(type(held[index])), states, run)
    if isinstance(cache, (list, tuple)):
        item = cache[index] if index < len(cache) else ()
        parts = item if isinstance(item, (list, tuple)) else (item,)
        return _facts(kind, "", dict(_tensors({str(i): p for i, p in enumerate(parts)})), run)
    states = {}
    for name, value in vars(cache).items():
        if isinstance(value, (list, tuple, Mapping)):
            try:
                states.update(_tensors({name: value[index]}))
            except (KeyError, IndexError):
                continue
        elif isinstance(value, torch.Tensor) and value.dim() > 2 and index < len(value):
            states[name] = value[index]
    return _facts(kind, "", states, run)


def _facts(kind: str, cls: str, states: Mapping[str, torch.Tensor], run: Run) -> CacheLayer:
    shapes = {name: run.shape(states[name]) for name in sorted(states)}
    return CacheLayer(kind=kind, cls=cls, states=shapes)


def _tensors(held: Mapping[str, Any]) -> Iterator[tuple[str, torch.Tensor]]:
    for name, value in held.items():
        if isinstance(value, torch.Tensor) and value.dim() > 1:
            yield name, value
        elif isinstance(value, (list, tuple)):
            yield from _tensors({f"{name}.{i}": item for i, item in enumerate(value)})
        elif isinstance(value, Mapping):
            yield from _tensors({f"{name}.{key}": item for key, item in value.items()})


def attention(model: Any) -> tuple[str, tuple[str, ...]]:
    """The implementation of attention that a model takes, and those that its class says it has."""
    flags = {
        "sdpa": ("_supports_sdpa",),
        "flash_attention_2": ("_supports_flash_attn", "_supports_flash_attn_2"),
        "flex_attention": ("_supports_flex_attn",),
    }
    has = [n for n, names in flags.items() if any(getattr(model, f, False) for f in names)]
    return str(model.config._attn_implementation or ""), tuple(sorted([*has, "eager"]))
