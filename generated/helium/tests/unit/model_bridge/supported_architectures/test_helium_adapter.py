# Generated from specs/helium.yaml by `adaptergen build specs/helium.yaml`.
"""Structure of the Helium adapter: what it maps, what a block binds, what cfg carries."""

import pytest

from transformer_lens.config import TransformerBridgeConfig
from transformer_lens.model_bridge.generalized_components.base import (
    GeneralizedComponent,
)
from transformer_lens.model_bridge.supported_architectures.helium import (
    HeliumArchitectureAdapter,
)

# Canonical name -> bridge class and HF path.
MODEL = {
    "embed": "EmbeddingBridge model.embed_tokens",
    "rotary_emb": "RotaryEmbeddingBridge model.rotary_emb",
    "ln_final": "RMSNormalizationBridge model.norm",
    "unembed": "UnembeddingBridge lm_head",
    "blocks": "BlockBridge model.layers",
}
LAYERS = {
    "ln1": "RMSNormalizationBridge input_layernorm",
    "attn": "HFRotaryAttentionBridge self_attn",
    "attn.q": "LinearBridge q_proj",
    "attn.k": "LinearBridge k_proj",
    "attn.v": "LinearBridge v_proj",
    "attn.o": "LinearBridge o_proj",
    "ln2": "RMSNormalizationBridge post_attention_layernorm",
    "mlp": "GatedMLPBridge mlp",
    "mlp.gate": "LinearBridge gate_proj",
    "mlp.in": "LinearBridge up_proj",
    "mlp.out": "LinearBridge down_proj",
}


def make_cfg(**attributes: object) -> TransformerBridgeConfig:
    cfg = TransformerBridgeConfig(
        d_model=32,
        d_head=8,
        n_heads=4,
        n_layers=2,
        n_ctx=64,
        d_vocab=50,
        architecture="HeliumForCausalLM",
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


@pytest.fixture
def adapter() -> HeliumArchitectureAdapter:
    return HeliumArchitectureAdapter(make_cfg())


class TestComponentMapping:
    def test_model(self, adapter):
        mapping = adapter.get_component_mapping()
        assert {n: f"{type(c).__name__} {c.name}" for n, c in mapping.items()} == MODEL

    def test_layer(self, adapter):
        assert listing(adapter.components["blocks"].submodules) == LAYERS
