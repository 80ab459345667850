# Generated from specs/deepseek_v2.yaml by `adaptergen build specs/deepseek_v2.yaml`.
"""DeepSeek-V2 architecture adapter.

Supports DeepseekV2ForCausalLM. Decoder with latent attention; the first layers are dense, the
others mixtures of experts.

- ``dense``: gated MLP of a dense layer among sparse ones, bound as ``mlp``
- ``moe``: mixture of experts, bound as ``mlp``

Queries are compressed where the config has q_lora_rank, and projected directly where not. The
rotation is one complex tensor, at rotary_emb.hook_freqs_cis; there are no cosines and sines.
"""

from typing import Any

from transformer_lens.model_bridge.generalized_components import (
    EmbeddingBridge,
    LinearBridge,
    MLABlockBridge,
    MoERouterBridge,
    RMSNormalizationBridge,
    UnembeddingBridge,
)
from transformer_lens.model_bridge.generalized_components.base import (
    GeneralizedComponent,
)
from transformer_lens.model_bridge.generalized_components.declarative_adapter import (
    DeclarativeAdapter,
)
from transformer_lens.model_bridge.generalized_components.hf_attention import (
    ComplexRotaryEmbeddingBridge,
    HFLatentAttentionBridge,
)
from transformer_lens.model_bridge.generalized_components.layer_kinds import (
    LayerKind,
    blocks_with_kinds,
    with_pos_dim,
    without_hooks,
)
from transformer_lens.model_bridge.generalized_components.mixture import MixtureBridge


class DeepSeekV2ArchitectureAdapter(DeclarativeAdapter):
    """Architecture adapter for DeepseekV2ForCausalLM models."""

    supports_fold_ln = False
    from_hf = ("q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
    heads = {"attn.o.hook_in": "n_heads"}

    def __init__(self, cfg: Any) -> None:
        """Initialize the DeepSeek-V2 architecture adapter."""
        super().__init__(cfg)

        self._set_rms_rotary_defaults()

        kinds = {
            "dense": LayerKind(
                "mlp",
                MixtureBridge(
                    name="mlp",
                    config=self.cfg,
                    submodules={
                        "dense_gate": LinearBridge(name="gate_proj"),
                        "dense_in": LinearBridge(name="up_proj"),
                        "dense_out": LinearBridge(name="down_proj"),
                    },
                ),
                has_submodule="mlp.gate_proj",
            ),
            "moe": LayerKind(
                "mlp",
                MixtureBridge(
                    name="mlp",
                    config=self.cfg,
                    submodules={
                        "gate": with_pos_dim(MoERouterBridge(name="gate"), 0),
                        "experts": with_pos_dim(GeneralizedComponent(name="experts"), 0),
                        "shared_experts": self._gated_mlp(name="shared_experts"),
                    },
                ),
                has_submodule="mlp.gate",
            ),
        }
        self.component_mapping = {
            "embed": EmbeddingBridge(name="model.embed_tokens"),
            "rotary_emb": ComplexRotaryEmbeddingBridge(name="model.rotary_emb"),
            "blocks": blocks_with_kinds(
                MLABlockBridge,
                name="model.layers",
                config=self.cfg,
                submodules={
                    "ln1": RMSNormalizationBridge(name="input_layernorm", config=self.cfg),
                    "attn": without_hooks(
                        HFLatentAttentionBridge(
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
                        "hook_cos",
                        "hook_sin",
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
