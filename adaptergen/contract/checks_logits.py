"""What HF computes, held against itself, and then what the bridge computes against that."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from accelerate import cpu_offload

from .findings import Finding, Spot
from .models import ModelUnderTest, attributes, difference, quiet, relative
from .reference import (
    BATCH,
    POS,
    continue_padded,
    continue_without_cache,
    generate,
    positions,
)
from .tables import component

#: Sums in another order, of logits up to 1: what float32 rounds in a model of few layers.
ROUNDED = 1e-3
#: Norms that are folded into the weights after them round less.
FOLDED = 1e-5


def check_hf_itself(run: ModelUnderTest) -> Iterator[Finding]:
    """HF's decode step against its full run, a padded batch against its rows, its generation."""
    model, answers = run.spare, run.answers
    for what, apart in (
        ("a decode step", relative(answers.step_logits[:, -1], answers.logits[:, -1])),
        ("a left-padded batch", _padded_apart(model, answers.padded) if answers.padded else 0.0),
    ):
        run.report.count("runs of HF alone")
        if not apart <= ROUNDED:
            told = f"HF's own logits of {what} are not those of its plain run"
            yield _of_hf(told, f"<= {ROUNDED:g}", f"{apart:g}")
    if answers.work.uncached:
        first, last = min(answers.work.lengths), max(answers.work.lengths)
        cached = answers.greedy[last]
        uncached = generate(model, cached[:, :first], cached.shape[1] - first, use_cache=False)
        run.report.count("runs of HF alone")
        if not torch.equal(uncached, cached):
            told = "HF's own generation gives other tokens without a cache than with one"
            yield _of_hf(told, "the same tokens", "others")
        if not _generates_as_it_computes(run):
            told = "HF's own generation does not give the tokens that its forward makes likeliest"
            yield _of_hf(told, "the same tokens", "others")


def _generates_as_it_computes(run: ModelUnderTest) -> bool:
    """Whether HF's greedy tokens are those of a loop over its forward; so if that is not known."""
    loop, work = run.answers.uncached, run.answers.work
    return loop is None or torch.equal(run.answers.greedy[max(work.lengths)], loop)


def _padded_apart(model: Any, padded: tuple[Any, Any, Any]) -> float:
    tokens, mask, _ = padded
    logits = model(tokens, **positions(model, mask)).logits
    apart = 0.0
    for row, told in enumerate(mask.bool()):
        alone = model(tokens[row : row + 1, told]).logits
        apart = max(apart, relative(logits[row : row + 1, told], alone))
    return apart


def _of_hf(what: str, expected: str, measured: str) -> Finding:
    mend = "that is transformers' own: report it there, or leave this model to other releases"
    return Finding("hf", what, expected, measured, mend)


def check_parity(run: ModelUnderTest) -> Iterator[Finding]:
    """Logits are HF's in the same run: with and without a cache, and while hooks record."""
    bridge, tokens, answers = run.bridge, run.tokens, run.answers
    uncached, _ = bridge.run_with_cache(tokens, **run.without_cache)
    runs = {
        "plain": (bridge(tokens, **run.without_cache), answers.uncached_logits),
        "run_with_cache": (run.recorded[0], answers.logits),
        "run_with_cache_uncached": (uncached, answers.uncached_logits),
    }
    if run.tables.generates:
        runs["with_cache"] = (bridge(tokens, use_cache=True), answers.logits)
    for name, (actual, expected) in runs.items():
        value = difference(actual, expected)
        run.report.parity[name] = value
        if value:
            yield _parity(run, name, value)


def _parity(run: ModelUnderTest, name: str, value: float) -> Finding:
    """The finding, at the first layer whose output is another than HF's."""
    mend = "compare what this layer's component computes with HF's module"
    what = f"logits differ from HF's ({name})"
    spot = Spot()
    for hook in run.hooks:
        if hook.layer is not None and hook.short == "hook_out":
            after, expected = run.activations.get(hook.name), run.answers.residuals[hook.layer]
            if after is not None and difference(after, expected):
                what += f", first after layer {hook.layer}"
                spot = Spot(hook.layer, hook.kind, hook.short)
                break
    about = ("kind",) if spot.kind else ()
    return Finding("parity", what, "0", f"{value:g}", mend, spot, about)


