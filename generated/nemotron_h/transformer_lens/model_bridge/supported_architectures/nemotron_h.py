# Generated from specs/nemotron_h.yaml by `adaptergen build specs/nemotron_h.yaml`.
"""Nemotron-H architecture adapter.

Supports NemotronHForCausalLM. Hybrid decoder of Mamba-2, attention, mixture-of-experts and MLP
layers, one mixer each.

- ``linear_attention``: Mamba-2, bound as ``mixer``
- ``full_attention``: grouped-query attention, bound as ``attn``
- ``moe``: mixture of experts, bound as ``mlp``
- ``mlp``: ungated MLP, bound as ``mlp``

There is no positional embedding; attention rotates neither queries nor keys. Generation keeps the
keys and values of attention and the convolution and recurrent states of Mamba-2 in one cache.
"""

from typing import Any

from transformer_lens.model_bridge.generalized_components import (
    DepthwiseConv1DBridge,
    EmbeddingBridge,
    GatedRMSNormBridge,
    LinearBridge,
    MLPBridge,
    MoERouterBridge,
    RMSNormalizationBridge,
    SSMBlockBridge,
    UnembeddingBridge,
)
from transformer_lens.model_bridge.generalized_components.base import (
    GeneralizedComponent,
)
from transformer_lens.model_bridge.generalized_components.declarative_adapter import (
    DeclarativeAdapter,
)
from transformer_lens.model_bridge.generalized_components.hf_attention import (
    HFAttentionBridge,
)
from transformer_lens.model_bridge.generalized_components.layer_kinds import (
    LayerKind,
    blocks_with_kinds,
    with_pos_dim,
)
from transformer_lens.model_bridge.generalized_components.mixture import MixtureBridge
from transformer_lens.model_bridge.generalized_components.state_space import (
    StateSpaceMixerBridge,
)


class NemotronHArchitectureAdapter(DeclarativeAdapter):
    """Architecture adapter for NemotronHForCausalLM models."""

    from_hf = ("mamba_num_heads", "mamba_head_dim", "n_groups", "ssm_state_size")
    kinds_field = "layers_block_type"
    former_kinds = {"mamba": "linear_attention", "attention": "full_attention"}
    stateful_cache = "DynamicCache"

    def __init__(self, cfg: Any) -> None:
        """Initialize the Nemotron-H architecture adapter."""
        super().__init__(cfg)

        self.cfg.normalization_type = "RMS"
        self.cfg.uses_rms_norm = True
        self.cfg.final_rms = True
        self.cfg.positional_embedding_type = "none"

        kinds = {
            "linear_attention": LayerKind(
                "mixer",
                StateSpaceMixerBridge(
                    name="mixer",
                    config=self.cfg,
                    submodules={
                        "in_proj": LinearBridge(name="in_proj"),
                        "conv1d": DepthwiseConv1DBridge(name="conv1d"),
                        "inner_norm": GatedRMSNormBridge(name="norm"),
                        "out_proj": LinearBridge(name="out_proj"),
                    },
                ),
            ),
            "full_attention": LayerKind(
                "attn",
                HFAttentionBridge(
                    name="mixer",
                    config=self.cfg,
                    submodules={
                        "q": LinearBridge(name="q_proj"),
                        "k": LinearBridge(name="k_proj"),
                        "v": LinearBridge(name="v_proj"),
                        "o": LinearBridge(name="o_proj"),
                    },
                ),
            ),
            "moe": LayerKind(
                "mlp",
                MixtureBridge(
                    name="mixer",
                    config=self.cfg,
                    submodules={
                        "gate": with_pos_dim(MoERouterBridge(name="gate"), 0),
                        "experts": with_pos_dim(GeneralizedComponent(name="experts"), 0),
                        "latent_in": with_pos_dim(LinearBridge(name="fc1_latent_proj"), 0),
                        "latent_out": with_pos_dim(LinearBridge(name="fc2_latent_proj"), 0),
                        "shared_experts": MLPBridge(
                            name="shared_experts",
                            submodules={
                                "in": LinearBridge(name="up_proj"),
                                "out": LinearBridge(name="down_proj"),
                            },
                        ),
                    },
                ),
                conditional={
                    "latent_in": ("moe_latent_size", True),
                    "latent_out": ("moe_latent_size", True),
                },
            ),
            "mlp": LayerKind(
                "mlp",
                MLPBridge(
                    name="mixer",
                    submodules={
                        "in": LinearBridge(name="up_proj"),
                        "out": LinearBridge(name="down_proj"),
                    },
                ),
            ),
        }
        self.component_mapping = {
            "embed": EmbeddingBridge(name="model.embeddings"),
            "blocks": blocks_with_kinds(
                SSMBlockBridge,
                name="model.layers",
                config=self.cfg,
                submodules={"norm": RMSNormalizationBridge(name="norm", config=self.cfg)},
                kinds=kinds,
                attribute="block_type",
                former=self.former_kinds,
                aliases={
                    "hook_mixer_in": ["mixer.hook_in", "attn.hook_in", "mlp.hook_in"],
                    "hook_mixer_out": ["mixer.hook_out", "attn.hook_out", "mlp.hook_out"],
                },
            ),
            "ln_final": RMSNormalizationBridge(name="model.norm_f", config=self.cfg),
            "unembed": UnembeddingBridge(name="lm_head"),
        }

    def derive(self, cfg: Any) -> None:
        """Set what is made of the fields that ``cfg`` has by now."""
        cfg.mamba_intermediate_size = cfg.mamba_num_heads * cfg.mamba_head_dim
        cfg.conv_dim = cfg.mamba_intermediate_size + 2 * cfg.n_groups * cfg.ssm_state_size
