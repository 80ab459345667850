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

    _attention_bridge_cls = HFRotaryAttentionBridge

    def __init__(self, cfg: Any) -> None:
        """Initialize the Helium architecture adapter."""
        super().__init__(cfg)

        self._set_rms_rotary_defaults()
        self.cfg.rotary_adjacent_pairs = True

        # TL folds norms into the weights of each head.
        self.weight_processing_conversions = {**self._qkvo_weight_conversions()}
        self.component_mapping = {
            "embed": EmbeddingBridge(name="model.embed_tokens"),
            "rotary_emb": without_hooks(RotaryEmbeddingBridge(name="model.rotary_emb"), "hook_out"),
            "blocks": BlockBridge(
                name="model.layers",
                submodules={
                    "ln1": RMSNormalizationBridge(name="input_layernorm", config=self.cfg),
                    "attn": self._qkvo_attention_bridge(),
                    "ln2": RMSNormalizationBridge(name="post_attention_layernorm", config=self.cfg),
                    "mlp": self._gated_mlp(),
                },
            ),
            "ln_final": RMSNormalizationBridge(name="model.norm", config=self.cfg),
            "unembed": UnembeddingBridge(name="lm_head"),
        }
