"""What each field of a config changes, seen by changing one field of a tiny model after the other.

The changed models are built without memory for weights and are not run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

from adaptergen.inspection.config_fields import declared, read, sub_configs
from adaptergen.inspection.fault_isolation import attempted
from adaptergen.inspection.layout import tied_weights, wildcard_path
from adaptergen.inspection.shapes import rank, size_fields
from adaptergen.inspection.tiny_config import Settings, usual_size
from adaptergen.inspection.tiny_model import TinyModel, make

#: Fields of what a run gives back or takes, and of training; not of what a model is.
_NOT_A_BRANCH = re.compile(
    r"^(use_cache|return_|output_|is_decoder|is_encoder|add_cross_attention|gradient_|seed)"
    r"|dropout|initializer|_loss|_token_"
)

Shapes = dict[str, tuple[int, ...]]


def size_expressions(tiny: TinyModel) -> dict[str, tuple[str, ...]]:
    """Of each parameter and buffer, by its name, what each axis depends on; "" if it is constant.

    `a`, `2 * a`, `a * b`, `a + b` and `a // b` where that is the size; `f(a, b, c)` for anything
    else. The names are those of fields.
    """
    before = _shapes(tiny.model)
    found: dict[tuple[str, int], dict[str, int]] = {}
    # A model may read what its config does not declare.
    given = {name: v for name, v in tiny.settings.items() if type(v) is int and v > 2}
    own = {name: v for name, v in given.items() if name not in declared(type(tiny.model.config))}
    for field, value in {**dict(size_fields(tiny.model.config)), **own}.items():
        after = _changed_shapes(tiny, field, value)
        for name, shape in before.items():
            for axis, (old, new) in enumerate(zip(shape, after.get(name, shape), strict=False)):
                if old != new:
                    found.setdefault((name, axis), {})[field] = value
    return {
        name: tuple(_expression(size, found.get((name, i), {})) for i, size in enumerate(shape))
        for name, shape in before.items()
    }


def branches(tiny: TinyModel) -> Iterator[tuple[str, Settings]]:
    """Names of branches, and the one setting that differs, for each that changes the modules."""
    model_class = type(tiny.model)
    seen = {_structure(make(model_class, tiny.settings, "meta"))}
    for name, value in _flips(tiny.model.config):
        model = attempted(make, model_class, {**tiny.settings, name: value}, "meta")
        structure = _structure(model) if model is not None else None
        if structure and structure not in seen:
            seen.add(structure)
            yield f"{name}={str(value).lower()}", {name: value}


def changed_settings(tiny: TinyModel, name: str, value: int) -> Settings:
    """The settings with another value, in an inner config if the field is one of its."""
    config = tiny.model.config
    if name not in tiny.settings and read(config, name) is None:
        for inner in sub_configs(type(config)):
            held = tiny.settings.get(inner)
            if isinstance(held, dict) and read(read(config, inner), name) is not None:
                return {**tiny.settings, inner: {**held, name: value}}
    return {**tiny.settings, name: value}


def _shapes(model: Any) -> Shapes:
    named = (*model.named_parameters(), *model.named_buffers())
    return {name: tuple(tensor.shape) for name, tensor in named}


def _changed_shapes(tiny: TinyModel, name: str, value: int) -> Shapes:
    """The shapes with another value for a field; none where the model refuses every other."""
    for other in (value * 2, value + 1, value // 2):
        model = attempted(make, type(tiny.model), changed_settings(tiny, name, other), "meta")
        if model is not None:
            return _shapes(model)
    return {}


def _expression(size: int, fields: Mapping[str, int]) -> str:
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


def _structure(model: Any) -> frozenset[tuple[object, ...]]:
    """Every module with its class, every parameter with its shape, and what is tied."""
    modules = ((wildcard_path(path), type(module)) for path, module in model.named_modules())
    parameters = model.named_parameters(remove_duplicate=False)
    shapes = ((wildcard_path(name), tuple(p.shape)) for name, p in parameters)
    return frozenset((*modules, *shapes, *tied_weights(model)))


def _flips(config: Any) -> Iterator[tuple[str, Any]]:
    """Fields with another value: booleans turned round, optional numbers set or taken away."""
    for name, field in declared(type(config)).items():
        value = read(config, name)
        if _NOT_A_BRANCH.search(name):
            continue
        if isinstance(value, bool):
            yield name, not value
        elif "int" in field.type and "list" not in field.type and "dict" not in field.type:
            if isinstance(value, int) and "None" in field.type:
                yield name, None
            number = usual_size(name)
            empty = value is None or value == 0 or field.default is None
            if number and empty:
                # What the config computes may be the usual size: then it opens nothing.
                yield name, 2 * number if number == value else number
