"""Sizes told by the fields of the config."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from adaptergen.inspection.fields import declared, read, sub_configs
from adaptergen.inspection.sizes import WIDTH

#: Sequences that the tiny models run on; few sizes of a tiny model are like these.
BATCH, POS = 5, 13

_NOT_A_SIZE = re.compile(r"_id$|_index$|offset|period|interval|layers?$|factor|scal|position")
_ORDER = (WIDTH.pattern, r"^vocab_size$", r"heads?$", r"head_?dim", r"size|dim|rank|experts")
_AT_MOST = 4


class Sizes:
    """What sizes of a model are called.

    `exact` tells of parameters what their axes were seen to depend on; without it a size is called
    after the fields that have its value.
    """

    def __init__(self, config: Any, exact: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self.exact = exact
        values = dict(numbers(config))
        self._width = next((name for name in values if WIDTH.match(name)), "")
        self.width = values.get(self._width, 0)
        self._fields: dict[int, tuple[str, ...]] = {}
        for name in sorted(values, key=rank):
            if values[name] > 2:
                self._fields[values[name]] = (*self._fields.get(values[name], ()), name)
        self._of_kind: dict[str, dict[int, str]] = {}

    def parameter(self, name: str, shape: tuple[int, ...]) -> tuple[tuple[str, ...], ...]:
        """Per axis of a parameter or buffer, told by its whole name, what it may be made of."""
        if self.exact is not None:
            told = self.exact.get(name, ("",) * len(shape))
            return tuple((text,) if text else () for text in told)
        return tuple(self._fields.get(size, ())[:_AT_MOST] for size in shape)

    def learn(self, kind: str, name: str, shape: tuple[int, ...]) -> None:
        """Call sizes in layers of a kind as on its parameters, whatever else has their value.

        The first parameter decides, but the width of the model is called so if any of them has it:
        most of what a layer takes and returns is the residual stream.
        """
        known = self._of_kind.setdefault(kind, {})
        for size, texts in zip(shape, self.parameter(name, shape), strict=True):
            if texts and size > 2:
                text = texts[0]
                known[size] = text if text == self._width else known.get(size, text)
                for part in re.findall(r"[a-zA-Z_]\w*", text.removeprefix("f(")):
                    known.setdefault(self._value(part), part)

    def name(self, kind: str, size: int, batch: int, pos: int, past: int) -> str:
        """A size in a run over so many sequences of `pos` tokens, after `past` tokens."""
        if size == 1:
            return "1"
        runs = (
            (batch, "batch"),
            (pos, "pos"),
            (past + pos, "past + pos"),
            (batch * pos, "batch * pos"),
        )
        for value, text in runs:
            if size == value:
                return text
        own = self._of_kind.get(kind, {}).get(size)
        if own:
            return own
        names = self._fields.get(size, ())
        if names:
            return names[0]
        if size % (batch * pos) == 0 and pos > 1:
            return f"batch * pos * {size // (batch * pos)}"
        return str(size)

    def _value(self, field: str) -> int:
        return next((value for value, names in self._fields.items() if field in names), 0)


def numbers(config: Any) -> Iterator[tuple[str, int]]:
    """Fields of a config that may be a size, and of the config of its text model."""
    for name in declared(type(config)):
        value = read(config, name)
        if type(value) is int and value > 0 and not _NOT_A_SIZE.search(name):
            yield name, value
    for name in sub_configs(type(config)):
        text = read(config, name)
        if "text" in name and text is not None:
            yield from numbers(text)


def rank(name: str) -> tuple[int, str]:
    """The width of the model, heads and their sizes before what may have the same value."""
    return next((i for i, pattern in enumerate(_ORDER) if re.search(pattern, name)), 9), name
