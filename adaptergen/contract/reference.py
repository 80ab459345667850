"""What HF computes, taken before a bridge takes the model over, so that one model is enough."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import transformers

BATCH, POS, NEW_TOKENS = 2, 9, 16

_CACHES = ("past_key_values", "cache_params", "state")


def random_tokens(vocabulary: int, batch: int, pos: int, seed: int = 0) -> Any:
    """Token ids, the same each time; the lowest are left to special tokens."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, vocabulary, (batch, pos), generator=generator)


def cache_argument(model: Any) -> str:
    """The argument by which HF's forward takes a cache."""
    parameters = inspect.signature(type(model).forward).parameters
    known = [name for name in _CACHES if name in parameters]
    typed = [name for name, one in parameters.items() if "Cache" in str(one.annotation)]
    return next(iter([*known, *typed]), _CACHES[0])


def uncached(generates: bool) -> dict[str, Any]:
    """The arguments of a run without a cache; none for a model that never has one.

    A model that does not generate, such as an encoder, has no cache, and its forward may take no
    argument that asks for one.
    """
    return {"use_cache": False} if generates else {}


def new_cache(config: Any) -> Any:
    """An empty cache for a model with this config."""
    return transformers.DynamicCache(config=config)


def positions(model: Any, mask: torch.Tensor) -> dict[str, Any]:
    """A mask and the positions that generation derives from it, as arguments of a forward."""
    arguments: dict[str, Any] = {"attention_mask": mask}
    if "position_ids" in inspect.signature(type(model).forward).parameters:
        arguments["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0)
    return arguments


@dataclass(frozen=True)
class Work:
    """What is run: `[batch, pos]` tokens, and prompts that are continued greedily.

    `lengths` are lengths of prompts. If `chained`, a prompt is the start of HF's continuation of
    the shortest, so that HF continues once and not once a prompt: for float32 only, where rounding
    does not choose tokens. `uncached` asks for a continuation without a cache too, and `padded`
    for one of a left-padded batch with a row for each of these lengths.
    """

    tokens: Any
    lengths: Sequence[int]
    new_tokens: int
    chained: bool = False
    uncached: bool = True
    padded: Sequence[int] = ()

    @classmethod
    def of_tiny(cls, vocabulary: int, first: bool) -> Work:
        """For a tiny model: prompts of every length up to `POS`, fewer after the first model."""
        return cls(
            random_tokens(vocabulary, BATCH, POS),
            lengths=(1, POS) if first else (POS,),
            new_tokens=NEW_TOKENS if first else NEW_TOKENS // 2,
            chained=True,
            uncached=first,
            padded=range(1, POS + 1) if first else (),
        )


@dataclass(frozen=True)
class Reference:
    """HF's answers: `[batch, pos, vocabulary]` logits, residuals after layers, and tokens.

    `uncached_logits` are of a run without a cache: keys and values that a cache has copied lie
    otherwise in memory, and HF's own sums may round otherwise. `greedy` maps the length of a prompt
    to prompt and continuation; `uncached` continues the shortest prompt without a cache, `padded`
    is tokens, mask and continuation. A model that does not generate has logits and residuals only.
    """

    work: Work
    logits: Any
    uncached_logits: Any
    step_logits: Any
    residuals: list[Any]
    greedy: dict[int, Any]
    uncached: Any
    padded: tuple[Any, Any, Any] | None


def take_reference(model: Any, blocks: str, work: Work, generates: bool) -> Reference:
    """Run HF's model, which is not wrapped yet."""
    residuals: list[Any] = []
    with _outputs(model.get_submodule(blocks), residuals):
        logits = model(work.tokens).logits
    without_cache = model(work.tokens, **uncached(generates)).logits
    if not generates:
        return Reference(work, logits, without_cache, None, residuals, {}, None, None)
    argument, state = cache_argument(model), new_cache(model.config)
    model(work.tokens[:, :-1], use_cache=True, **{argument: state})
    step = model(work.tokens[:, -1:], use_cache=True, **{argument: state}).logits
    return Reference(
        work=work,
        logits=logits,
        uncached_logits=without_cache,
        step_logits=step,
        residuals=residuals,
        greedy=_greedy(model, work),
        uncached=_uncached(model, work) if work.uncached else None,
        padded=_padded(model, work) if work.padded else None,
    )


def continue_without_cache(run: Callable[[Any], Any], prompt: Any, new_tokens: int) -> Any:
    """Prompt and greedy continuation; `run` gives the logits of tokens."""
    for _ in range(new_tokens):
        prompt = torch.cat([prompt, run(prompt)[:, -1:].argmax(-1)], dim=1)
    return prompt


def generate(model: Any, prompt: Any, new_tokens: int, mask: Any = None, **options: Any) -> Any:
    """Prompt and greedy continuation by HF's own generation."""
    return model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt) if mask is None else mask,
        max_new_tokens=new_tokens,
        do_sample=False,
        eos_token_id=None,
        **options,
    )


def _greedy(model: Any, work: Work) -> dict[int, Any]:
    first, last = min(work.lengths), max(work.lengths)
    if not work.chained:
        return {n: generate(model, work.tokens[:, :n], work.new_tokens) for n in work.lengths}
    # Of its start each prompt is one.
    whole = generate(model, work.tokens[:, :first], work.new_tokens + last - first)
    return {length: whole[:, : length + work.new_tokens] for length in work.lengths}


def _uncached(model: Any, work: Work) -> Any:
    first, last = min(work.lengths), max(work.lengths)

    def run(tokens: Any) -> Any:
        return model(tokens, use_cache=False).logits

    new = work.new_tokens + (last - first if work.chained else 0)
    return continue_without_cache(run, work.tokens[:, :first], new)


def continue_padded(
    model: Any, tokens: Any, mask: Any, new_tokens: int, with_positions: bool
) -> Any:
    """Left-padded prompts and their greedy continuation by HF's forward, without a cache.

    Without positions, the model counts them itself.
    """
    for _ in range(new_tokens):
        given = positions(model, mask) if with_positions else {"attention_mask": mask}
        logits = model(tokens, use_cache=False, **given).logits
        tokens = torch.cat([tokens, logits[:, -1:].argmax(-1)], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
    return tokens


def _padded(model: Any, work: Work) -> tuple[Any, Any, Any]:
    longest = max(work.padded)
    tokens = work.tokens[:1, :longest].repeat(len(work.padded), 1)
    # Rows of different tokens, or one row's mistake could be another's answer.
    tokens = torch.stack([row.roll(shift) for shift, row in enumerate(tokens)])
    mask = torch.stack([(torch.arange(longest) >= longest - n).long() for n in work.padded])
    mask = mask.to(tokens.device)
    return tokens, mask, generate(model, tokens, work.new_tokens, mask)


@contextmanager
def _outputs(blocks: Any, outputs: list[Any]) -> Iterator[None]:
    """Keep what each block returns, without gradients."""

    def keep(_module: Any, _args: Any, output: Any) -> None:
        outputs.append(output[0] if isinstance(output, tuple) else output)

    handles = [block.register_forward_hook(keep) for block in blocks]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