def check_generation(run: ModelUnderTest) -> Iterator[Finding]:
    """Greedy tokens are HF's: with a cache, without, and in a left-padded batch."""
    bridge, answers, work = run.bridge, run.answers, run.answers.work
    if run.tables.cache:
        yield from _check_cache(run)
    for length, expected in answers.greedy.items():
        prompt = expected[:, :length]
        actual = _generate(bridge, prompt, work.new_tokens)
        if work.chained and not torch.equal(actual, expected):
            # What HF chooses to attend to may depend on where the prompt ends.
            expected = generate(run.spare, prompt, work.new_tokens)
        if not torch.equal(actual, expected) and not _generates_as_it_computes(run):
            expected = continue_without_cache(
                lambda tokens: run.spare(tokens, use_cache=False).logits, prompt, work.new_tokens
            )
        told = f"a prompt of {length}"
        yield from _compare(run, "with_cache", told, actual, expected, length)
    if answers.uncached is not None:
        first, expected = min(work.lengths), answers.uncached
        actual = continue_without_cache(
            lambda tokens: bridge(tokens, use_cache=False),
            expected[:, :first],
            expected.shape[1] - first,
        )
        yield from _compare(run, "without_cache", f"a prompt of {first}", actual, expected, first)
    if answers.padded is not None and "left_padding" not in run.tables.lacks:
        tokens, mask, expected = answers.padded
        actual = _generate(bridge, tokens, work.new_tokens, attention_mask=mask)
        if not torch.equal(actual, expected) and not _generates_as_it_computes(run):
            # TransformerLens hands no positions to models that count them in a way of their own.
            for given in (True, False):
                expected = continue_padded(run.spare, tokens, mask, work.new_tokens, given)
                if torch.equal(actual, expected):
                    break
        told = f"left-padded prompts of {min(work.padded)} to {max(work.padded)}"
        yield from _compare(run, "left_padded", told, actual, expected, tokens.shape[1])


def _check_cache(run: ModelUnderTest) -> Iterator[Finding]:
    """One generation makes one cache, and every token but the last goes through it."""
    bridge, prompt, made = run.bridge, run.tokens, list[Any]()
    make = bridge.adapter.create_stateful_cache

    def make_and_keep(*args: Any, **options: Any) -> Any:
        made.append(make(*args, **options))
        return made[-1]

    with attributes(bridge.adapter, create_stateful_cache=make_and_keep):
        _generate(bridge, prompt, 3)
    held, expected = [cache.get_seq_length() for cache in made], [prompt.shape[1] + 2]
    if held != expected:
        what, mend = "tokens in the caches of one generation", "mend `cache:`"
        yield Finding("generation", what, str(expected), str(held), mend, about=("cache",))


def _generate(bridge: Any, prompt: Any, new_tokens: int, **options: Any) -> Any:
    with quiet():
        return bridge.generate(
            prompt,
            max_new_tokens=new_tokens,
            do_sample=False,
            stop_at_eos=False,
            verbose=False,
            **options,
        )


def _compare(
    run: ModelUnderTest, way: str, prompt: str, actual: Any, expected: Any, length: int
) -> Iterator[Finding]:
    equal = torch.equal(actual, expected)
    generation = run.report.generation
    generation[way] = equal and generation.get(way, True)
    run.report.count("generated tokens", expected[:, length:].numel())
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
    about = ("cache",) if uses_cache and run.tables.cache else ()
    yield Finding("generation", what, told, measured, mend, about=about)


def _alone(module: Any, stream: torch.Tensor) -> torch.Tensor | str:
    """What a module returns first that gets the stream and nothing else, or what it raises."""
    try:
        output = module(stream)
        tensor = output if isinstance(output, torch.Tensor) else output[0]
    except Exception as error:  # code of transformers may raise anything
        return " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return tensor if isinstance(tensor, torch.Tensor) else f"a {type(tensor).__name__}"


