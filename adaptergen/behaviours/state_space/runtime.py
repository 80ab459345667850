"""State-space mixers whose analyses hold for padded rows and with offloaded weights."""

from __future__ import annotations

import copy
from typing import Any

import torch

from transformer_lens.ActivationCache import ActivationCache
from transformer_lens.model_bridge.generalized_components import SSM2MixerBridge
from transformer_lens.model_bridge.generalized_components.base import (
    align_offloaded_subtree,
)
from transformer_lens.model_bridge.generalized_components.taps import Tap, TapsMixin

#: Functions that convolve a sequence and a token, and the module that older releases call.
CONVOLUTIONS = ("causal_conv1d_fn", "causal_conv1d_update", "conv1d")


class StateSpaceMixerBridge(TapsMixin, SSM2MixerBridge):
    """SSM2MixerBridge with hooks on the convolution, and analyses of what Hugging Face scans.

    Both hooks of the convolution are ``[batch, conv_dim, pos]`` over the tokens of the call, and
    the one on its output stands before the activation. Hugging Face sets padding to zero again
    after that, and so do the analyses.
    """

    taps = {
        "conv1d.hook_in": Tap(function=CONVOLUTIONS, argument=0, tokens=2),
        "conv1d.hook_out": Tap(function=CONVOLUTIONS, tokens=2, activation="act"),
    }
    fused_in_training = True

    def compute_effective_attention(
        self, cache: ActivationCache, layer_idx: int, include_dt_scaling: bool = False
    ) -> torch.Tensor:
        """The scan as a matrix, ``[batch, heads, pos, pos]``; see ``SSM2MixerBridge``."""
        # No module call loads the weights that the analysis reads.
        original: Any = self.original_component
        with align_offloaded_subtree(original):
            scanned = self._without_padding(cache, layer_idx)
            return super().compute_effective_attention(scanned, layer_idx, include_dt_scaling)

    def compute_ssm_state(
        self, cache: ActivationCache, layer_idx: int, time_step: int | None = None
    ) -> torch.Tensor:
        """The recurrent state, ``[batch, heads, pos, d_head, d_state]``; see ``SSM2MixerBridge``."""
        original: Any = self.original_component
        with align_offloaded_subtree(original):
            scanned = self._without_padding(cache, layer_idx)
            return super().compute_ssm_state(scanned, layer_idx, time_step)

    def _without_padding(self, cache: ActivationCache, layer_idx: int) -> ActivationCache:
        """The cache with what the convolution makes of padding zeroed."""
        mixer = f"blocks.{layer_idx}.mixer"
        before, after = f"{mixer}.in_proj.hook_out", f"{mixer}.conv1d.hook_out"
        if before not in cache or after not in cache:
            return cache  # The analysis says what it misses.
        # Padding goes into the projection as zeros, so the bias is all that comes out.
        bias = self.in_proj.original_component.bias
        is_token = (cache[before] != (0 if bias is None else bias)).any(-1)
        scanned = copy.copy(cache)
        scanned.cache_dict = {**cache.cache_dict, after: cache[after] * is_token[:, None]}
        return scanned
