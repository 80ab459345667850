"""The branches that a config opens: fields that change which modules there are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from adaptergen.inspection.configs import json_value
from adaptergen.inspection.failures import attempted
from adaptergen.inspection.fields import declared, read
from adaptergen.inspection.models import Tiny, make
from adaptergen.inspection.names import pattern, qualified
from adaptergen.inspection.sizes import guess
from adaptergen.inspection.tree import tied

#: Fields of what a run gives back or takes, and of training; not of what a model is.
_NOT_A_BRANCH = re.compile(
    r"^(use_cache|return_|output_|is_decoder|is_encoder|add_cross_attention|gradient_|seed)"
    r"|dropout|initializer|_loss|_token_"
)

Tree = tuple[tuple[str, ...], ...]


def branches(tiny: Tiny) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names of branches, and the one setting that differs, for each that changes the modules."""
    model_class = type(tiny.model)
    default = tree(make(model_class, tiny.settings, "meta"))
    seen = {default}
    for name, value in _flips(tiny.model.config):
        model = attempted(make, model_class, {**tiny.settings, name: value}, "meta")
        if model is None:
            continue
        changed = tree(model)
        if changed not in seen:
            seen.add(changed)
            yield f"{name}={_text(value)}", {name: value}


def tree(model: Any) -> Tree:
    """Every module with its class and the shapes of its parameters, and what is tied."""
    modules = (
        (pattern(path), qualified(type(module)), *sorted(
            f"{name}{tuple(p.shape)}" for name, p in module._parameters.items() if p is not None
        ))
        for path, module in model.named_modules()
    )  # fmt: skip
    return tuple(sorted({*modules, *(("tied", *names) for names in tied(model))}))


def _flips(config: Any) -> Iterator[tuple[str, Any]]:
    for name, field in declared(type(config)).items():
        value = read(config, name)
        if _NOT_A_BRANCH.search(name):
            continue
        if isinstance(value, bool):
            yield name, not value
        elif "int" in field.type and "list" not in field.type and "dict" not in field.type:
            if isinstance(value, int) and "None" in field.type:
                yield name, None
            number = guess(name)
            empty = value is None or value == 0 or field.default is None
            if number and empty:
                # What the config computes may be what one would guess: then it opens nothing.
                yield name, 2 * number if number == value else number


def _text(value: Any) -> str:
    return str(json_value(value)).lower()
