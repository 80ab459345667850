"""The component of a mixture of experts, and how many experts a smaller model needs."""

from __future__ import annotations

from adaptergen.behaviours import Reducible, RuntimeComponent

COMPONENTS = (
    RuntimeComponent(
        "MixtureBridge",
        extends="MoEBridge",
        # The names would be those of the input and the output of the mixture, and not of neurons.
        without=("hook_pre", "hook_post", "hook_router_scores"),
    ),
)

REDUCIBLE = (
    # Routers that choose within groups look at two experts of each.
    Reducible("MoERouterBridge", hook="hook_out", least=8, groups="n_group", in_group=2),
)
