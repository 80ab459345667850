"""Norms and projections where heads stand before positions: ``[batch, heads, pos, d_head]``."""

from __future__ import annotations

from typing import Any

from transformer_lens.model_bridge.generalized_components.linear import LinearBridge
from transformer_lens.model_bridge.generalized_components.normalization import (
    NormalizationBridge,
)
from transformer_lens.model_bridge.generalized_components.rms_normalization import (
    RMSNormalizationBridge,
)


class HeadRMSNormBridge(RMSNormalizationBridge):
    """RMSNormalizationBridge of heads."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.mark_pos_dim(2)


class HeadLinearBridge(LinearBridge):
    """LinearBridge of heads."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.mark_pos_dim(2)


class HeadNormBridge(NormalizationBridge):
    """NormalizationBridge of heads."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.mark_pos_dim(2)
