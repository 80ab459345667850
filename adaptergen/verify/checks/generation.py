"""Greedy tokens equal to HF's: with a cache, without, and in a left-padded batch."""

from __future__ import annotations

from typing import Any

import torch

from adaptergen.verify.findings import Finding, Spot
from adaptergen.verify.reference import Reference, continue_without_cache
from adaptergen.verify.subject import Subject, attributes


def check_generation(subject: Subject, reference: Reference) -> None:
    """Continue every prompt."""
    bridge, work = subject.bridge, reference.work
    if subject.plan.spec.cache:
        _check_cache(subject, work.tokens)
    for length, expected in reference.greedy.items():
        actual = _generate(bridge, expected[:, :length], work.new_tokens)
        _compare(subject, "with_cache", f"a prompt of {length}", actual, expected, length)
    if reference.uncached is not None:
        first, expected = min(work.lengths), reference.uncached
        actual = continue_without_cache(
            lambda tokens: bridge(tokens, use_cache=False),
            expected[:, :first],
            expected.shape[1] - first,
        )
        _compare(subject, "without_cache", f"a prompt of {first}", actual, expected, first)
    if reference.padded is not None:
        tokens, mask, expected = reference.padded
        actual = _generate(bridge, tokens, work.new_tokens, attention_mask=mask)
        what = f"left-padded prompts of {min(work.padded)} to {max(work.padded)}"
        _compare(subject, "left_padded", what, actual, expected, tokens.shape[1])


def _check_cache(subject: Subject, prompt: Any) -> None:
    """One generation makes one cache, and every token but the last goes through it."""
    bridge, made = subject.bridge, []
    make = bridge.adapter.create_stateful_cache

    def make_and_keep(**options: Any) -> Any:
        made.append(make(**options))
        return made[-1]

    with attributes(bridge.adapter, create_stateful_cache=make_and_keep):
        _generate(bridge, prompt, 3)
    held, expected = [cache.get_seq_length() for cache in made], [prompt.shape[1] + 2]
    if held != expected:
        what, mend = "tokens in the caches of one generation", "mend `cache:`"
        spot = Spot(file=subject.target.source.path, line=subject.target.line("cache"))
        subject.find(Finding("generation", what, str(expected), str(held), mend, spot))


def _generate(bridge: Any, prompt: Any, new_tokens: int, **options: Any) -> Any:
    return bridge.generate(
        prompt,
        max_new_tokens=new_tokens,
        do_sample=False,
        stop_at_eos=False,
        verbose=False,
        **options,
    )


def _compare(
    subject: Subject, way: str, prompt: str, actual: Any, expected: Any, length: int
) -> None:
    equal = torch.equal(actual, expected)
    generation = subject.sheet.generation
    generation[way] = equal and generation.get(way, True)
    subject.sheet.count("generated tokens", expected[:, length:].numel())
    if equal:
        return
    if actual.shape != expected.shape:
        told, measured = f"{tuple(expected.shape)}", f"{tuple(actual.shape)}"
    else:
        row, place = (actual != expected).nonzero()[0].tolist()
        told = f"token {expected[row, place]} after {place} in row {row}"
        measured = f"token {actual[row, place]}"
    uses_cache = way != "without_cache"
    mend = "look at what the cache holds" if uses_cache else "mend what parity finds first"
    what = f"greedy tokens of {prompt} differ from HF's ({way})"
    spot = Spot()
    if uses_cache and subject.plan.spec.cache:
        spot = Spot(file=subject.target.source.path, line=subject.target.line("cache"))
    subject.find(Finding("generation", what, told, measured, mend, spot))
