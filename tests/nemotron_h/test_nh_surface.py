"""What people do to a bridge besides running it: no worse than with the installed adapter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nemotron_h_support import (
    CONV,
    PROJECT,
    copy,
    fresh,
    installed,
    make_hf,
    prompt,
    torch,
    wrap,
)

# The last part of the names of those of HF's weights that `bridge.state_dict()` leaves out:
# they belong to modules that TransformerLens does not wrap, or are no `weight` or `bias`.
LOST = {
    "mixer.A_log",
    "mixer.D",
    "mixer.dt_bias",
    "experts.up_proj",
    "experts.down_proj",
    "gate.e_score_correction_bias",
}


@pytest.fixture(autouse=True)
def no_grad() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def hf() -> Any:
    return make_hf()


def test_parameters_are_those_of_the_model() -> None:
    model = make_hf()
    before = {id(weight) for weight in model.parameters()}
    bridge = wrap(model)
    assert {id(weight) for weight in bridge.parameters()} == before
    assert {id(weight) for weight in bridge.original_model.parameters()} == before


def test_dtype(hf: Any) -> None:
    tokens, bridge = prompt(9), fresh()
    bridge.to(torch.bfloat16)
    expected = copy.deepcopy(hf).to(torch.bfloat16)(tokens).logits
    assert {weight.dtype for weight in bridge.parameters()} == {torch.bfloat16}
    assert torch.equal(bridge(tokens), expected)
    logits, cache = bridge.run_with_cache(tokens)
    assert torch.equal(logits, expected)
    assert cache[CONV[1]].dtype == torch.bfloat16


def test_device() -> None:
    bridge = fresh()
    bridge.to("meta")
    assert {weight.device.type for weight in bridge.parameters()} == {"meta"}


def test_deep_copy_is_independent(hf: Any) -> None:
    tokens, bridge = prompt(9), fresh()
    made = copy.deepcopy(bridge)
    assert torch.equal(made.run_with_cache(tokens)[0], hf(tokens).logits)
    assert made.hook_dict.keys() == bridge.hook_dict.keys()
    ids = {id(weight) for weight in bridge.parameters()}
    assert ids.isdisjoint(id(weight) for weight in made.parameters())
    for weight in made.parameters():
        weight.zero_()
    assert torch.equal(bridge.run_with_cache(tokens)[0], hf(tokens).logits)


@pytest.mark.parametrize("processed", [True, False])
def test_compatibility_mode(hf: Any, processed: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Folding and centring move the logits of a token by one number."""
    tokens = prompt(9)
    expected = hf(tokens).logits.log_softmax(-1)
    distances, hooks = [], []
    for adapters in ({}, {"adapters": installed}):
        bridge = fresh(**adapters)
        bridge.enable_compatibility_mode(no_processing=not processed)
        logits, cache = bridge.run_with_cache(tokens)
        distances.append((logits.log_softmax(-1) - expected).abs().max().item())
        hooks.append(len(cache))
        assert torch.equal(bridge(tokens), logits)
    assert distances[0] <= max(distances[1], 1e-5)
    assert ("could not reach the expert weights" in caplog.text) is processed
    assert hooks[0] > hooks[1]


def test_state_dict_names_what_the_installed_one_names_and_more() -> None:
    made, theirs = fresh().state_dict(), fresh(installed).state_dict()
    assert theirs.keys() < made.keys()
    for name, weight in theirs.items():
        assert torch.equal(made[name], weight)
    slots = {"blocks.1.attn.q.weight", "blocks.2.mlp.gate.weight", "blocks.3.mlp.in.weight"}
    assert slots <= made.keys()


def test_weights_that_remain_lost_are_listed() -> None:
    model = make_hf()
    names = {weight.data_ptr(): name for name, weight in model.state_dict().items()}
    kept = {weight.data_ptr() for weight in wrap(model).state_dict().values()}
    lost = {".".join(name.split(".")[-2:]) for place, name in names.items() if place not in kept}
    assert lost == LOST
    page = Path(PROJECT, "docs", "nemotron_h.md").read_text(encoding="utf-8")
    assert {name for name in LOST if f"`{name}`" not in page} == set()
