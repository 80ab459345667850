"""What each behaviour checks."""

from __future__ import annotations

from . import delta_net, hf_attention, mixture, mlp, norm, residual_stream, state_space

ALL = (delta_net, hf_attention, mixture, mlp, norm, residual_stream, state_space)
