"""Which fields of the config a size depends on: seen by changing one field after the other."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from adaptergen.inspection.dims import numbers, rank
from adaptergen.inspection.failures import attempted
from adaptergen.inspection.fields import read, sub_configs
from adaptergen.inspection.models import Tiny, make

#: Name of a parameter or buffer, to what each of its axes is made of.
Dependence = dict[str, tuple[str, ...]]


def depends(tiny: Tiny) -> Dependence:
    """Of each axis of each parameter the fields it is made of, as text; "" where it is constant.

    `a`, `2 * a`, `a * b` and `a // b` where that is the size; `f(a, b, c)` for anything else.
    """
    before = _shapes(tiny.model)
    seen: dict[tuple[str, int], set[str]] = {}
    values = dict(numbers(tiny.model.config))
    for name, value in values.items():
        after = _changed(tiny, name, value)
        for parameter, shape in before.items():
            other = after.get(parameter, shape)
            for axis, (old, new) in enumerate(zip(shape, other, strict=False)):
                if old != new:
                    seen.setdefault((parameter, axis), set()).add(name)
    return {
        parameter: tuple(
            expression(size, {n: values[n] for n in seen.get((parameter, axis), ())})
            for axis, size in enumerate(shape)
        )
        for parameter, shape in before.items()
    }


def expression(size: int, fields: Mapping[str, int]) -> str:
    """A size in terms of the fields that it depends on."""
    names = sorted(fields, key=rank)
    if not names:
        return ""
    product = prod(fields.values())
    if product and size % product == 0 and size // product <= 4:
        times = size // product
        return " * ".join([str(times)] * (times > 1) + names)
    if len(names) == 1 and fields[names[0]] % size == 0:
        return f"{names[0]} // {fields[names[0]] // size}"
    if len(names) == 2:
        for left, right in (names, names[::-1]):
            if fields[right] and fields[left] // fields[right] == size:
                return f"{left} // {right}"
            if fields[left] + fields[right] == size:
                return f"{left} + {right}"
    return f"f({', '.join(names)})"


def _shapes(model: Any) -> dict[str, tuple[int, ...]]:
    named = (*model.named_parameters(), *model.named_buffers())
    return {name: tuple(tensor.shape) for name, tensor in named}


def _changed(tiny: Tiny, name: str, value: int) -> dict[str, tuple[int, ...]]:
    """The shapes with another value for a field; none where the model refuses every other."""
    for other in (value * 2, value + 1, value // 2):
        model = attempted(make, type(tiny.model), _with(tiny, name, other), "meta")
        if model is not None:
            return _shapes(model)
    return {}


def _with(tiny: Tiny, name: str, value: int) -> dict[str, Any]:
    config = tiny.model.config
    if name in tiny.settings or read(config, name) is not None:
        return {**tiny.settings, name: value}
    for inner in sub_configs(type(config)):
        held = tiny.settings.get(inner)
        if isinstance(held, dict) and read(read(config, inner), name) is not None:
            return {**tiny.settings, inner: {**held, name: value}}
    return {**tiny.settings, name: value}
