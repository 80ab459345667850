"""Several taps on one mixer: Mamba-1, whose convolution and step size HF computes in functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from runtime_support import GeneralizedComponent, Tap, bind, edit, hook_of, record, tapped, torch
from transformers import DynamicCache, MambaConfig, MambaForCausalLM

CONVOLUTIONS = ("causal_conv1d_fn", "causal_conv1d_update", "conv1d")
TAPS = {
    "conv1d.hook_in": Tap(function=CONVOLUTIONS, argument=0, tokens=2),
    "conv1d.hook_out": Tap(function=CONVOLUTIONS, tokens=2, activation="act"),
    "dt_proj.hook_in": Tap(weight="dt_proj.weight", argument=1),
    "dt_proj.hook_out": Tap(weight="dt_proj.weight"),
}
SUBMODULES = ("in_proj", "conv1d", "x_proj", "dt_proj", "out_proj")


@pytest.fixture(autouse=True)
def no_grad() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture
def model() -> Any:
    torch.manual_seed(0)
    config = MambaConfig(
        vocab_size=32, hidden_size=8, state_size=4, num_hidden_layers=1, time_step_rank=3
    )
    made = MambaForCausalLM(config).eval()
    for weight in made.parameters():
        weight.uniform_(-0.6, 0.6)
    return made


@pytest.fixture
def mixer(model: Any) -> Any:
    layer = model.backbone.layers[0]
    parts = {name: GeneralizedComponent(name) for name in SUBMODULES}
    cls = tapped(GeneralizedComponent, TAPS, fused_in_training=True)
    layer.mixer = bind(cls("mixer", submodules=parts), layer.mixer)
    return layer.mixer


def tokens(length: int = 7) -> Any:
    return torch.randint(0, 32, (2, length), generator=torch.Generator().manual_seed(1))


def test_logits_are_exact_with_all_taps(model: Any, mixer: Any) -> None:
    expected = model(tokens(), use_cache=False).logits
    seen = record(mixer, *TAPS)
    assert torch.equal(model(tokens(), use_cache=False).logits, expected)
    assert {name: len(held) for name, held in seen.items()} == dict.fromkeys(TAPS, 1)


def test_they_hold_what_their_modules_would_give(model: Any, mixer: Any) -> None:
    seen = record(mixer, *TAPS, "x_proj.hook_out", "in_proj.hook_out")
    model(tokens(), use_cache=False)
    held = {name: tensors[0] for name, tensors in seen.items()}
    conv1d, dt_proj = (hook_of(mixer, name).original_component for name in ("conv1d", "dt_proj"))
    inputs = held["conv1d.hook_in"]
    assert torch.equal(inputs, held["in_proj.hook_out"].transpose(1, 2)[:, : inputs.shape[1]])
    torch.testing.assert_close(held["conv1d.hook_out"], conv1d(inputs)[..., :7])
    step = held["dt_proj.hook_in"].transpose(1, 2)
    assert torch.equal(step, held["x_proj.hook_out"][..., :3])
    product = held["dt_proj.hook_out"].transpose(1, 2) + dt_proj.bias
    torch.testing.assert_close(product, dt_proj(step))


@pytest.mark.parametrize("name", TAPS)
def test_an_edit_reaches_what_follows(model: Any, mixer: Any, name: str) -> None:
    expected = model(tokens(), use_cache=False).logits

    def change(states: Any) -> Any:
        states = states.clone()
        states[..., 4] += 1
        return states

    edit(mixer, name, change)
    apart = (model(tokens(), use_cache=False).logits - expected).abs()
    changed = (apart > 1e-5).any(-1)
    assert not changed[:, :4].any()
    assert changed[:, 4:].all()


def test_decode_steps_hold_their_token(model: Any, mixer: Any) -> None:
    seen = record(mixer, *TAPS)
    model(tokens(), use_cache=False)
    state = DynamicCache(config=model.config)
    for part in tokens().split([4, 1, 1, 1], dim=1):
        model(part, cache_params=state, use_cache=True)
    for name, (whole, *parts) in seen.items():
        assert [part.shape[-1] for part in parts] == [4, 1, 1, 1], name
        torch.testing.assert_close(torch.cat(parts, dim=-1), whole)
