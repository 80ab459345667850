"""Attention components that keep the forward of Hugging Face."""

from __future__ import annotations

from adaptergen.behaviours import RuntimeComponent

#: What the forward of Hugging Face never fires.
_DEAD = ("hook_hidden_states",)

COMPONENTS = (
    RuntimeComponent(
        "HFAttentionBridge",
        extends="AttentionBridge",
        without=(*_DEAD, "hook_attn_in", "hook_q_input", "hook_k_input", "hook_v_input"),
    ),
    RuntimeComponent(
        "HFRotaryAttentionBridge", extends="PositionEmbeddingsAttentionBridge", without=_DEAD
    ),
    RuntimeComponent(
        "HFLatentAttentionBridge",
        extends="MLAAttentionBridge",
        without=_DEAD,
        may_add=("hook_freqs_cis",),
    ),
    RuntimeComponent("HFTappedAttentionBridge", extends="GeneralizedComponent"),
    RuntimeComponent(
        "ComplexRotaryEmbeddingBridge",
        extends="RotaryEmbeddingBridge",
        without=("hook_cos", "hook_sin", "hook_out"),
        adds=("hook_freqs_cis",),
    ),
)
