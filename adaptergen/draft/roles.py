"""What each module of a layer is for, judged by what it does in one observed forward."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Any, Literal

import torch
from transformers.pytorch_utils import Conv1D

from adaptergen.draft.observation import Called, Observation

Role = Literal[
    "norm", "attention", "mixer", "feed_forward", "embedding", "linear", "rotation", "other"
]

#: How far a sum in float32 may be from the sum in another order.
CLOSE = 1e-4
#: Most parts of a sum that are tried.
MOST_TERMS = 4


def role_of(seen: Observation, call: Called) -> Role:
    """The role of a module by its class where torch has it, and by what it does."""
    if call.path not in seen.roles:
        # Some roles show only where the module runs again, so each is asked once.
        seen.roles[call.path] = _role(seen, call)
    found: Role = seen.roles[call.path]
    return found


def _role(seen: Observation, call: Called) -> Role:
    module = call.module
    if isinstance(module, torch.nn.Embedding):
        return "embedding"
    if is_linear(module):
        return "linear"
    if any(path == call.path or path.startswith(f"{call.path}.") for path in seen.attention):
        return "attention"
    if is_norm(call):
        return "norm"
    if is_rotation(call):
        return "rotation"
    took, gave = call.took, call.gave
    if took is None or gave is None or took.dim() != 3 or gave.shape[:2] != took.shape[:2]:
        return "other"
    if not has_weights(module):
        return "other"
    return "mixer" if _mixes_positions(call) else "feed_forward"


def is_linear(module: Any) -> bool:
    """Whether a module is a linear map."""
    return isinstance(module, (torch.nn.Linear, Conv1D))


def has_weights(module: Any) -> bool:
    """Whether a module has parameters, itself or below."""
    return any(True for _ in module.parameters())


def is_norm(call: Called) -> bool:
    """Whether a module divides by the scale of what it takes: twice as much gives the same."""
    took, gave, module = call.took, call.gave, call.module
    if took is None or gave is None or took.shape != gave.shape or not took.is_floating_point():
        return False
    own = list(module.parameters())
    if not call.is_alone or any(True for _ in module.children()) or any(p.dim() > 1 for p in own):
        return False
    if isinstance(module, torch.nn.LayerNorm):
        return True
    try:
        with torch.no_grad():
            once, twice = module(took * 64), module(took * 128)
    except Exception:  # code of transformers may raise anything
        return False
    if not isinstance(once, torch.Tensor) or torch.equal(once, took * 64):
        return False
    return is_close(once, twice)


def is_rotation(call: Called) -> bool:
    """Whether a module returns cosines and sines, or complex numbers, of positions."""
    if has_weights(call.module):
        return False
    if len(call.tensors) == 2 and call.tensors[0].shape == call.tensors[1].shape:
        cos, sin = call.tensors
        if not cos.is_floating_point():
            return False
        square = cos.double() ** 2 + sin.double() ** 2
        return bool((square - square.flatten()[0]).abs().max() < CLOSE)
    return len(call.tensors) == 1 and call.tensors[0].is_complex()


def _mixes_positions(call: Called) -> bool:
    """Whether what a module returns of the last token depends on another token."""
    took = call.took
    assert took is not None
    changed = took.clone()
    changed[:, 0] += 1.0
    try:
        first, second = call.again(took), call.again(changed)
    except Exception:  # code of transformers may raise anything
        return True
    if first is None or second is None or first.shape != second.shape:
        return True
    # Products of other rows may be summed in another order.
    return not is_close(first[:, 1:], second[:, 1:])


def is_close(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors differ by rounding only."""
    if one.shape != other.shape:
        return False
    scale = float(other.abs().max()) or 1.0
    return bool((one - other).abs().max() <= CLOSE * scale)


def terms_of(
    total: torch.Tensor, parts: Iterable[tuple[str, torch.Tensor]]
) -> tuple[str, ...] | None:
    """The names of parts whose plain sum is a tensor, as few as do; None if none do."""
    fitting = [(name, part) for name, part in parts if part.shape == total.shape]
    for number in range(1, min(MOST_TERMS, len(fitting)) + 1):
        for chosen in combinations(fitting, number):
            if is_close(sum((part for _, part in chosen), torch.zeros_like(total)), total):
                return tuple(name for name, _ in chosen)
    return None


def same(one: torch.Tensor | None, other: torch.Tensor | None) -> bool:
    """Whether two tensors are there and have the same values."""
    return (
        one is not None
        and other is not None
        and one.shape == other.shape
        and torch.equal(one, other)
    )
