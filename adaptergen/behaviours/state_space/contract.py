"""TransformerLens' analyses of state-space layers, held against HF's states and outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
import transformers
from accelerate import cpu_offload

from transformer_lens.model_bridge.generalized_components import SSM2MixerBridge

from ...contract.findings import Finding, Spot
from ...contract.models import Check, Level, ModelUnderTest, difference, relative
from ...contract.reference import cache_argument, new_cache, positions
from ...contract.tables import AdapterTables, component, holds

#: Before, HF clamps dt at time_step_min, which TransformerLens does not know.
CLAMPS = "<5.17"
#: Sums in another order, by the largest value: what float32 rounds.
CLOSE = 1e-5
#: Shorter than the window of a causal convolution, as long, and longer.
LENGTHS = (1, 2, 3, 4, 9)
#: Hooks that the analyses read, and the one that tells what HF made of them.
USED = ("in_proj.hook_in", "in_proj.hook_out", "conv1d.hook_out", "inner_norm.hook_in")


def check_state_space(run: ModelUnderTest) -> Iterator[Finding]:
    """The recurrent state after prompts of each length, and the scan as a matrix."""
    layers = _layers(run)
    allowed = 1e-3 if holds(CLAMPS, transformers.__version__) else CLOSE
    for length in LENGTHS:
        prompt = run.tokens[:, :length]
        state = new_cache(run.spare.config)
        run.spare(prompt, use_cache=True, **{cache_argument(run.spare): state})
        cache = _recorded(run.bridge, prompt)
        if cache.ssm_layers() != layers:
            what, found = "state-space layers", str(cache.ssm_layers())
            mend = "mend the shapes of these kinds"
            yield Finding("state space", what, str(layers), found, mend)
            return
        for layer in layers:
            expected = _states(state, layer)
            run.report.count("state-space analyses", 2)
            for name, compute in (("states", _state_apart), ("effective attention", _scan_apart)):
                apart = partial(compute, run, cache, layer, expected)
                yield from _check(run, layer, f"{name}, {length} tokens", allowed, apart)


def check_padded_state_space(run: ModelUnderTest) -> Iterator[Finding]:
    """On left-padded rows the states are HF's, and no token attends to padding."""
    assert run.answers.padded is not None, "the first model has a padded batch"
    tokens, mask, _ = run.answers.padded
    state = new_cache(run.spare.config)
    arguments = positions(run.spare, mask)
    run.spare(tokens, use_cache=True, **arguments, **{cache_argument(run.spare): state})
    cache = _recorded(run.bridge, tokens, **arguments)
    padding = (mask == 0)[:, None, None, :]
    for layer in _layers(run):
        run.report.count("state-space analyses", 2)
        apart = partial(_state_apart, run, cache, layer, _states(state, layer))
        yield from _check(run, layer, "states of left-padded rows", CLOSE, apart)
        matrix = cache.compute_ssm_effective_attention(layer=layer)
        onto = float((matrix * padding).abs().max())
        if onto:
            yield _note(run, layer, "effective attention onto padding", 0.0, f"{onto:g}")


def check_offloaded_state_space(run: ModelUnderTest) -> Iterator[Finding]:
    """The analyses of a run with offloaded weights are those of a run with the others."""
    bridge = run.wrapped_copy(lambda model: cpu_offload(model, execution_device="cpu"))
    offloaded, cache = _recorded(bridge, run.tokens), _recorded(run.bridge, run.tokens)
    for layer in _layers(run):
        for name in ("compute_ssm_state", "compute_ssm_effective_attention"):
            run.report.count("state-space analyses")
            apart = partial(_analyses_apart, name, layer, offloaded, cache)
            yield from _check(run, layer, f"{name} with offloaded weights", CLOSE, apart)


def _layers(run: ModelUnderTest) -> list[int]:
    """Layers with a mixer whose states TransformerLens can analyse."""
    mixers = [getattr(block, "mixer", None) for block in run.bridge.blocks]
    return [layer for layer, mixer in enumerate(mixers) if isinstance(mixer, SSM2MixerBridge)]


def _states(cache: Any, layer: int) -> Any:
    """HF's recurrent state of a layer; some releases keep a list of one."""
    states = cache.layers[layer].recurrent_states
    return states if isinstance(states, torch.Tensor) else states[0]


def _recorded(bridge: Any, tokens: Any, **arguments: Any) -> Any:
    used = {"names_filter": lambda name: name.endswith(USED), **arguments}
    return bridge.run_with_cache(tokens, **used)[1]


def _state_apart(_run: ModelUnderTest, cache: Any, layer: int, expected: Any) -> float:
    return relative(cache.compute_ssm_state(layer=layer, time_step=-1), expected)


def _scan_apart(run: ModelUnderTest, cache: Any, layer: int, _state: Any) -> float:
    """How far the matrix times its input is from what HF hands to the norm after the scan."""
    cfg, mixer = run.bridge.cfg, run.bridge.blocks[layer].mixer
    x = mixer.act(cache[f"blocks.{layer}.mixer.conv1d.hook_out"])
    x = x[:, : cfg.mamba_intermediate_size].transpose(1, 2)
    x = x.unflatten(-1, (cfg.mamba_num_heads, cfg.mamba_head_dim))
    matrix = cache.compute_ssm_effective_attention(layer=layer, include_dt_scaling=True)
    mixed = torch.einsum("bhij,bjhd->bihd", matrix, x) + mixer.D[:, None] * x
    return relative(mixed.flatten(2), cache[f"blocks.{layer}.mixer.inner_norm.hook_in"])


def _analyses_apart(name: str, layer: int, one: Any, other: Any) -> float:
    return difference(getattr(one, name)(layer), getattr(other, name)(layer))


def _check(
    run: ModelUnderTest, layer: int, what: str, allowed: float, apart: Callable[[], float]
) -> Iterator[Finding]:
    try:
        measured = apart()
    except (RuntimeError, KeyError) as error:
        yield _note(run, layer, what, allowed, str(error))
        return
    if not measured <= allowed:
        yield _note(run, layer, what, allowed, f"{measured:g}")


def _note(run: ModelUnderTest, layer: int, what: str, allowed: float, measured: str) -> Finding:
    what, mend = f"analysis differs from HF: {what}", "mend what the hooks of the mixer hold"
    spot = Spot(layer, run.kinds[layer])
    return Finding("state space", what, f"<= {allowed:g}", measured, mend, spot, ("kind",))


def _has_state_space(tables: AdapterTables) -> bool:
    layers = (tables.shared, *tables.kinds.values())
    classes = (component(line)[0] for layer in layers for line in layer.components.values())
    return any(cls.endswith(("StateSpaceMixerBridge", "SSM2MixerBridge")) for cls in classes)


def _is_offloaded_too(tables: AdapterTables) -> bool:
    return "offload" not in tables.lacks and _has_state_space(tables)


CHECKS = (
    Check("state space", check_state_space, Level.FIRST, _has_state_space),
    Check("padded state space", check_padded_state_space, Level.FIRST, _has_state_space),
    Check("offloaded state space", check_offloaded_state_space, Level.FIRST, _is_offloaded_too),
)
