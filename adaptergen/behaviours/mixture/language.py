"""The component of a mixture of experts."""

from __future__ import annotations

from adaptergen.behaviours import RuntimeComponent

COMPONENTS = (
    RuntimeComponent(
        "MixtureBridge",
        extends="MoEBridge",
        # The names would be those of the input and the output of the mixture, and not of neurons.
        without=("hook_pre", "hook_post", "hook_router_scores"),
    ),
)
