"""What HF computes, taken before a bridge takes the model over, so that one model is enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from adaptergen.verify.subject import new_cache
from adaptergen.verify.target import Target


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


@dataclass(frozen=True)
class Reference:
    """HF's answers: `[batch, pos, vocabulary]` logits, residuals after layers, tokens, states.

    `uncached_logits` are of a run without a cache: keys and values that a cache has copied lie
    otherwise in memory, and HF's own sums may round otherwise. `greedy` maps the length of a prompt
    to prompt and continuation; `uncached` continues the shortest prompt without a cache, `padded`
    is tokens, mask and continuation. `states` holds the recurrent states of each layer after a
    prompt of each length.
    """

    work: Work
    logits: Any
    uncached_logits: Any
    step_logits: Any
    residuals: list[Any]
    greedy: dict[int, Any]
    uncached: Any
    padded: tuple[Any, Any, Any] | None
    states: dict[int, list[Any]] = field(default_factory=dict)


def random_tokens(vocabulary: int, batch: int, pos: int, seed: int = 0) -> Any:
    """Token ids, the same each time; the lowest are left to special tokens."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, vocabulary, (batch, pos), generator=generator)


def take_reference(
    target: Target, model: Any, work: Work, state_lengths: Sequence[int] = ()
) -> Reference:
    """Run HF's model, which is not wrapped yet."""
    residuals: list[Any] = []
    with _outputs(model.get_submodule(target.plan.block.path), residuals):
        logits = model(work.tokens).logits
    greedy, uncached = _greedy(model, work)
    return Reference(
        work=work,
        logits=logits,
        uncached_logits=model(work.tokens, use_cache=False).logits,
        step_logits=_step(model, work.tokens),
        residuals=residuals,
        greedy=greedy,
        uncached=uncached,
        padded=_padded(model, work) if work.padded else None,
        states={length: _states(model, work.tokens[:, :length]) for length in state_lengths},
    )


def continue_without_cache(run: Any, prompt: Any, new_tokens: int) -> Any:
    """Prompt and greedy continuation; `run` gives the logits of tokens."""
    for _ in range(new_tokens):
        prompt = torch.cat([prompt, run(prompt)[:, -1:].argmax(-1)], dim=1)
    return prompt


def _greedy(model: Any, work: Work) -> tuple[dict[int, Any], Any]:
    first, last = min(work.lengths), max(work.lengths)
    if work.chained:
        # Of its start each prompt is one, so without a cache one continuation is all of them.
        whole = _generate(model, work.tokens[:, :first], work.new_tokens + last - first)
        greedy = {length: whole[:, : length + work.new_tokens] for length in work.lengths}
        return greedy, whole if work.uncached else None
    greedy = {n: _generate(model, work.tokens[:, :n], work.new_tokens) for n in work.lengths}
    if not work.uncached:
        return greedy, None

    def run(tokens: Any) -> Any:
        return model(tokens, use_cache=False).logits

    return greedy, continue_without_cache(run, work.tokens[:, :first], work.new_tokens)


def _generate(model: Any, prompt: Any, new_tokens: int, mask: Any = None) -> Any:
    return model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt) if mask is None else mask,
        max_new_tokens=new_tokens,
        do_sample=False,
        eos_token_id=None,
    )


def _padded(model: Any, work: Work) -> tuple[Any, Any, Any]:
    longest = max(work.padded)
    tokens = work.tokens[:1, :longest].repeat(len(work.padded), 1)
    # Rows of different tokens, or one row's mistake could be another's answer.
    tokens = torch.stack([row.roll(shift) for shift, row in enumerate(tokens)])
    mask = torch.stack([(torch.arange(longest) >= longest - n).long() for n in work.padded])
    mask = mask.to(tokens.device)
    return tokens, mask, _generate(model, tokens, work.new_tokens, mask)


def _step(model: Any, tokens: Any) -> Any:
    """Logits of the last token, after a cache was filled with those before it."""
    state = new_cache(model.config)
    model(tokens[:, :-1], past_key_values=state, use_cache=True)
    return model(tokens[:, -1:], past_key_values=state, use_cache=True).logits


def _states(model: Any, prompt: Any) -> list[Any]:
    state = new_cache(model.config)
    model(prompt, past_key_values=state, use_cache=True)
    found = [getattr(layer, "recurrent_states", None) for layer in state.layers]
    # Releases differ in whether a layer has one state or a list of them.
    return [s if s is None or isinstance(s, torch.Tensor) else s[0] for s in found]


@contextmanager
def _outputs(blocks: Any, found: list[Any]) -> Iterator[None]:
    def keep(_module: Any, _args: Any, output: Any) -> None:
        found.append((output[0] if isinstance(output, tuple) else output).detach())

    handles = [block.register_forward_hook(keep) for block in blocks]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
