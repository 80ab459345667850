"""Gated delta nets that Hugging Face computes, with hooks on the recurrence in every call."""

from __future__ import annotations

from typing import Any

from transformer_lens.model_bridge.generalized_components.gated_delta_net import (
    GatedDeltaNetBridge,
)
from transformer_lens.model_bridge.generalized_components.layer_kinds import (
    without_hooks,
)
from transformer_lens.model_bridge.generalized_components.taps import Tap, TapsMixin

#: Functions that convolve a sequence and a token.
CONVOLUTIONS = ("causal_conv1d_fn", "causal_conv1d_update")

#: Functions that run the recurrence over a sequence and over a token.
RECURRENCES = ("torch_chunk_gated_delta_rule", "torch_recurrent_gated_delta_rule")


class DeltaNetBridge(TapsMixin, GatedDeltaNetBridge):
    """GatedDeltaNetBridge without a forward of its own.

    Queries and keys are ``[batch, pos, key_heads, d_key]``, values and what the recurrence returns
    ``[batch, pos, value_heads, d_value]``, write strengths and log decays ``[batch, pos,
    value_heads]``. They fire with a cache too, so the analyses need no ``use_cache=False``.
    """

    taps = {
        "conv1d.hook_in": Tap(function=CONVOLUTIONS, argument=0, tokens=2),
        "conv1d.hook_out": Tap(function=CONVOLUTIONS, tokens=2, activation="activation"),
        "hook_q": Tap(function=RECURRENCES, argument=0),
        "hook_k": Tap(function=RECURRENCES, argument=1),
        "hook_v": Tap(function=RECURRENCES, argument=2),
        "hook_log_decay": Tap(function=RECURRENCES, argument=3),
        "hook_beta": Tap(function=RECURRENCES, argument=4),
        "hook_recurrence_out": Tap(function=RECURRENCES, part=0),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        without_hooks(
            self,
            "hook_q_pre_conv",
            "hook_k_pre_conv",
            "hook_v_pre_conv",
            "hook_beta_logit",
            "hook_gate_input",
            "hook_ssm_state",
        )

    def _plain_forward(self, *args: Any, **kwargs: Any) -> Any:
        # The forward of GatedDeltaNetBridge computes anew what Hugging Face computes.
        return self._native_forward(*args, **kwargs)
