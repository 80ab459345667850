"""State-space mixers whose analyses hold for padded rows and with offloaded weights."""

from __future__ import annotations

from typing import Any

import torch
from accelerate.utils import align_module_device

from transformer_lens.ActivationCache import ActivationCache
from transformer_lens.model_bridge.generalized_components import SSM2MixerBridge
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
        with align_module_device(self.original_component), align_module_device(self._in_proj):
            scanned: Any = _WithoutPadding(self, cache, layer_idx)
            return super().compute_effective_attention(scanned, layer_idx, include_dt_scaling)

    def compute_ssm_state(
        self, cache: ActivationCache, layer_idx: int, time_step: int | None = None
    ) -> torch.Tensor:
        """The recurrent state, ``[batch, heads, pos, d_head, d_state]``; see ``SSM2MixerBridge``."""
        with align_module_device(self.original_component), align_module_device(self._in_proj):
            scanned: Any = _WithoutPadding(self, cache, layer_idx)
            return super().compute_ssm_state(scanned, layer_idx, time_step)

    @property
    def _in_proj(self) -> Any:
        return self.in_proj.original_component


class _WithoutPadding:
    """A cache in which the convolution's output is zero at padding, as it is when scanned."""

    def __init__(
        self, mixer: StateSpaceMixerBridge, cache: ActivationCache, layer_idx: int
    ) -> None:
        self._cache = cache
        self._convolved = f"blocks.{layer_idx}.mixer.conv1d.hook_out"
        hook = f"blocks.{layer_idx}.mixer.in_proj.hook_out"
        if hook not in cache:
            return  # The analysis says what it misses.
        projected = cache[hook]
        # Padding goes into the projection as zeros, so the bias is all that comes out.
        bias = mixer._in_proj.bias
        nothing = torch.zeros_like(projected[0, 0]) if bias is None else bias.to(projected.dtype)
        self._padding = (projected == nothing).all(-1)

    def __getitem__(self, name: Any) -> torch.Tensor:
        found = self._cache[name]
        if name == self._convolved:
            return found.masked_fill(self._padding[:, None, :], 0)
        return found

    def __contains__(self, name: Any) -> bool:
        return name in self._cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)
