"""Mixtures of experts: router logits are rows of tokens, and an edit chooses other experts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from runtime_support import edit, record, torch

ROOT = Path(__file__).parents[2]
CASES = [("deepseek_v2", 1), ("deepseek_v3", 1), ("nemotron_h", 2)]


@pytest.fixture(autouse=True)
def no_grad() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture(params=CASES, ids=lambda case: case[0])
def mixture(request: Any) -> tuple[Any, Any]:
    """A bridge, and its mixture of experts."""
    from adaptergen.contract.models import hf_config, random_model, wrap
    from adaptergen.verify.target import load_target

    module, layer = request.param
    target = load_target(ROOT / "specs" / f"{module}.yaml")
    model = random_model(
        target.architecture, hf_config(target.architecture, target.plan.spec.tiny.config)
    )
    bridge = wrap(target.architecture, target.adapter, model, "tiny")
    return bridge, bridge.blocks[layer].mlp


def tokens() -> Any:
    return torch.randint(3, 64, (2, 7), generator=torch.Generator().manual_seed(1))


def test_router_logits_are_the_product_with_the_weight(mixture: tuple[Any, Any]) -> None:
    bridge, mlp = mixture
    seen = record(mlp, "gate.hook_in", "gate.hook_out")
    bridge(tokens())
    states, logits = (held[0] for held in seen.values())
    weight = mlp.gate.original_component.weight
    assert (states.shape, logits.shape) == ((14, bridge.cfg.d_model), (14, weight.shape[0]))
    torch.testing.assert_close(logits, states.float() @ weight.float().T)


def test_an_edit_of_router_logits_chooses_other_experts(mixture: tuple[Any, Any]) -> None:
    bridge, mlp = mixture
    seen = record(mlp, "gate.hook_expert_indices")
    plain = bridge(tokens())
    edit(mlp, "gate.hook_out", lambda logits: -logits)
    assert (bridge(tokens()) - plain).abs().max() > 1e-3
    before, after = (set(map(int, held[0])) for held in seen["gate.hook_expert_indices"])
    assert before != after


def test_a_mixture_offers_no_neurons(mixture: tuple[Any, Any]) -> None:
    _, mlp = mixture
    assert not {"hook_pre", "hook_post", "hook_router_scores"} & mlp.get_hooks().keys()


def test_a_dense_layer_offers_neurons_and_no_router() -> None:
    from adaptergen.contract.models import hf_config, random_model, wrap
    from adaptergen.verify.target import load_target

    target = load_target(ROOT / "specs" / "deepseek_v3.yaml")
    model = random_model(
        target.architecture, hf_config(target.architecture, target.plan.spec.tiny.config)
    )
    bridge = wrap(target.architecture, target.adapter, model, "tiny")
    _, cache = bridge.run_with_cache(tokens())
    assert cache["blocks.0.mlp.hook_post"].shape == (2, 7, bridge.cfg.d_mlp)
    assert not any(name.startswith("blocks.0.mlp.gate.") for name in bridge.hook_dict)
