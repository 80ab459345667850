"""Shapes in words: what the sizes of a model are called, and what modules take and return."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from adaptergen.facts import Value
from adaptergen.inspection.config_fields import declared, qualified, read, sub_configs
from adaptergen.inspection.tiny_config import WIDTH

_NOT_A_SIZE = re.compile(
    r"_id$|_index$|offset|period|interval|layers?$|factor|scal|position|window|chunk|theta|iters$"
)
_ORDER = (WIDTH.pattern, r"^vocab_size$", r"heads?$", r"head_?dim", r"size|dim|rank|experts")

#: The most fields that are named for one size, levels of containers, and items of a container.
_MOST_FIELDS, _DEEPEST, _WIDEST = 4, 3, 16


class Sizes:
    """What sizes of a model are called.

    `exact` has for each axis of a parameter what it depends on; without it a size is called after
    the fields that have its value. Sizes in layers of a kind are called as on the `tensors` there
    (kind, name, shape), whatever else has their value. The first tensor decides, but the width of
    the model is called so if any of them has it: most of what a layer takes and returns is the
    residual stream.
    """

    def __init__(
        self,
        config: Any,
        tensors: Iterable[tuple[str, str, tuple[int, ...]]],
        exact: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.exact = exact
        values = dict(size_fields(config))
        width = next((name for name in values if WIDTH.match(name)), "")
        self.width = values.get(width, 0)
        self._fields: dict[int, tuple[str, ...]] = {}
        for name in sorted(values, key=rank):
            if values[name] > 2:
                self._fields[values[name]] = (*self._fields.get(values[name], ()), name)
        self._of_kind: dict[str, dict[int, str]] = {}
        for kind, name, shape in tensors:
            known = self._of_kind.setdefault(kind, {})
            for size, texts in zip(shape, self.of_parameter(name, shape), strict=True):
                if texts and size > 2:
                    text = texts[0]
                    known[size] = text if text == width else known.get(size, text)
                    for part in re.findall(r"[a-zA-Z_]\w*", text.removeprefix("f(")):
                        if values.get(part, 0) > 2:
                            known.setdefault(values[part], part)

    def of_parameter(self, name: str, shape: tuple[int, ...]) -> tuple[tuple[str, ...], ...]:
        """Per axis of a parameter or buffer, by its full name, what it may be made of."""
        if self.exact is not None:
            known = self.exact.get(name, ("",) * len(shape))
            return tuple((text,) if text else () for text in known)
        return tuple(self._fields.get(size, ())[:_MOST_FIELDS] for size in shape)

    def name(self, kind: str, size: int) -> str:
        """What a size is called in layers of a kind; empty if it has no name."""
        return self._of_kind.get(kind, {}).get(size) or next(iter(self._fields.get(size, ())), "")


def size_fields(config: Any) -> Iterator[tuple[str, int]]:
    """Fields of a config that may be a size, and of the config of its text model."""
    for name in declared(type(config)):
        value = read(config, name)
        if type(value) is int and value > 0 and not _NOT_A_SIZE.search(name):
            yield name, value
    for name in sub_configs(type(config)):
        text = read(config, name)
        if "text" in name and text is not None:
            yield from size_fields(text)


def rank(name: str) -> tuple[int, str]:
    """The width of the model, heads and their sizes before what may have the same value."""
    return next((i for i, pattern in enumerate(_ORDER) if re.search(pattern, name)), 9), name


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
    _tensors: dict[tuple[Any, ...], Value] = field(default_factory=dict, init=False, compare=False)
    """Tensors that were described: most of a run's are of a few shapes."""

    def inside(self, kind: str) -> Run:
        """The same run, as seen in layers of a kind."""
        return replace(self, kind=kind)

    def returned_by(self, module: Any) -> Run:
        """The same run, for what a module returns: a convolution that pads returns more tokens.

        Only where sizes are exact: a lock has them as numbers.
        """
        more = _padding(module) if self.sizes.exact is not None else 0
        return replace(self, more=more) if more > 0 else self

    def describe(self, value: Any, depth: int = 0) -> Value:
        """A value, down to a few levels of containers."""
        if value is None:
            return Value(type="none")
        if isinstance(value, torch.Tensor):
            key = (value.shape, value.dtype)
            if key not in self._tensors:
                hidden = (self.batch, self.pos, self.sizes.width)
                self._tensors[key] = Value(
                    type="tensor",
                    shape=self.shape(value),
                    dtype=str(value.dtype).removeprefix("torch."),
                    hidden=value.is_floating_point() and tuple(value.shape) == hidden,
                )
            return self._tensors[key]
        if isinstance(value, (bool, int, float, str)):
            return Value(type="plain", cls=type(value).__name__)
        cls = qualified(type(value))
        if isinstance(value, Mapping):
            items = [] if depth >= _DEEPEST else sorted(value.items(), key=lambda i: str(i[0]))
            keys = {str(k): self.describe(v, depth + 1) for k, v in items[:_WIDEST]}
            if type(value) is dict:
                return Value(type="dict", keys=keys)
            return Value(type="output", cls=cls, keys=keys)
        if isinstance(value, (tuple, list)):
            parts = [] if depth >= _DEEPEST else list(value)[:_WIDEST]
            described = tuple(self.describe(part, depth + 1) for part in parts)
            return Value(type="list" if isinstance(value, list) else "tuple", items=described)
        return Value(type="cache" if "Cache" in type(value).__name__ else "object", cls=cls)

    def shape(self, tensor: torch.Tensor) -> tuple[str, ...]:
        """The shape in words."""
        return tuple(map(self._size_name, tensor.shape))

    def _size_name(self, size: int) -> str:
        if self.more and size == self.pos + self.more:
            return f"pos + {self.more}"
        if size == 1:
            return "1"
        tokens = self.batch * self.pos
        for value, text in (
            (self.batch, "batch"),
            (self.pos, "pos"),
            (self.past + self.pos, "past + pos"),
            (tokens, "batch * pos"),
        ):
            if size == value:
                return text
        if name := self.sizes.name(self.kind, size):
            return name
        if size % tokens == 0 and self.pos > 1:
            return f"batch * pos * {size // tokens}"
        return str(size)


def _padding(module: Any) -> int:
    """By how many tokens a convolution makes a sequence longer; 0 for any other module."""
    if not isinstance(module, torch.nn.Conv1d) or isinstance(module.padding, str):
        return 0
    lost: int = module.dilation[0] * (module.kernel_size[0] - 1)
    return 2 * module.padding[0] - lost if module.stride[0] == 1 else 0
