"""Mixtures of experts whose router logits can be edited before experts are chosen."""

from __future__ import annotations

from typing import Any

from transformer_lens.model_bridge.generalized_components.layer_kinds import (
    without_hooks,
)
from transformer_lens.model_bridge.generalized_components.moe import MoEBridge
from transformer_lens.model_bridge.generalized_components.taps import Tap, TapsMixin


class MixtureBridge(TapsMixin, MoEBridge):
    """MoEBridge with hooks on the product of tokens and router weight.

    Experts are chosen after that, so an edit of ``gate.hook_out`` reaches the choice. Both hooks
    hold rows, ``[batch * pos, ...]``. A dense layer among sparse ones has no router, but neurons.
    """

    taps = {
        "gate.hook_in": Tap(weight="gate.weight", argument=0, flatten=0),
        "gate.hook_out": Tap(weight="gate.weight", flatten=0),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # They would be the mixture's input and output. A dense layer gets its own when it is bound.
        without_hooks(self, "hook_pre", "hook_post", "hook_router_scores")
