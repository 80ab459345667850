"""What is generated, at work: against the adapter that TransformerLens has, written by hand."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from adaptergen.contract.models import hf_config, random_model, wrap
from adaptergen.resources import DATA
from adaptergen.verify.target import Target, load_target
from adaptergen.verify.tiers import reduce_config
from benchmarks.measure import ROOT, SPEC, Figure, in_turns, process, ratio, seconds
from transformer_lens.model_bridge import supported_architectures

#: A real checkpoint of each family that TransformerLens has an adapter for.
CHECKPOINTS = {
    "nemotron_h": "nvidia--NVIDIA-Nemotron-Nano-9B-v2",
    "deepseek_v2": "deepseek-ai--DeepSeek-V2-Lite",
    "deepseek_v3": "deepseek-ai--DeepSeek-V3",
}
#: How far logits of the two adapters may be apart, as they round otherwise.
APART = {"float32": 1e-5, "bfloat16": 0.1}
TOKENS = 64
#: Families that TransformerLens has an adapter for, and the most that a hook may cost.
BY_HAND = {"nemotron_h": 1.0, "deepseek_v2": None, "deepseek_v3": 1.1}
VERIFY = ("-m", "adaptergen", "verify", SPEC)
IMPORTS = (
    "import accelerate, torch, transformers, adaptergen.verify.command, adaptergen.verify.target\n"
    "import adaptergen.verify.tiers\n"
    "from transformers import NemotronHForCausalLM\n"
)
#: A hook on the convolution of layer 0 makes that call run on a copy of the wrapped module.
FEW = ("blocks.0.mixer.conv1d.hook_out", "blocks.0.mixer.hook_in", "blocks.0.hook_resid_post")


def pair(module: str, config: Any, dtype: str) -> tuple[Any, Any]:
    """Bridges around equal models: with the generated adapter, and with the one by hand."""
    ours = load_target(spec_of(module))
    by_hand = getattr(supported_architectures, ours.plan.adapter_class)
    theirs: Target = replace(ours, adapter=by_hand)
    first, second = (
        wrap(t.architecture, t.adapter, random_model(t.architecture, config, dtype), "bench")
        for t in (ours, theirs)
    )
    return first, second


def spec_of(module: str) -> Path:
    """The file of a family's spec."""
    return ROOT / "specs" / f"{module}.yaml"


def tiny_config(module: str) -> Any:
    """The tiny model of the spec."""
    target = load_target(spec_of(module))
    return hf_config(target.architecture, dict(target.plan.spec.tiny.config))


def wide_config(module: str) -> Any:
    """A real checkpoint's widths, with one layer of each kind and a small vocabulary."""
    target = load_target(spec_of(module))
    path = DATA / "checkpoints" / f"{CHECKPOINTS[module]}.json"
    config = target.config_of_file(json.loads(path.read_text(encoding="utf-8")))
    if hasattr(config, "first_k_dense_replace"):
        config.first_k_dense_replace = 1
    reduce_config(target, config)
    return config


def prompt() -> torch.Tensor:
    """Tokens that every vocabulary here has."""
    return torch.arange(TOKENS)[None] % 60 + 3


@contextmanager
def one_thread() -> Iterator[None]:
    """Without gradients, on one thread: processor time is then the time of the work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            yield
    finally:
        torch.set_num_threads(before)


def forward(
    module: str, config: Any, dtype: str, pairs: int, repeat: int
) -> list[tuple[float, float]]:
    """Seconds of plain runs of both, in turns."""
    ours, theirs = pair(module, config, dtype)
    tokens = prompt()
    with one_thread():
        # Where attention is computed anew by hand, the two round otherwise.
        torch.testing.assert_close(ours(tokens), theirs(tokens), atol=APART[dtype], rtol=0)
        return in_turns(
            lambda: seconds(lambda: ours(tokens), repeat),
            lambda: seconds(lambda: theirs(tokens), repeat),
            pairs,
        )


def wide(pairs: int) -> list[Figure]:
    """A plain run at real width."""
    return [
        Figure(
            f"forward of {module} at real width, bfloat16, {TOKENS} tokens, to the adapter written "
            "by hand",
            ratio(forward(module, wide_config(module), "bfloat16", pairs, 1)),
            1.02,
        )
        for module in BY_HAND
    ]


def tiny(pairs: int, repeat: int = 5) -> list[Figure]:
    """The same where nothing but Python costs."""
    return [
        Figure(
            f"forward of {module} at tiny width, to the adapter written by hand",
            ratio(forward(module, tiny_config(module), "float32", pairs, repeat)),
            1.05,
        )
        for module in BY_HAND
    ]


def cached(pairs: int, repeat: int = 3) -> list[Figure]:
    """What a hook costs that `run_with_cache` makes fire."""
    return [_cached(module, most, pairs, repeat) for module, most in BY_HAND.items()]


def _cached(module: str, most: float | None, pairs: int, repeat: int) -> Figure:
    bridges = pair(module, tiny_config(module), "float32")
    tokens = prompt()
    fired = [count_fired(bridge, tokens) for bridge in bridges]

    def cost(number: int) -> float:
        bridge = bridges[number]
        with_cache = seconds(lambda: bridge.run_with_cache(tokens), repeat)
        return (with_cache - seconds(lambda: bridge(tokens), repeat)) / fired[number]

    with one_thread():
        found = ratio(in_turns(lambda: cost(0), lambda: cost(1), pairs))
    note = f"{fired[0]} fire, by hand {fired[1]}"
    what = f"`run_with_cache` of {module}, time beyond a plain run for each hook that fires"
    return Figure(f"{what}, to that by hand", found, most, note=note)


def count_fired(bridge: Any, tokens: torch.Tensor) -> int:
    """How many hooks fire in a plain run."""
    fired = 0

    def count(tensor: Any, hook: Any) -> None:
        nonlocal fired
        fired += 1

    bridge.run_with_hooks(tokens, fwd_hooks=[(lambda name: True, count)])
    return fired


def few_hooks(pairs: int, repeat: int = 5) -> list[Figure]:
    """What hooks on layer 0 cost the other layers."""
    ours, _ = pair("nemotron_h", tiny_config("nemotron_h"), "float32")
    tokens = prompt()
    started = total = 0.0

    def begin(*_: Any) -> None:
        nonlocal started
        started = time.process_time()

    def end(*_: Any) -> None:
        nonlocal total
        total += time.process_time() - started

    for block in list(ours.blocks)[1:]:
        block.register_forward_pre_hook(begin)
        block.register_forward_hook(end)

    def others(hooks: list[Any]) -> float:
        nonlocal total
        total = 0.0
        seconds(lambda: ours.run_with_hooks(tokens, fwd_hooks=hooks), repeat)
        return total

    attached = [(name, lambda tensor, hook: tensor) for name in FEW]
    with one_thread():
        found = ratio(in_turns(lambda: others(attached), lambda: others([]), pairs))
    what = f"the other layers with {len(FEW)} hooks on layer 0, to those without any"
    return [Figure(what, found, 1.02)]


def verify(pairs: int) -> list[Figure]:
    """`verify` on the tiny models, without its imports."""
    runs = [(process(*VERIFY).seconds, process("-c", IMPORTS).seconds) for _ in range(pairs)]
    beyond = sorted(whole - imports for whole, imports in runs)[len(runs) // 2]
    return [Figure("`verify` of the tiny models beyond imports", beyond, 2.0, "s")]
