"""What a model of transformers answers, and a bridge around a copy of it.

Both run the same prompts: with and without a cache, step by step, and generation. Where the model
disagrees with itself, that is told as a finding about transformers.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch

from adaptergen.contract.models import attributes, difference, quiet, relative
from adaptergen.contract.reference import random_tokens
from adaptergen.coverage import Continuation
from adaptergen.inspection.fault_isolation import reason
from adaptergen.inspection.runs import cache_of

BATCH, POS = 2, 9
#: Decode steps after a cached prompt; tokens of a prompt and of its continuation.
STEPS, PROMPT, NEW = 3, 5, 6

#: Sums in another order, of logits up to 1: what float32 rounds in a model of few layers.
_ROUNDED = 1e-3


@dataclass(frozen=True)
class Runs:
    """Logits by the way of running, tokens by the way of generating, and why one is missing."""

    logits: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


def tokens_of(model: Any) -> Any:
    """Token ids, `[batch, pos]`, or `[batch * codebooks, pos]` for audio."""
    known = getattr(model.config.get_text_config(), "vocab_size", None)
    most = min(known, 100) if isinstance(known, int) else 100
    return random_tokens(most, BATCH * int(getattr(model, "num_codebooks", 1)), POS)


def options_of(model: Any, **options: Any) -> dict[str, Any]:
    """Those arguments that the forward of a model takes; of an encoder-decoder with a second text.

    What is passed on by a forward that takes any argument may end where nothing takes it.
    """
    taken = inspect.signature(type(model).forward).parameters
    found = {name: value for name, value in options.items() if name in taken}
    if getattr(model.config, "is_encoder_decoder", False) and "decoder_input_ids" in taken:
        found["decoder_input_ids"] = tokens_of(model).flip(-1)
    return found


@contextmanager
def seeded() -> Iterator[None]:
    """Random numbers are the same each time: some models hash tokens by them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


class Runner:
    """Runs a model, or the bridge around one, and keeps the cache that each forward returns."""

    def __init__(self, model: Any, bridge: Any = None) -> None:
        self.model, self.bridge = model, bridge
        self._output: Any = None

    def __call__(self, tokens: Any, **options: Any) -> Any:
        """The logits."""
        with self._noted(), quiet(), seeded():
            if self.bridge is None:
                self.model(input_ids=tokens, **options)
            else:
                return self.bridge(tokens, **options)
        return self._output.logits

    def cache(self) -> dict[str, Any]:
        """The cache that the last forward returned, as an argument of the next; or nothing."""
        return cache_of(self._output)

    @contextmanager
    def _noted(self) -> Iterator[None]:
        def keep(module: Any, args: Any, output: Any) -> None:
            self._output = output

        handle = self.model.register_forward_hook(keep)
        try:
            yield
        finally:
            handle.remove()

    def generate(self, prompt: Any, cached: bool) -> Any:
        """Prompt and greedy continuation, as the model or the bridge generates."""
        with quiet():
            if self.bridge is not None:
                # Where a model has states, TransformerLens asks a tokenizer what pads.
                with attributes(self.bridge, _tokenizer=SimpleNamespace(eos_token_id=0)):
                    return self.bridge.generate(
                        prompt, max_new_tokens=NEW, do_sample=False, stop_at_eos=False,
                        verbose=False, use_past_kv_cache=cached, return_type="tokens",
                    )  # fmt: skip
            return self.model.generate(
                prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=NEW, do_sample=False,
                num_beams=1, eos_token_id=None, pad_token_id=0, use_cache=cached,
            )  # fmt: skip


def run_all(runner: Runner, generates: bool) -> Runs:
    """Every way of running; one that raises stops no other."""
    found = Runs()
    tokens = tokens_of(runner.model)
    ways: dict[str, Callable[[], Any]] = {
        "plain": lambda: runner(tokens, **options_of(runner.model, use_cache=False)),
    }
    if "use_cache" in inspect.signature(type(runner.model).forward).parameters:
        ways["cached"] = lambda: runner(tokens, **options_of(runner.model, use_cache=True))
        ways["decode"] = lambda: steps(runner, tokens)
    for way, run in ways.items():
        _attempt(way, run, found.logits, found.errors)
    if generates:
        prompt = tokens[:, :PROMPT]
        for way, cached in (("with_cache", True), ("without_cache", False)):
            run = partial(runner.generate, prompt, cached)
            _attempt(way, run, found.tokens, found.errors)
    return found


