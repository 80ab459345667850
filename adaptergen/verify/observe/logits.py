"""The logits of HF in a few runs, and what a lock keeps of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from adaptergen.lock.entry import Logits
from adaptergen.verify.reference import random_tokens
from adaptergen.verify.subject import new_cache

BATCH, POS = 2, 9
#: Tokens of padding in the first row of a padded batch.
PADDING = 4
#: The runs.
PROMPT, DECODE, PADDED = "prompt", "decode", "padded"

#: That many logits tell one computation from another.
_KEPT = 3


def tokens_of(config: Any) -> Any:
    """Token ids for a model with this config, `[batch, pos]`."""
    return random_tokens(config.vocab_size, BATCH, POS)


def logits_of(model: Any) -> dict[str, Any]:
    """The logits of a model that is not wrapped, by run; a run that raises is left out."""
    tokens, state = tokens_of(model.config), new_cache(model.config)
    mask = torch.ones_like(tokens)
    mask[0, :PADDING] = 0
    runs = {
        PROMPT: {"input_ids": tokens, "past_key_values": state, "use_cache": True},
        DECODE: {"input_ids": tokens[:, -1:], "past_key_values": state, "use_cache": True},
        PADDED: {"input_ids": tokens, "attention_mask": mask},
    }
    found = {}
    for run, arguments in runs.items():
        try:
            found[run] = model(**arguments).logits
        except Exception:  # code of transformers may raise anything; what it raises is a fact too
            continue
    return found


def kept(logits: Mapping[str, Any]) -> dict[str, Logits]:
    """What tells logits from those of another computation, to four digits."""
    return {
        run: Logits(
            shape=f"[{', '.join(map(str, found.shape))}]",
            dtype=str(found.dtype).removeprefix("torch."),
            first=tuple(float(f"{value:.4g}") for value in found[0, -1, :_KEPT].tolist()),
        )
        for run, found in logits.items()
    }
