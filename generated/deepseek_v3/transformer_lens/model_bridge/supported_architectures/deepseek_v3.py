# Generated from specs/deepseek_v3.yaml by `adaptergen build specs/deepseek_v3.yaml`.
"""DeepSeek-V3 architecture adapter.

Supports DeepseekV3ForCausalLM. Decoder with latent attention; the first layers are dense, the
others mixtures of experts.

- ``dense``: gated MLP of a dense layer among sparse ones, bound as ``mlp``
- ``moe``: mixture of experts, bound as ``mlp``

Queries are compressed where the config has q_lora_rank, and projected directly where not. Experts
are chosen within groups, by scores that a bias corrects.
"""

from typing import Any

from transformer_lens.model_bridge.architecture_adapter import ArchitectureAdapter
from transformer_lens.model_bridge.generalized_components import (
    EmbeddingBridge,
    GatedMLPBridge,
    LinearBridge,
    MLABlockBridge,
    MoEBridge,
    MoERouterBridge,
    RMSNormalizationBridge,
    RotaryEmbeddingBridge,
    UnembeddingBridge,
)
from transformer_lens.model_bridge.generalized_components.base import (
    GeneralizedComponent,
)
from transformer_lens.model_bridge.generalized_components.hf_attention import (
    HFLatentAttentionBridge,
)
from transformer_lens.model_bridge.generalized_components.layer_kinds import (
    LayerKind,
    blocks_with_kinds,
    configs_of,
    over_tokens,
    split_heads,
    without_hooks,
)
from transformer_lens.model_bridge.generalized_components.mixture import MixtureBridge


class DeepSeekV3ArchitectureAdapter(ArchitectureAdapter):
    """Architecture adapter for DeepseekV3ForCausalLM models."""

    supports_fold_ln = False

    def __init__(self, cfg: Any) -> None:
        """Initialize the DeepSeek-V3 architecture adapter."""
        super().__init__(cfg)

        self.cfg.normalization_type = "RMS"
        self.cfg.uses_rms_norm = True
        self.cfg.final_rms = True
        self.cfg.positional_embedding_type = "rotary"
        self.cfg.gated_mlp = True

        kinds = {
            "dense": LayerKind(
                "mlp",
                without_hooks(
                    MoEBridge(
                        name="mlp",
                        config=self.cfg,
                        submodules={
                            "dense_gate": LinearBridge(name="gate_proj"),
                            "dense_in": LinearBridge(name="up_proj"),
                            "dense_out": LinearBridge(name="down_proj"),
                        },
                    ),
                    "hook_router_scores",
                ),
                has_submodule="mlp.gate_proj",
            ),
            "moe": LayerKind(
                "mlp",
                MixtureBridge(
                    name="mlp",
                    config=self.cfg,
                    submodules={
                        "gate": over_tokens(MoERouterBridge(name="gate")),
                        "experts": over_tokens(GeneralizedComponent(name="experts")),
                        "shared_experts": GatedMLPBridge(
                            name="shared_experts",
                            config=self.cfg,
                            submodules={
                                "gate": LinearBridge(name="gate_proj"),
                                "in": LinearBridge(name="up_proj"),
                                "out": LinearBridge(name="down_proj"),
                            },
                        ),
                    },
                ),
                has_submodule="mlp.gate",
            ),
        }
        self.component_mapping = {
            "embed": EmbeddingBridge(name="model.embed_tokens"),
            "rotary_emb": without_hooks(RotaryEmbeddingBridge(name="model.rotary_emb"), "hook_out"),
            "blocks": blocks_with_kinds(
                MLABlockBridge,
                name="model.layers",
                config=self.cfg,
                submodules={
                    "ln1": RMSNormalizationBridge(name="input_layernorm", config=self.cfg),
                    "attn": HFLatentAttentionBridge(
                        name="self_attn",
                        config=self.cfg,
                        submodules={
                            "q_proj": LinearBridge(name="q_proj"),
                            "q_a_proj": LinearBridge(name="q_a_proj"),
                            "q_a_layernorm": RMSNormalizationBridge(
                                name="q_a_layernorm", config=self.cfg
                            ),
                            "q_b_proj": LinearBridge(name="q_b_proj"),
                            "kv_a_proj_with_mqa": LinearBridge(name="kv_a_proj_with_mqa"),
                            "kv_a_layernorm": RMSNormalizationBridge(
                                name="kv_a_layernorm", config=self.cfg
                            ),
                            "kv_b_proj": LinearBridge(name="kv_b_proj"),
                            "o": LinearBridge(name="o_proj"),
                        },
                    ),
                    "ln2": RMSNormalizationBridge(name="post_attention_layernorm", config=self.cfg),
                },
                kinds=kinds,
                conditional={
                    "attn.hook_q_latent": ("q_lora_rank", True),
                    "attn.q_proj": ("q_lora_rank", False),
                    "attn.q_a_proj": ("q_lora_rank", True),
                    "attn.q_a_layernorm": ("q_lora_rank", True),
                    "attn.q_b_proj": ("q_lora_rank", True),
                },
            ),
            "ln_final": RMSNormalizationBridge(name="model.norm", config=self.cfg),
            "unembed": UnembeddingBridge(name="lm_head"),
        }

    def setup_hook_compatibility(self, bridge: Any) -> None:
        """Set up what needs the wrapped model."""
        # TL passes only what it knows on to cfg.
        for cfg in configs_of(self.cfg, bridge):
            self._set_dimensions(cfg, bridge.original_model.config)
        for block in bridge.blocks:
            split_heads(block, "attn.o.hook_in", self.cfg.n_heads)

    @staticmethod
    def _set_dimensions(cfg: Any, source: Any) -> None:
        """Set the dimensions that an HF config gives."""
        cfg.q_lora_rank = source.q_lora_rank
        cfg.kv_lora_rank = source.kv_lora_rank
        cfg.qk_nope_head_dim = source.qk_nope_head_dim
        cfg.qk_rope_head_dim = source.qk_rope_head_dim
        cfg.v_head_dim = source.v_head_dim
