"""Dimensions on cfg, at full width: those of the weights, for every checkpoint we know."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from nemotron_h_support import (
    GENERATED,
    PROJECT,
    NemotronHForCausalLM,
    _bridge_builder,
    installed,
    ours,
    torch,
    wrap,
)

CHECKPOINTS = sorted((PROJECT / "adaptergen" / "data" / "checkpoints").glob("nvidia--*.json"))
# Billions of parameters, of mamba_intermediate_size and of conv_dim, as published.
KNOWN = {
    "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": (31.58, 4096, 6144),
    "NVIDIA-Nemotron-Nano-12B-v2-Base": (12.31, 10240, 12288),
    "NVIDIA-Nemotron-Nano-9B-v2": (8.89, 10240, 12288),
    "Nemotron-H-8B-Base-8K": (8.10, 8192, 10240),
}


def on_meta(path: Path) -> Any:
    config = NemotronHForCausalLM.config_class.from_dict(json.loads(path.read_text()))
    with torch.device("meta"):
        return NemotronHForCausalLM(config)


def test_every_checkpoint_of_the_spec_is_here() -> None:
    assert {path.stem.removeprefix("nvidia--") for path in CHECKPOINTS} == set(KNOWN)


@pytest.mark.parametrize("extended", [False, True], ids=["as_is", "passthrough_extended"])
@pytest.mark.parametrize("path", CHECKPOINTS, ids=lambda path: path.stem)
def test_are_those_of_the_weights(
    path: Path, extended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if extended:
        entries = json.loads((GENERATED / "registry.json").read_text())["passthrough"]["entries"]
        attributes = [*_bridge_builder._HF_PASSTHROUGH_ATTRS, *entries]
        monkeypatch.setattr(_bridge_builder, "_HF_PASSTHROUGH_ATTRS", attributes)
    model = on_meta(path)
    kinds = [layer.block_type for layer in model.model.layers]
    bridge = wrap(model)
    cfg, hf = bridge.cfg, model.config

    billions, intermediate, conv_dim = KNOWN[path.stem.removeprefix("nvidia--")]
    total = sum(weight.numel() for weight in bridge.original_model.parameters())
    assert round(total / 1e9, 2) == billions
    assert (cfg.mamba_intermediate_size, cfg.conv_dim) == (intermediate, conv_dim)
    mixer = bridge.blocks[kinds.index("linear_attention")].mixer
    assert cfg.conv_dim == mixer.conv1d.weight.shape[0]
    assert cfg.mamba_intermediate_size == mixer.out_proj.weight.shape[1]
    assert cfg.mamba_num_heads == mixer.A_log.shape[0]
    assert cfg.mamba_num_heads * cfg.mamba_head_dim == cfg.mamba_intermediate_size
    for name in ("mamba_num_heads", "mamba_head_dim", "n_groups", "ssm_state_size"):
        assert getattr(cfg, name) == getattr(hf, name)
    assert cfg.layers_block_type == kinds
    # Components of layers hold copies.
    assert mixer.config is not cfg
    assert (mixer.config.mamba_intermediate_size, mixer.config.conv_dim) == (intermediate, conv_dim)
    slots = {"linear_attention": "mixer", "full_attention": "attn", "moe": "mlp", "mlp": "mlp"}
    for block, kind in zip(bridge.blocks, kinds, strict=True):
        assert set(block.submodules) == {"norm", slots[kind]}


@pytest.mark.parametrize("adapters, right", [(ours, True), (installed, False)])
def test_the_installed_adapter_guesses(adapters: ModuleType, right: bool) -> None:
    """What this is a remedy for: its defaults stand in for values that do not reach it."""
    path = next(path for path in CHECKPOINTS if "30B" in path.stem)
    cfg = wrap(on_meta(path), adapters).cfg
    assert ((cfg.mamba_intermediate_size, cfg.conv_dim) == (4096, 6144)) is right
