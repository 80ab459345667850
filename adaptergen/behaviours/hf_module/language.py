"""The components of a module and of a block that are taken as they are."""

from __future__ import annotations

from adaptergen.behaviours import RuntimeComponent

COMPONENTS = (
    RuntimeComponent("HFModuleBridge", extends="GeneralizedComponent"),
    RuntimeComponent(
        "HFBlockBridge",
        extends="BlockBridge",
        without=(
            "hook_mlp_in",
            "hook_resid_mid",
            "hook_attn_in",
            "hook_attn_out",
            "hook_q_input",
            "hook_k_input",
            "hook_v_input",
            "hook_mlp_out",
        ),
        may_add=("hook_mlp_in",),
    ),
)
