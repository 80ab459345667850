"""Norms and projections where heads stand before positions: ``[batch, heads, pos, d_head]``."""

from __future__ import annotations

from typing import Any

from transformer_lens.model_bridge.generalized_components.base import (
    GeneralizedComponent,
)
from transformer_lens.model_bridge.generalized_components.linear import LinearBridge
from transformer_lens.model_bridge.generalized_components.normalization import (
    NormalizationBridge,
)
from transformer_lens.model_bridge.generalized_components.rms_normalization import (
    RMSNormalizationBridge,
)


class HeadsFirstMixin(GeneralizedComponent):
    """Says where positions stand on all hooks of the component that it is mixed into."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.mark_pos_dim(2)


class HeadRMSNormBridge(HeadsFirstMixin, RMSNormalizationBridge):
    """RMSNormalizationBridge of heads."""


class HeadNormBridge(HeadsFirstMixin, NormalizationBridge):
    """NormalizationBridge of heads."""


class HeadLinearBridge(HeadsFirstMixin, LinearBridge):
    """LinearBridge of heads."""
