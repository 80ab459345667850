"""The logits of HF, and what a lock keeps of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from adaptergen.contract.reference import cache_argument, new_cache, random_tokens
from adaptergen.lock.entry import Logits

BATCH, POS = 2, 9
#: The runs in which an adapter is compared with HF.
PROMPT, DECODE = "a prompt", "a decode step"

#: That many logits tell one computation from another.
_KEPT = 3


@contextmanager
def noted(model: Any) -> Iterator[list[Any]]:
    """The logits of each forward that does not raise, in a block; None for one without logits."""
    found: list[Any] = []
    handle = model.register_forward_hook(
        lambda _module, _args, output: found.append(getattr(output, "logits", None))
    )
    try:
        yield found
    finally:
        handle.remove()


def kept(logits: Mapping[str, Any]) -> dict[str, Logits]:
    """What tells logits from those of another computation, to four digits."""
    return {
        scenario: Logits(
            shape=f"[{', '.join(map(str, found.shape))}]",
            dtype=str(found.dtype).removeprefix("torch."),
            first=tuple(float(f"{value:.4g}") for value in found[0, -1, :_KEPT].tolist()),
        )
        for scenario, found in logits.items()
        if found is not None
    }


def tokens_of(config: Any) -> Any:
    """Token ids for a model with this config, `[batch, pos]`."""
    return random_tokens(config.vocab_size, BATCH, POS)


def expected(model: Any) -> dict[str, Any]:
    """The logits of a model that is not wrapped yet, by run."""
    tokens, cached = tokens_of(model.config), {cache_argument(model): new_cache(model.config)}
    return {
        run: model(part, use_cache=True, **cached).logits
        for run, part in ((PROMPT, tokens), (DECODE, tokens[:, -1:]))
    }