def check_components(run: ModelUnderTest) -> Iterator[Finding]:
    """The component in the slot of each layer, called by itself, against HF's module.

    What HF itself cannot call alone, as with the angles of a rotation, is left out.
    """
    generator = torch.Generator().manual_seed(0)
    stream = torch.randn(BATCH, POS, run.bridge.cfg.d_model, generator=generator)
    kinds = [(i, kind) for i, layer in enumerate(run.kinds) for kind in run.tables.kinds_of(layer)]
    for layer, kind in kinds:
        slot = run.tables.kinds[kind].slot
        path = component(run.tables.kinds[kind].components[slot])[1]
        expected = _alone(run.spare.get_submodule(f"{run.tables.blocks}.{layer}.{path}"), stream)
        if isinstance(expected, str):
            continue
        run.report.count("components alone")
        actual = _alone(getattr(run.bridge.blocks[layer], slot), stream)
        measured = actual if isinstance(actual, str) else f"{difference(actual, expected):g}"
        if measured != "0":
            what = f"{slot} called by itself does not return what HF's module returns"
            mend = "look at what it takes from the call of the whole layer"
            spot = Spot(layer, kind)
            yield Finding("components", what, "0", measured, mend, spot, ("kind",))


def check_processing(run: ModelUnderTest) -> Iterator[Finding]:
    """Compatibility mode: predictions stay, and the hooks that fall silent are those named."""
    tokens, bridge = run.tokens, run.wrapped_copy()
    norm = getattr(getattr(bridge, "ln_final", None), "original_component", None)
    weight = getattr(norm, "weight", torch.zeros(0))
    before, folds = weight.clone(), getattr(bridge.adapter, "supports_fold_ln", True)
    with quiet():
        bridge.enable_compatibility_mode()
        logits, cache = bridge.run_with_cache(tokens)
    apart = difference(logits.log_softmax(-1), run.answers.logits.log_softmax(-1))
    run.report.parity["in compatibility mode"] = apart
    if not apart <= FOLDED:
        what = "predictions in compatibility mode are not HF's"
        mend = (
            "TransformerLens computes MLPs itself there: write their activation here, `flags: "
            "{act_fn: silu}`; or it folds norms into a part of what reads them: write `adapter: "
            "{supports_fold_ln: false}`"
        )
        values = (f"<= {FOLDED:g}", f"{apart:g}")
        yield Finding("weights", what, *values, mend, about=("config",))
    if not folds and not torch.equal(getattr(norm, "weight", before), before):
        what = "compatibility mode changes the final norm, although it folds no others"
        mend = "fold norms in all places or in none: look at `supports_fold_ln`"
        yield Finding("weights", what, "unchanged", "changed", mend, about=("config",))
    for hook in run.once:
        silent = hook.name not in cache.cache_dict
        if hook.name in run.activations and silent != hook.contract.silent_when_processed:
            what = (
                f"the hook {hook.short} is {'silent' if silent else 'live'} in compatibility mode"
            )
            mend = "give the reason as `silent_in_compatibility_mode`"
            if not silent:
                mend = "delete `silent_in_compatibility_mode`"
            values = ("live", "silent") if silent else ("silent", "live")
            spot = Spot(hook.layer, hook.kind, hook.short)
            yield Finding("compatibility", what, *values, mend, spot)


def check_offloaded(run: ModelUnderTest) -> Iterator[Finding]:
    """Weights that accelerate loads for each call of a module."""
    own = cpu_offload(copy.deepcopy(run.spare), execution_device="cpu")
    try:
        told = f"{difference(own(run.tokens).logits, run.answers.logits):g}"
    except (RuntimeError, NotImplementedError) as error:  # HF reads weights that no call loads
        told = f"{type(error).__name__}"
    if told != "0":
        yield _of_hf("HF's own logits with offloaded weights are not those without", "0", told)
        return
    bridge = run.wrapped_copy(lambda model: cpu_offload(model, execution_device="cpu"))
    # Hooks that are attached may lead through other code.
    logits, _ = bridge.run_with_cache(run.tokens)
    runs = {"offloaded": bridge(run.tokens), "offloaded_run_with_cache": logits}
    for name, actual in runs.items():
        apart = difference(actual, run.answers.logits)
        run.report.parity[name] = apart
        if apart:
            what, mend = "logits with offloaded weights differ from HF's", "load what no call loads"
            yield Finding("parity", what, "0", f"{apart:g}", mend)
