"""Modules written as those of Hugging Face are: their forward calls functions of this module."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import nn
from torch.nn import functional


def rotate(query: Any, key: Any, cos: Any, sin: Any) -> tuple[Any, Any]:
    return query * cos, key * sin


def double(states: Any) -> Any:
    return 2 * states


def convolve(states: Any, weight: Any, bias: Any = None, activation: Any = None) -> Any:
    """As a kernel for a sequence: `[batch, width, pos]`, causal."""
    padded = functional.pad(states, (weight.shape[-1] - 1, 0))
    made = functional.conv1d(padded, weight[:, None], bias, groups=weight.shape[0])
    return functional.silu(made) if activation in ("silu", "swish") else made


def decorated(keeps_name: bool) -> Any:
    """A decorator with or without `functools.wraps`: transformers 5.15 has one without."""

    def decorate(function: Any) -> Any:
        def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
            return function(self, *args, **kwargs)

        return functools.wraps(function)(wrapper) if keeps_name else wrapper

    return decorate


class Rotated(nn.Module):
    """Calls a function with arguments by position and by keyword; its result is a tuple."""

    def forward(self, hidden_states: Any) -> Any:
        ones = torch.ones_like(hidden_states)
        query, key = rotate(hidden_states, hidden_states + 1, sin=3 * ones, cos=2 * ones)
        return query - key


class Called(nn.Module):
    """Calls a function twice, a method and a submodule."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Linear(4, 4)

    def shift(self, states: Any, by: float = 1.0) -> Any:
        return states + by

    def forward(self, hidden_states: Any) -> Any:
        first = double(hidden_states)
        return self.proj(self.shift(double(first), by=3.0))


class Wrapped(Called):
    @decorated(keeps_name=True)
    def forward(self, hidden_states: Any) -> Any:
        return double(hidden_states)


class Unnamed(Called):
    @decorated(keeps_name=False)
    def forward(self, hidden_states: Any) -> Any:
        return double(hidden_states)


class Inner(nn.Module):
    def forward(self, states: Any) -> Any:
        return functional.softmax(states, dim=-1)


def of_function(states: Any) -> Any:
    return functional.softmax(states, dim=-1)


def of_torch(states: Any) -> Any:
    return torch.softmax(states, -1)


def of_tensor(states: Any) -> Any:
    return states.softmax(-1)


def attend(module: nn.Module, states: Any) -> Any:
    """As attention of Hugging Face: a function that gets the module first."""
    return functional.softmax(states, dim=-1)


class Softened(nn.Module):
    """Its own softmax comes between two of a nested submodule."""

    def __init__(self, own: Any = of_torch) -> None:
        super().__init__()
        self.inner, self.own = Inner(), own

    def forward(self, hidden_states: Any) -> Any:
        return self.inner(self.own(self.inner(hidden_states)))


class Attended(Softened):
    def forward(self, hidden_states: Any) -> Any:
        return self.inner(attend(self, self.inner(hidden_states)))


class Weighted(nn.Module):
    """Uses the weight of a submodule that it does not call, after views and casts."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.gate = nn.Conv1d(4, 6, 1) if way == "conv1d" else nn.Linear(4, 6)

    def forward(self, hidden_states: Any) -> Any:
        x = hidden_states
        made: Any = None
        if self.way == "linear":
            made = functional.linear(x.float(), self.gate.weight.float())
        elif self.way == "looking":
            assert torch.empty_like(self.gate.weight).shape == self.gate.weight.abs().shape
            made = functional.linear(x, self.gate.weight)
        elif self.way == "addmm":
            made = torch.addmm(torch.zeros(6), x.flatten(0, 1), self.gate.weight.t())
            made = made.unflatten(0, x.shape[:2])
        elif self.way == "stacked":
            assert torch.stack([self.gate.weight, self.gate.weight]).dim() == 3
            made = functional.linear(x, self.gate.weight)
        elif self.way == "keyword":
            made = functional.linear(input=x, weight=self.gate.weight)
        elif self.way == "matmul":
            made = x @ self.gate.weight.t()
        elif self.way == "from_left":
            weight = self.gate.weight.to(torch.float32).contiguous()
            made = (weight @ x.transpose(1, 2)).transpose(1, 2)
        elif self.way == "conv1d":
            weight = self.gate.weight.view(6, 4)[:, :, None]
            made = functional.conv1d(x.transpose(1, 2), weight).transpose(1, 2)
        return made + self.gate.bias


class Viewed(nn.Module):
    """Uses another form of the weight of a submodule that it does not call."""

    def __init__(self, view: Any) -> None:
        super().__init__()
        self.gate, self.view = nn.Linear(4, 4), view

    def forward(self, hidden_states: Any) -> Any:
        weight = self.view(self.gate.weight)
        return functional.linear(hidden_states.to(weight.dtype), weight)


class Convolved(nn.Module):
    """A convolution over the tokens of a call and over those that are cached."""

    def __init__(self, activation: Any = "silu", by_position: bool = False) -> None:
        super().__init__()
        self.conv1d = nn.Conv1d(4, 4, 3, groups=4, padding=2)
        self.activation, self.by_position = activation, by_position
        self.act = functional.silu
        self.act_module = nn.SiLU()

    def forward(self, hidden_states: Any, cached: Any = None) -> Any:
        states = hidden_states.transpose(1, 2)
        if cached is not None:
            states = torch.cat([cached, states], dim=-1)
        weight, bias = self.conv1d.weight.squeeze(1), self.conv1d.bias
        if self.by_position:
            states = convolve(states, weight, bias, self.activation)
        else:
            states = convolve(states, weight, bias, activation=self.activation)
        return states[..., -hidden_states.shape[1] :].transpose(1, 2)


class Headed(nn.Module):
    """States as `[batch, heads, pos, d_head]`."""

    def forward(self, hidden_states: Any) -> Any:
        heads = hidden_states.unflatten(-1, (2, 2)).transpose(1, 2)
        return double(heads).transpose(1, 2).flatten(2)


class Dropped(nn.Module):
    """Two dropouts around a function."""

    def __init__(self) -> None:
        super().__init__()
        self.proj, self.dropout = nn.Linear(4, 4), nn.Dropout(0.5)

    def forward(self, hidden_states: Any) -> Any:
        states = double(self.dropout(self.proj(hidden_states)))
        return functional.dropout(states, p=0.5, training=self.training)


class Fused(Called):
    """In training one function does all, and calls no submodule."""

    def forward(self, hidden_states: Any) -> Any:
        if self.training:
            return torch.zeros_like(hidden_states)
        return self.proj(double(hidden_states))
