# Generated from specs/deepseek_v2.yaml by `adaptergen build specs/deepseek_v2.yaml`.
"""Structure of the DeepSeek-V2 adapter: what it maps, what a block binds, what cfg carries."""

import copy
from types import SimpleNamespace

import pytest
import torch

from transformer_lens.config import TransformerBridgeConfig
from transformer_lens.model_bridge.generalized_components.base import (
    GeneralizedComponent,
)
from transformer_lens.model_bridge.supported_architectures.deepseek_v2 import (
    DeepSeekV2ArchitectureAdapter,
)

# Canonical name -> bridge class and HF path.
MODEL = {
    "embed": "EmbeddingBridge model.embed_tokens",
    "rotary_emb": "ComplexRotaryEmbeddingBridge model.rotary_emb",
    "ln_final": "RMSNormalizationBridge model.norm",
    "unembed": "UnembeddingBridge lm_head",
    "blocks": "MLABlockBridgeWithKinds model.layers",
}
LAYERS = {
    "dense": {
        "ln1": "RMSNormalizationBridge input_layernorm",
        "attn": "HFLatentAttentionBridge self_attn",
        "attn.q_proj": "LinearBridge q_proj",
        "attn.q_a_proj": "LinearBridge q_a_proj",
        "attn.q_a_layernorm": "RMSNormalizationBridge q_a_layernorm",
        "attn.q_b_proj": "LinearBridge q_b_proj",
        "attn.kv_a_proj_with_mqa": "LinearBridge kv_a_proj_with_mqa",
        "attn.kv_a_layernorm": "RMSNormalizationBridge kv_a_layernorm",
        "attn.kv_b_proj": "LinearBridge kv_b_proj",
        "attn.o": "LinearBridge o_proj",
        "ln2": "RMSNormalizationBridge post_attention_layernorm",
        "mlp": "MixtureBridge mlp",
        "mlp.dense_gate": "LinearBridge gate_proj",
        "mlp.dense_in": "LinearBridge up_proj",
        "mlp.dense_out": "LinearBridge down_proj",
    },
    "moe": {
        "ln1": "RMSNormalizationBridge input_layernorm",
        "attn": "HFLatentAttentionBridge self_attn",
        "attn.q_proj": "LinearBridge q_proj",
        "attn.q_a_proj": "LinearBridge q_a_proj",
        "attn.q_a_layernorm": "RMSNormalizationBridge q_a_layernorm",
        "attn.q_b_proj": "LinearBridge q_b_proj",
        "attn.kv_a_proj_with_mqa": "LinearBridge kv_a_proj_with_mqa",
        "attn.kv_a_layernorm": "RMSNormalizationBridge kv_a_layernorm",
        "attn.kv_b_proj": "LinearBridge kv_b_proj",
        "attn.o": "LinearBridge o_proj",
        "ln2": "RMSNormalizationBridge post_attention_layernorm",
        "mlp": "MixtureBridge mlp",
        "mlp.gate": "MoERouterBridge gate",
        "mlp.experts": "GeneralizedComponent experts",
        "mlp.shared_experts": "GatedMLPBridge shared_experts",
        "mlp.shared_experts.gate": "LinearBridge gate_proj",
        "mlp.shared_experts.in": "LinearBridge up_proj",
        "mlp.shared_experts.out": "LinearBridge down_proj",
    },
}
# Components that depend on a field of the HF config, and whether it has to be set.
CONDITIONAL = {
    "attn.q_proj": ("q_lora_rank", False),
    "attn.q_a_proj": ("q_lora_rank", True),
    "attn.q_a_layernorm": ("q_lora_rank", True),
    "attn.q_b_proj": ("q_lora_rank", True),
}
SLOTS = {"dense": "mlp", "moe": "mlp"}
HOLDS = {"dense": "mlp.gate_proj", "moe": "mlp.gate"}

