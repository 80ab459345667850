# Generated from specs/nemotron_h.yaml by `adaptergen build specs/nemotron_h.yaml`.
"""Structure of the Nemotron-H adapter: what it maps, what a block binds, what cfg carries."""

import copy
from types import SimpleNamespace

import pytest
import torch

from transformer_lens.config import TransformerBridgeConfig
from transformer_lens.model_bridge.generalized_components.base import (
    GeneralizedComponent,
)
from transformer_lens.model_bridge.supported_architectures.nemotron_h import (
    NemotronHArchitectureAdapter,
)

# Canonical name -> bridge class and HF path.
MODEL = {
    "embed": "EmbeddingBridge model.embeddings",
    "ln_final": "RMSNormalizationBridge model.norm_f",
    "unembed": "UnembeddingBridge lm_head",
    "blocks": "SSMBlockBridgeWithKinds model.layers",
}
LAYERS = {
    "linear_attention": {
        "norm": "RMSNormalizationBridge norm",
        "mixer": "StateSpaceMixerBridge mixer",
        "mixer.in_proj": "LinearBridge in_proj",
        "mixer.conv1d": "DepthwiseConv1DBridge conv1d",
        "mixer.inner_norm": "GatedRMSNormBridge norm",
        "mixer.out_proj": "LinearBridge out_proj",
    },
    "full_attention": {
        "norm": "RMSNormalizationBridge norm",
        "attn": "HFAttentionBridge mixer",
        "attn.q": "LinearBridge q_proj",
        "attn.k": "LinearBridge k_proj",
        "attn.v": "LinearBridge v_proj",
        "attn.o": "LinearBridge o_proj",
    },
    "moe": {
        "norm": "RMSNormalizationBridge norm",
        "mlp": "MixtureBridge mixer",
        "mlp.gate": "MoERouterBridge gate",
        "mlp.experts": "GeneralizedComponent experts",
        "mlp.latent_in": "LinearBridge fc1_latent_proj",
        "mlp.latent_out": "LinearBridge fc2_latent_proj",
        "mlp.shared_experts": "MLPBridge shared_experts",
        "mlp.shared_experts.in": "LinearBridge up_proj",
        "mlp.shared_experts.out": "LinearBridge down_proj",
    },
    "mlp": {
        "norm": "RMSNormalizationBridge norm",
        "mlp": "MLPBridge mixer",
        "mlp.in": "LinearBridge up_proj",
        "mlp.out": "LinearBridge down_proj",
    },
}
# Components that depend on a field of the HF config, and whether it has to be set.
CONDITIONAL = {
    "mlp.latent_in": ("moe_latent_size", True),
    "mlp.latent_out": ("moe_latent_size", True),
}
SLOTS = {"linear_attention": "mixer", "full_attention": "attn", "moe": "mlp", "mlp": "mlp"}
FORMER_KINDS = {"mamba": "linear_attention", "attention": "full_attention"}

# No two values are alike, and none is a default of HF or TransformerLens.
HF_CONFIG = {
    "layers_block_type": ["mamba", "attention", "moe", "mlp", "linear_attention"],
    "mamba_num_heads": 6,
    "mamba_head_dim": 10,
    "n_groups": 14,
    "ssm_state_size": 18,
}
DIMENSIONS = {
    "mamba_num_heads": 6,
    "mamba_head_dim": 10,
    "n_groups": 14,
    "ssm_state_size": 18,
    "mamba_intermediate_size": 60,
    "conv_dim": 564,
}


def make_cfg(**attributes: object) -> TransformerBridgeConfig:
    cfg = TransformerBridgeConfig(
        d_model=32,
        d_head=8,
        n_heads=4,
        n_layers=5,
        n_ctx=64,
        d_vocab=50,
        architecture="NemotronHForCausalLM",
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
    adapter: NemotronHArchitectureAdapter, kind: str, **config: object
) -> GeneralizedComponent:
    """A block bound to a stand-in for the HF block of a layer, as TransformerLens binds it."""
    hf_block = torch.nn.Module()
    hf_block.block_type = kind
    hf_block.inner = torch.nn.Module()
    hf_block.inner.config = SimpleNamespace(**{**{"moe_latent_size": 16}, **config})
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
def adapter() -> NemotronHArchitectureAdapter:
    return NemotronHArchitectureAdapter(make_cfg())