def _attempt(
    way: str, run: Callable[[], Any], found: dict[str, Any], errors: dict[str, str]
) -> None:
    try:
        result = run()
    except Exception as error:  # models and bridges may raise anything
        errors[way] = reason(error)
        return
    if result is not None:
        found[way] = result


def steps(runner: Runner, tokens: Any) -> Any:
    """The logits of the last tokens, one after the other, with a cache; None without a cache."""
    options = options_of(runner.model, use_cache=True)
    whole = options.pop("decoder_input_ids", None)
    texts = tokens if whole is None else whole

    def step(part: Any, cache: Mapping[str, Any]) -> Any:
        if whole is None:
            return runner(part, **options, **cache)
        return runner(tokens, decoder_input_ids=part, **options, **cache)

    step(texts[:, :-STEPS], {})
    logits = []
    for place in range(texts.shape[1] - STEPS, texts.shape[1]):
        cache = runner.cache()
        if not cache:
            return None
        logits.append(step(texts[:, place : place + 1], cache))
    return torch.cat(logits, dim=1)


def greedy(runner: Runner, prompt: Any, cached: bool) -> Any:
    """Prompt and greedy continuation by forwards alone, as a user would write it."""
    options = options_of(runner.model, use_cache=cached)
    part, whole, cache = prompt, prompt, dict[str, Any]()
    for _ in range(NEW):
        token = runner(part, **options, **cache)[:, -1:].argmax(-1)
        whole = torch.cat([whole, token], dim=1)
        cache = runner.cache() if cached else {}
        part = token if cache else whole
    return whole


def of_hf(model: Any, runs: Runs) -> list[str]:
    """What transformers does not agree with itself about, or raises, in a sentence each."""
    found = [f"transformers raises in a run ({way}): {why}" for way, why in runs.errors.items()]
    whole, steps = runs.logits.get("plain"), runs.logits.get("decode")
    if whole is not None and steps is not None:
        apart = relative(steps, whole[:, -STEPS:])
        if not apart <= _ROUNDED:
            told = "logits of decode steps are not those of a plain run"
            found.append(f"transformers disagrees with itself: {told} ({apart:.1g} apart)")
    if not runs.tokens or "decoder_input_ids" in options_of(model):
        return found
    prompt = tokens_of(model)[:, :PROMPT]
    for way, cached in (("with_cache", True), ("without_cache", False)):
        if way in runs.tokens and not torch.equal(runs.tokens[way], manual(model, prompt, cached)):
            told = f"its generate ({way}) gives other tokens than its forward, token by token"
            found.append(f"transformers disagrees with itself: {told}")
    return found


def manual(model: Any, prompt: Any, cached: bool) -> Any:
    """What a loop over the model's own forward continues with; an empty tensor if it raises."""
    try:
        return greedy(Runner(model), prompt, cached)
    except Exception:  # models may raise anything
        return prompt[:, :0]


def compared(model: Any, expected: Runs, actual: Runs) -> dict[str, Continuation]:
    """How the bridge continues a prompt, by the way of generating, where the model does so."""
    prompt, found = tokens_of(model)[:, :PROMPT], dict[str, Continuation]()
    for way, wanted in expected.tokens.items():
        made = actual.tokens.get(way)
        if made is None:
            found[way] = "raises"
        elif torch.equal(made, wanted):
            found[way] = "as generate"
        elif torch.equal(made, manual(model, prompt, way == "with_cache")):
            found[way] = "as forward"
        else:
            found[way] = "other"
    return found


def apart(expected: Runs, actual: Runs) -> dict[str, float]:
    """The largest difference of logits by the way of running, where the model itself has some.

    Infinite where the bridge raises.
    """
    return {
        way: difference(actual.logits[way], logits) if way in actual.logits else float("inf")
        for way, logits in expected.logits.items()
    }
