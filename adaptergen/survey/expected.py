"""What a model of transformers computes where hooks have to be, seen in one forward of it alone.

Nothing here goes by the names of modules: layers are the elements of lists that take and return the
stream, attention is what calls a softmax over positions, and what writes to the stream is what has
matrices and returns a tensor as large as the stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from adaptergen.runtime.tapped_call import TORCH_FUNCTIONS

_SOFTMAX = frozenset(TORCH_FUNCTIONS["softmax"])

#: Of float32, by the largest value.
_CLOSE = 1e-4


@dataclass(frozen=True)
class Layer:
    """A layer: the path of its module, and the stream before and after it, a tensor a call."""

    path: str
    before: tuple[Any, ...]
    after: tuple[Any, ...]


@dataclass(frozen=True)
class Part:
    """An attention, mixer or feed-forward of a layer, and what it returned, a tensor a call."""

    path: str
    returned: tuple[Any, ...]


@dataclass(frozen=True)
class Attention:
    """A module that computes attention, and the softmaxes that it calls, by their numbers."""

    path: str
    softmaxes: tuple[int, ...]
    patterns: tuple[Any, ...]


@dataclass(frozen=True)
class Expected:
    """What one forward of a model that nothing wraps showed.

    `weights` are the paths of modules with parameters of their own.
    """

    layers: tuple[Layer, ...]
    parts: tuple[Part, ...]
    attention: tuple[Attention, ...]
    softmaxes: int
    weights: tuple[str, ...]


class Softmaxes(TorchFunctionMode):  # type: ignore[misc]  # torch has no types here
    """Notes the arguments and results of softmaxes over positions, in the order of the calls."""

    def __init__(self, pos: int, running: list[Any] | None = None) -> None:
        super().__init__()
        self._pos, self._running = pos, running
        self.callers: list[Any] = []
        self.taken: list[Any] = []
        self.returned: list[Any] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = args[0] if args else (kwargs or {}).get("input")
        if func in _SOFTMAX and isinstance(given, torch.Tensor) and self._over_positions(given):
            self.callers.append(self._running[-1] if self._running else None)
            self.taken.append(given.detach().clone())
            self.returned.append(result.detach().clone())
        return result

    def _over_positions(self, scores: torch.Tensor) -> bool:
        # Those of a router are over experts, of which there are fewer.
        return bool(scores.dim() > 2 and scores.shape[-2] == self._pos <= scores.shape[-1])


@dataclass
class _Calls:
    """The calls of each module: its first tensor, and the first that it returned."""

    taken: dict[int, list[Any]] = field(default_factory=dict)
    returned: dict[int, list[Any]] = field(default_factory=dict)
    running: list[Any] = field(default_factory=list)


def observe(model: Any, run: Any, pos: int) -> Expected:
    """What `run()` shows, a forward of the model over rows of `pos` tokens."""
    paths = {id(module): path for path, module in model.named_modules()}
    with _recorded(model) as calls, Softmaxes(pos, calls.running) as softmaxes:
        run()
    stacks = list(_stacks(model, calls))
    layers = [block for stack in stacks for block in stack]
    streams = {id(block): calls.returned[id(block)][0] for block in layers}
    parts = [part for block in layers for part in _parts(block, calls, streams[id(block)])]
    width = getattr(model.get_input_embeddings(), "embedding_dim", 0)
    if width and not parts:
        # Several streams may lie side by side in one axis; a part writes as wide as one of them.
        one = {key: stream[..., :width] for key, stream in streams.items()}
        parts = [part for block in layers for part in _parts(block, calls, one[id(block)])]
    return Expected(
        layers=tuple(
            Layer(paths[id(block)], tuple(calls.taken[id(block)]), tuple(calls.returned[id(block)]))
            for block in layers
        ),
        parts=tuple(Part(paths[id(m)], tuple(calls.returned[id(m)])) for m in parts),
        attention=tuple(_attention(model, paths, softmaxes)),
        softmaxes=len(softmaxes.taken),
        weights=tuple(
            path
            for path, module in model.named_modules()
            if any(one is not None for one in module._parameters.values())
        ),
    )


@contextmanager
def _recorded(model: Any) -> Iterator[_Calls]:
    calls = _Calls()

    def before(module: Any, args: Any, kwargs: Any) -> None:
        calls.running.append(module)
        given = next(filter(_is_tensor, (*args, *kwargs.values())), None)
        calls.taken.setdefault(id(module), []).append(_kept(given))

    def after(module: Any, args: Any, kwargs: Any, output: Any) -> None:
        calls.running.pop()
        calls.returned.setdefault(id(module), []).append(_kept(first_tensor(output)))

    handles = []
    for module in model.modules():
        handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
        handles.append(module.register_forward_hook(after, with_kwargs=True))
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def first_tensor(output: Any) -> Any:
    """The tensor that a module returned, or the first of several; None without one."""
    if _is_tensor(output):
        return output
    values = output.values() if isinstance(output, dict) else output
    return next(filter(_is_tensor, values if isinstance(values, (tuple, list)) else ()), None)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor)


def _kept(tensor: Any) -> Any:
    # What follows may change it in place.
    return None if tensor is None else tensor.detach().clone()


def _stacks(model: Any, calls: _Calls) -> Iterator[list[Any]]:
    """The lists of layers: all that is called in them takes and returns the stream.

    Lists that are inside a layer are none.
    """
    inside: set[int] = set()
    for module in model.modules():
        if not isinstance(module, torch.nn.ModuleList) or id(module) in inside:
            continue
        called = [block for block in module if id(block) in calls.returned]
        if called and all(_is_layer(block, calls) for block in called):
            inside |= {id(inner) for block in module for inner in block.modules()}
            yield called


def _is_layer(block: Any, calls: _Calls) -> bool:
    taken, returned = calls.taken[id(block)][0], calls.returned[id(block)][0]
    if taken is None or returned is None or not any(True for _ in block.children()):
        return False
    fits = taken.dim() > 2 and taken.is_floating_point() and taken.shape == returned.shape
    return bool(fits)


def _parts(module: Any, calls: _Calls, stream: Any) -> Iterator[Any]:
    """What writes to the stream inside a layer, or inside a part of one that has a sum of its own.

    Norms have no matrices. What is not called itself, such as a list, is looked through.
    """
    for child in module.children():
        if id(child) not in calls.returned:
            yield from _parts(child, calls, stream)
        elif _writes(child, calls, stream):
            inner = list(_parts(child, calls, stream)) if _adds(child, calls) else []
            yield from inner or (child,)


def _writes(module: Any, calls: _Calls, stream: Any) -> bool:
    returned = calls.returned[id(module)][0]
    # A layer may carry several streams beside each other.
    if returned is None or returned.numel() != stream.shape[:2].numel() * stream.shape[-1]:
        return False
    return any(weight.dim() > 1 for weight in module.parameters())


def _adds(module: Any, calls: _Calls) -> bool:
    """Whether a module adds what a part inside it returns to what it takes itself."""
    taken, returned = calls.taken[id(module)][0], calls.returned[id(module)][0]
    if taken is None or taken.shape != returned.shape:
        return False
    added = returned - taken
    for inner in module.modules():
        for one in calls.returned.get(id(inner), ()) if inner is not module else ():
            if one is not None and one.numel() == added.numel() and close(one, added):
                return True
    return False


def _attention(model: Any, paths: dict[int, str], seen: Softmaxes) -> Iterator[Attention]:
    found: dict[str, list[int]] = {}
    for number, caller in enumerate(seen.callers):
        path = paths.get(id(caller), "")
        # A softmax that is a module stands for the one around it.
        if path and not any(True for _ in caller.parameters()):
            path = path.rpartition(".")[0]
        found.setdefault(path, []).append(number)
    for path, numbers in found.items():
        yield Attention(path, tuple(numbers), tuple(seen.returned[n] for n in numbers))


def close(actual: Any, expected: Any) -> bool:
    """Whether a tensor has the values of another, in whatever shape."""
    if actual.numel() != expected.numel() or actual.is_complex() != expected.is_complex():
        return False
    a, b = actual.detach().reshape(-1), expected.detach().reshape(-1)
    if not (a.is_floating_point() or a.is_complex()):
        return bool(torch.equal(a, b))
    apart = (a - b).abs().max()
    return bool(apart <= _CLOSE * max(1.0, float(b.abs().max())))
