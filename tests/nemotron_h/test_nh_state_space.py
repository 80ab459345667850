"""TransformerLens' state-space analyses against the states and outputs that HF computes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from nemotron_h_support import (
    MAMBA,
    DynamicCache,
    fresh,
    installed,
    lift_limit,
    make_hf,
    prompt,
    torch,
)

from transformer_lens import ActivationCache

LENGTHS = range(1, 10)


@pytest.fixture(autouse=True)
def no_grad() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def hf() -> Any:
    return make_hf()


@pytest.fixture(scope="module")
def bridge() -> Any:
    return fresh()


@pytest.fixture
def eager(bridge: Any) -> Iterator[Any]:
    for layer in MAMBA:
        bridge.blocks[layer].mixer.eager_scan = True
    yield bridge
    for layer in MAMBA:
        bridge.blocks[layer].mixer.eager_scan = False


def recurrent(state: Any, layer: int) -> Any:
    made = state.layers[layer].recurrent_states
    return made if isinstance(made, torch.Tensor) else made[0]


def mixed(cache: Any, bridge: Any, layer: int) -> Any:
    """The output of the scan, by the matrix of effective attention."""
    mixer, cfg = bridge.blocks[layer].mixer, bridge.cfg
    x = mixer.act(cache[f"blocks.{layer}.mixer.conv1d.hook_out"])
    x = x[:, : cfg.mamba_intermediate_size].transpose(1, 2)
    x = x.unflatten(-1, (cfg.mamba_num_heads, cfg.mamba_head_dim))
    matrix = cache.compute_ssm_effective_attention(layer=layer, include_dt_scaling=True)
    return (torch.einsum("bhij,bjhd->bihd", matrix, x) + mixer.D[:, None] * x).flatten(2)


def close(actual: Any, expected: Any, atol: float = 1e-5) -> None:
    torch.testing.assert_close(actual, expected, atol=atol, rtol=1e-4)


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize("length", LENGTHS)
def test_state_and_output(hf: Any, bridge: Any, length: int, use_cache: bool) -> None:
    tokens, state = prompt(length), DynamicCache(config=hf.config)
    hf(tokens, past_key_values=state, use_cache=True)
    _, cache = bridge.run_with_cache(tokens, use_cache=use_cache)
    assert cache.ssm_layers() == MAMBA
    assert sorted(cache.compute_ssm_state()) == MAMBA
    for layer in MAMBA:
        close(cache.compute_ssm_state(layer=layer, time_step=-1), recurrent(state, layer))
        close(mixed(cache, bridge, layer), cache[f"blocks.{layer}.mixer.inner_norm.hook_in"])


@pytest.mark.parametrize("split", [1, 3, 4, 8])
def test_second_prefill_joined_to_the_first(hf: Any, split: int) -> None:
    tokens, state, bridge = prompt(9), DynamicCache(config=hf.config), lift_limit(fresh())
    parts = [
        bridge.run_with_cache(part, past_key_values=state, use_cache=True)[1]
        for part in (tokens[:, :split], tokens[:, split:])
    ]
    axes = {"in_proj.hook_out": 1, "conv1d.hook_out": 2, "inner_norm.hook_in": 1}
    joined = ActivationCache(
        {
            name: torch.cat([part[name] for part in parts], dim=axis)
            for layer in MAMBA
            for hook, axis in axes.items()
            for name in [f"blocks.{layer}.mixer.{hook}"]
        },
        bridge,
    )
    for layer in MAMBA:
        close(joined.compute_ssm_state(layer=layer, time_step=-1), recurrent(state, layer))
        close(mixed(joined, bridge, layer), joined[f"blocks.{layer}.mixer.inner_norm.hook_in"])


def test_eager_scan_computes_what_hf_computes(hf: Any, eager: Any) -> None:
    tokens = prompt(9)
    _, plain = eager.run_with_cache(tokens)
    logits, cache = eager.run_with_cache(tokens, use_cache=False)
    close(logits, hf(tokens).logits, 1e-4)
    for layer in MAMBA:
        states = cache[f"blocks.{layer}.mixer.hook_ssm_state"]
        assert states.shape == (2, 9, 6, 8, 16)
        close(plain.compute_ssm_state(layer=layer).transpose(1, 2), states, 1e-4)
        writes = cache[f"blocks.{layer}.mixer.hook_ssm_write"]
        close(states[:, 0], writes[:, 0])
        # With a cache HF's own scan runs, whatever the switch says.
        assert f"blocks.{layer}.mixer.hook_ssm_state" not in plain


def test_edit_of_a_write_reaches_what_follows(eager: Any) -> None:
    def edit(writes: Any, hook: Any) -> Any:
        writes = writes.clone()
        writes[:, 4] = 0
        return writes

    tokens = prompt(9)
    before = eager(tokens, use_cache=False)
    hooks = [("blocks.0.mixer.hook_ssm_write", edit)]
    after = eager.run_with_hooks(tokens, fwd_hooks=hooks, use_cache=False)
    changed = ((after - before).abs() > 1e-4).any(-1)
    assert not changed[:, :4].any()
    assert changed[:, 4:].all()


def test_another_activation_is_taken_for_silu(hf: Any, bridge: Any) -> None:
    """As docs/nemotron_h.md says."""
    apart = []
    for model in (bridge, fresh(mamba_hidden_act="gelu")):
        state = DynamicCache(config=model.original_model.config)
        _, cache = model.run_with_cache(prompt(9), past_key_values=state, use_cache=True)
        computed = cache.compute_ssm_state(layer=0, time_step=-1)
        apart.append((computed - recurrent(state, 0)).abs().max().item())
    assert apart[0] < 1e-5 < 1e-2 < apart[1]


def test_the_installed_adapter_has_no_analysis() -> None:
    """What this is a remedy for: the convolution's hooks never fire there."""
    _, cache = fresh(installed).run_with_cache(prompt(9))
    for analysis in (cache.compute_ssm_state, cache.compute_ssm_effective_attention):
        with pytest.raises(RuntimeError, match=r"conv1d\.hook_out"):
            analysis(layer=0)
