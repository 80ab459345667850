# Generated from specs/helium.yaml by `adaptergen build specs/helium.yaml`.
"""Helium architecture adapter.

Supports HeliumForCausalLM. Decoder with rotary attention and gated MLPs, each behind an RMS norm.

The rotation turns pairs of neighbours, not halves of a head.
"""

from typing import Any

from transformer_lens.model_bridge.architecture_adapter import ArchitectureAdapter
from transformer_lens.model_bridge.generalized_components import (
    BlockBridge,
    EmbeddingBridge,
    GatedMLPBridge,
    LinearBridge,
    RMSNormalizationBridge,
    RotaryEmbeddingBridge,
    UnembeddingBridge,
)
from transformer_lens.model_bridge.generalized_components.hf_attention import (
    HFRotaryAttentionBridge,
)
from transformer_lens.model_bridge.generalized_components.layer_kinds import (
    without_hooks,
)


class HeliumArchitectureAdapter(ArchitectureAdapter):
    """Architecture adapter for HeliumForCausalLM models."""

    def __init__(self, cfg: Any) -> None:
        """Initialize the Helium architecture adapter."""
        super().__init__(cfg)

        self.cfg.normalization_type = "RMS"
        self.cfg.uses_rms_norm = True
        self.cfg.final_rms = True
        self.cfg.positional_embedding_type = "rotary"
        self.cfg.rotary_adjacent_pairs = True
        self.cfg.gated_mlp = True

        # TL folds norms into the weights of each head.
        self.weight_processing_conversions = {**self._qkvo_weight_conversions()}
        self.component_mapping = {
            "embed": EmbeddingBridge(name="model.embed_tokens"),
            "rotary_emb": without_hooks(RotaryEmbeddingBridge(name="model.rotary_emb"), "hook_out"),
            "blocks": BlockBridge(
                name="model.layers",
                submodules={
                    "ln1": RMSNormalizationBridge(name="input_layernorm", config=self.cfg),
                    "attn": HFRotaryAttentionBridge(
                        name="self_attn",
                        config=self.cfg,
                        submodules={
                            "q": LinearBridge(name="q_proj"),
                            "k": LinearBridge(name="k_proj"),
                            "v": LinearBridge(name="v_proj"),
                            "o": LinearBridge(name="o_proj"),
                        },
                    ),
                    "ln2": RMSNormalizationBridge(name="post_attention_layernorm", config=self.cfg),
                    "mlp": GatedMLPBridge(
                        name="mlp",
                        config=self.cfg,
                        submodules={
                            "gate": LinearBridge(name="gate_proj"),
                            "in": LinearBridge(name="up_proj"),
                            "out": LinearBridge(name="down_proj"),
                        },
                    ),
                },
            ),
            "ln_final": RMSNormalizationBridge(name="model.norm", config=self.cfg),
            "unembed": UnembeddingBridge(name="lm_head"),
        }
