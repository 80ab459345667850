"""What each behaviour checks."""

from __future__ import annotations

from . import hf_attention, mixture, mlp, norm, residual_stream, state_space

ALL = (hf_attention, mixture, mlp, norm, residual_stream, state_space)