class TestComponentMapping:
    def test_model(self, adapter):
        mapping = adapter.get_component_mapping()
        assert {n: f"{type(c).__name__} {c.name}" for n, c in mapping.items()} == MODEL

    @pytest.mark.parametrize("value", [16, None])
    @pytest.mark.parametrize("kind", LAYERS)
    def test_layer_binds_what_its_kind_has(self, adapter, kind, value):
        block = bind(adapter, kind, **dict.fromkeys(["moe_latent_size"], value))
        there = {name for name in LAYERS[kind] if is_there(name, value)}
        assert listing(block.submodules) == {name: LAYERS[kind][name] for name in there}

    @pytest.mark.parametrize("former, kind", FORMER_KINDS.items())
    def test_former_name_of_a_kind(self, adapter, former, kind):
        assert listing(bind(adapter, former).submodules) == listing(bind(adapter, kind).submodules)

    def test_unknown_kind_names_layer_and_kinds(self, adapter):
        with pytest.raises(
            ValueError,
            match=r"\.3.*'window'.*'full_attention'.*'linear_attention'.*'mlp'.*'moe'\]$",
        ):
            bind(adapter, "window")

    @pytest.mark.parametrize("kind", LAYERS)
    def test_aliases_of_the_block(self, adapter, kind):
        assert bind(adapter, kind).hook_aliases == {
            "hook_resid_post": "hook_out",
            "hook_resid_pre": "hook_in",
            "hook_mixer_in": f"{SLOTS[kind]}.hook_in",
            "hook_mixer_out": f"{SLOTS[kind]}.hook_out",
        }


class TestConfig:
    def test_kinds_by_their_canonical_names(self, adapter):
        source = {"layers_block_type": HF_CONFIG["layers_block_type"]}
        from_cfg = NemotronHArchitectureAdapter(make_cfg(**source))
        model = SimpleNamespace(config=SimpleNamespace(**HF_CONFIG))
        adapter.setup_hook_compatibility(SimpleNamespace(original_model=model, blocks=[]))
        for cfg in (from_cfg.cfg, adapter.cfg):
            assert cfg.layers_block_type == [
                "linear_attention",
                "full_attention",
                "moe",
                "mlp",
                "linear_attention",
            ]

    def test_dimensions_from_cfg_that_carries_them(self):
        source = {name: HF_CONFIG[name] for name in HF_CONFIG if name in DIMENSIONS}
        cfg = NemotronHArchitectureAdapter(make_cfg(**source)).cfg
        assert {name: getattr(cfg, name) for name in DIMENSIONS} == DIMENSIONS

    def test_dimensions_from_the_wrapped_model(self, adapter):
        model = SimpleNamespace(config=SimpleNamespace(**HF_CONFIG))
        adapter.setup_hook_compatibility(SimpleNamespace(original_model=model, blocks=[]))
        assert {name: getattr(adapter.cfg, name) for name in DIMENSIONS} == DIMENSIONS

    @pytest.mark.parametrize("name", [name for name in HF_CONFIG if name in DIMENSIONS])
    def test_dimensions_unknown_rather_than_guessed(self, name):
        known = {other: value for other, value in HF_CONFIG.items() if other != name}
        cfg = NemotronHArchitectureAdapter(make_cfg(**known)).cfg
        assert not {"mamba_intermediate_size", "conv_dim"} & set(vars(cfg))


class TestWeightNames:
    @pytest.mark.parametrize(
        "layer, kind",
        list(enumerate(["linear_attention", "full_attention", "moe", "mlp", "linear_attention"])),
    )
    def test_slot_in_the_name(self, layer, kind):
        adapter = NemotronHArchitectureAdapter(make_cfg(**HF_CONFIG))
        for name in LAYERS[kind]:
            # TransformerLens asks with its own names below the module that the slot takes.
            top, *below = name.split(".")
            hf_key = ".".join([LAYERS[kind][top].split()[1], *below, "weight"])
            tl_key = adapter.convert_hf_key_to_tl_key(f"model.layers.{layer}.{hf_key}")
            assert tl_key == f"blocks.{layer}.{name}.weight"


class TestPaths:
    @pytest.mark.parametrize("kind", LAYERS)
    def test_paths_of_a_layer(self, adapter, kind):
        for name in LAYERS[kind]:
            parts = name.split(".")
            above = [".".join(parts[: end + 1]) for end in range(len(parts))]
            hf_path = ".".join(LAYERS[kind][parent].split()[1] for parent in above)
            path = adapter.translate_transformer_lens_path(f"blocks.3.{name}")
            assert path == f"model.layers.3.{hf_path}"
