"""A kernel package in small: HF takes it when it is on the path. It notes how it is called."""

from __future__ import annotations

from typing import Any

import torch

CALLS: list[tuple[str, Any]] = []


def causal_conv1d_fn(x: Any, weight: Any, bias: Any = None, activation: Any = None) -> Any:
    CALLS.append(("causal_conv1d_fn", activation))
    width = weight.shape[-1]
    padded = torch.nn.functional.pad(x, (width - 1, 0))
    return _finish((padded.unfold(-1, width, 1) * weight[:, None]).sum(-1), bias, activation)


def causal_conv1d_update(
    x: Any, conv_state: Any, weight: Any, bias: Any = None, activation: Any = None
) -> Any:
    CALLS.append(("causal_conv1d_update", activation))
    steps = x if x.dim() == 3 else x[..., None]
    window = torch.cat([conv_state, steps], dim=-1)
    conv_state.copy_(window[..., -conv_state.shape[-1] :])
    window = window[..., -weight.shape[-1] :]
    return _finish((window * weight).sum(-1, keepdim=True), bias, activation).reshape(x.shape)


def _finish(out: Any, bias: Any, activation: Any) -> Any:
    out = out if bias is None else out + bias[:, None]
    assert activation in (None, "silu")
    return out if activation is None else torch.nn.functional.silu(out)
