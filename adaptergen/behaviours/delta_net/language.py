"""The component of a gated delta net that Hugging Face computes."""

from __future__ import annotations

from adaptergen.behaviours import RuntimeComponent

COMPONENTS = (
    RuntimeComponent(
        "DeltaNetBridge",
        extends="GatedDeltaNetBridge",
        # Before the convolution, queries, keys and values are one tensor: `conv1d.hook_in`.
        without=(
            "hook_q_pre_conv",
            "hook_k_pre_conv",
            "hook_v_pre_conv",
            "hook_beta_logit",
            "hook_gate_input",
            "hook_ssm_state",
        ),
    ),
)
