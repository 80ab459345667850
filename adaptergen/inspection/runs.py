"""Forwards of a tiny model: what goes in, in which scenario."""

from __future__ import annotations

import inspect
from typing import Any

import torch

from adaptergen.inspection.dims import BATCH, POS

#: How models call what they keep between forwards, in their output and their arguments.
CACHES = ("cache", "past_key_values", "cache_params", "state", "mems", "past_buckets_states")

#: Tokens of padding in the first sequence of a padded batch.
PADDING = 4


def plain(model: Any) -> Any:
    """A forward without a cache."""
    return forward(model, tokens(model), use_cache=False)


def with_cache(model: Any) -> None:
    """A prompt and a token after it, as far as the model keeps a cache; raises what it raises."""
    ids = tokens(model)
    name, cache = kept(forward(model, ids, use_cache=True))
    if name:
        forward(model, ids[:, -1:], use_cache=True, **{name: cache})


def tokens(model: Any, number: int = POS) -> torch.Tensor:
    """Tokens, none of them special: [batch, pos], or [batch * codebooks, pos] for audio."""
    rows = BATCH * int(getattr(model, "num_codebooks", 1))
    # The vocabulary of a model that is given may be smaller than that of one made here.
    known = getattr(model.config, "vocab_size", None)
    most = min(80, known - 5) if isinstance(known, int) and known > 5 else 80
    flat = torch.arange(rows * number) * 7 % most + 5
    return flat.reshape(rows, number)


def forward(model: Any, ids: torch.Tensor, **arguments: Any) -> Any:
    """The output for token ids, with those arguments that the model takes."""
    taken = inspect.signature(type(model).forward).parameters
    free = any(p.kind is p.VAR_KEYWORD for p in taken.values())
    chosen = {
        name: value
        for name, value in arguments.items()
        if name in taken or (free and name != "use_cache")
    }
    with torch.no_grad():
        return model(input_ids=ids, **chosen)


def kept(output: Any) -> tuple[str, Any]:
    """The name and value of the cache in an output; ("", None) without one."""
    for name in CACHES:
        value = getattr(output, name, None)
        if value is not None:
            return name, value
    return "", None


def padding_mask(ids: torch.Tensor) -> torch.Tensor:
    """The attention mask of a batch whose first sequence starts with padding."""
    mask = torch.ones_like(ids)
    mask[0, :PADDING] = 0
    return mask