# No two values are alike, and none is a default of HF or TransformerLens.
HF_CONFIG = {
    "q_lora_rank": 6,
    "kv_lora_rank": 10,
    "qk_nope_head_dim": 14,
    "qk_rope_head_dim": 18,
    "v_head_dim": 22,
}
DIMENSIONS = {
    "q_lora_rank": 6,
    "kv_lora_rank": 10,
    "qk_nope_head_dim": 14,
    "qk_rope_head_dim": 18,
    "v_head_dim": 22,
}


def make_cfg(**attributes: object) -> TransformerBridgeConfig:
    cfg = TransformerBridgeConfig(
        d_model=32,
        d_head=8,
        n_heads=4,
        n_layers=3,
        n_ctx=64,
        d_vocab=50,
        architecture="DeepseekV2ForCausalLM",
    )
    for name, value in attributes.items():
        setattr(cfg, name, value)
    return cfg


def listing(components: dict[str, GeneralizedComponent], prefix: str = "") -> dict[str, str]:
    lines = {}
    for name, component in components.items():
        lines[prefix + name] = f"{type(component).__name__} {component.name}"
        lines.update(listing(component.submodules, f"{prefix}{name}."))
    return lines


def bind(
    adapter: DeepSeekV2ArchitectureAdapter, *held: str, **config: object
) -> GeneralizedComponent:
    """A block bound to a stand-in for an HF block that holds this, as TransformerLens binds it."""
    hf_block = torch.nn.Module()
    for path in held:
        inner = hf_block
        for part in path.split("."):
            if part not in dict(inner.named_children()):
                inner.add_module(part, torch.nn.Module())
            inner = getattr(inner, part)
    hf_block.inner = torch.nn.Module()
    hf_block.inner.config = SimpleNamespace(**{**{"q_lora_rank": 16}, **config})
    block = copy.deepcopy(adapter.components["blocks"])
    block.name = "model.layers.3"
    block.set_original_component(hf_block)
    return block


def is_there(name: str, value: object) -> bool:
    """Whether a layer has a component where the fields it depends on have this value."""
    return all(
        (value is not None) == is_set
        for path, (_, is_set) in CONDITIONAL.items()
        if f"{name}.".startswith(f"{path}.")
    )


@pytest.fixture
def adapter() -> DeepSeekV2ArchitectureAdapter:
    return DeepSeekV2ArchitectureAdapter(make_cfg())


class TestComponentMapping:
    def test_model(self, adapter):
        mapping = adapter.get_component_mapping()
        assert {n: f"{type(c).__name__} {c.name}" for n, c in mapping.items()} == MODEL

    @pytest.mark.parametrize("value", [16, None])
    @pytest.mark.parametrize("kind", LAYERS)
    def test_layer_binds_what_its_kind_has(self, adapter, kind, value):
        block = bind(adapter, HOLDS[kind], **dict.fromkeys(["q_lora_rank"], value))
        there = {name for name in LAYERS[kind] if is_there(name, value)}
        assert listing(block.submodules) == {name: LAYERS[kind][name] for name in there}

    @pytest.mark.parametrize("held", [(), HOLDS.values()])
    def test_layer_of_no_single_kind_names_layer_and_kinds(self, adapter, held):
        with pytest.raises(ValueError, match=r"\.3.*'dense'.*'moe'.*\}$"):
            bind(adapter, *held)


class TestConfig:
    def test_dimensions_from_the_wrapped_model(self, adapter):
        model = SimpleNamespace(config=SimpleNamespace(**HF_CONFIG))
        adapter.setup_hook_compatibility(SimpleNamespace(original_model=model, blocks=[]))
        assert {name: getattr(adapter.cfg, name) for name in DIMENSIONS} == DIMENSIONS


class TestPaths:
    @pytest.mark.parametrize("kind", LAYERS)
    def test_paths_of_a_layer(self, adapter, kind):
        for name in LAYERS[kind]:
            parts = name.split(".")
            above = [".".join(parts[: end + 1]) for end in range(len(parts))]
            hf_path = ".".join(LAYERS[kind][parent].split()[1] for parent in above)
            path = adapter.translate_transformer_lens_path(f"blocks.3.{name}")
            assert path == f"model.layers.3.{hf_path}"
