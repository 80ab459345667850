"""What a module takes or returns, described."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from adaptergen.facts import Value
from adaptergen.inspection.dims import Sizes
from adaptergen.inspection.names import qualified

_DEEPEST = 3
_WIDEST = 16


@dataclass(frozen=True)
class Run:
    """The sizes of a run: so many sequences of `pos` tokens, after `past` tokens."""

    sizes: Sizes
    batch: int
    pos: int
    past: int = 0
    kind: str = ""
    more: int = 0
    """By how many tokens what is described may be longer."""
    _told: dict[tuple[Any, ...], Value] = field(default_factory=dict, init=False, compare=False)
    """Tensors that were described: most of a run's are of a few shapes."""

    def inside(self, kind: str) -> Run:
        """The same run, as seen in layers of a kind."""
        return replace(self, kind=kind)

    def returned_by(self, module: Any) -> Run:
        """The same run, for what a module returns: a convolution that pads returns more tokens.

        Only where sizes are told exactly: a lock has them as numbers.
        """
        more = _more(module) if self.sizes.exact is not None else 0
        return replace(self, more=more) if more > 0 else self

    def describe(self, value: Any, depth: int = 0) -> Value:
        """A value, down to a few levels of containers."""
        if value is None:
            return Value(type="none")
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if isinstance(value, (bool, int, float, str)):
            return Value(type="plain", cls=type(value).__name__)
        if _is_cache(value):
            return Value(type="cache", cls=qualified(type(value)))
        if isinstance(value, Mapping):
            kind = "dict" if type(value) is dict else "output"
            cls = "" if kind == "dict" else qualified(type(value))
            items = [] if depth >= _DEEPEST else sorted(value.items(), key=lambda i: str(i[0]))
            keys = {str(k): self.describe(v, depth + 1) for k, v in items[:_WIDEST]}
            return Value(type=kind, cls=cls, keys=keys)
        if isinstance(value, (tuple, list)):
            parts = [] if depth >= _DEEPEST else list(value)[:_WIDEST]
            described = tuple(self.describe(part, depth + 1) for part in parts)
            return Value(type="list" if isinstance(value, list) else "tuple", items=described)
        return Value(type="object", cls=qualified(type(value)))

    def shape(self, tensor: torch.Tensor) -> tuple[str, ...]:
        """The shape in words."""
        return tuple(
            f"pos + {self.more}"
            if self.more and n == self.pos + self.more
            else self.sizes.name(self.kind, n, self.batch, self.pos, self.past)
            for n in tensor.shape
        )

    def _tensor(self, tensor: torch.Tensor) -> Value:
        key = (tensor.shape, tensor.dtype)
        if key not in self._told:
            self._told[key] = self._described(tensor)
        return self._told[key]

    def _described(self, tensor: torch.Tensor) -> Value:
        hidden = (self.batch, self.pos, self.sizes.width)
        return Value(
            type="tensor",
            shape=self.shape(tensor),
            dtype=str(tensor.dtype).removeprefix("torch."),
            hidden=tensor.is_floating_point() and tuple(tensor.shape) == hidden,
        )


def _more(module: Any) -> int:
    if not isinstance(module, torch.nn.Conv1d) or isinstance(module.padding, str):
        return 0
    lost: int = module.dilation[0] * (module.kernel_size[0] - 1)
    return 2 * module.padding[0] - lost if module.stride[0] == 1 else 0


def _is_cache(value: Any) -> bool:
    return not isinstance(value, (tuple, list, Mapping)) and "Cache" in type(value).__name__
