"""Observe a model class or a live model: each gives facts, and keeps nothing.

A live config is observed with its model class: `observe_class(model_class, config.to_dict())`. What
a config class declares is observed by `config_fields.observe_config`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import transformers

from adaptergen.facts import Attention, Branch, CacheFacts, Facts
from adaptergen.inspection.coincidence import resized, without_coincidences
from adaptergen.inspection.config_fields import json_value, observe_config, qualified
from adaptergen.inspection.fault_isolation import reason
from adaptergen.inspection.field_effects import branches, size_expressions
from adaptergen.inspection.layout import find_layout, module_facts, size_names, tied_weights
from adaptergen.inspection.runs import observe_cache, observe_scenarios
from adaptergen.inspection.tiny_config import Settings
from adaptergen.inspection.tiny_model import (
    TinyModel,
    fields_of_model,
    make,
    tiny_model,
    vocabulary,
    with_words,
)

#: Implementations of attention, and the attributes of a class that say it has them.
_ATTENTION = {
    "sdpa": ("_supports_sdpa",),
    "flash_attention_2": ("_supports_flash_attn", "_supports_flash_attn_2"),
    "flex_attention": ("_supports_flex_attn",),
}


def observe_class(
    model_class: Any, config: Mapping[str, Any] | None = None, every: bool = False
) -> Facts:
    """The facts of a model class of transformers, on tiny models made for it.

    `config` are the fields of a config.json to start from instead of the defaults; `every` adds a
    model for each branch that the config opens. Raises `Failed` if no tiny model runs.
    """
    base = fields_of_model(config or {})
    tiny = tiny_model(model_class, base)
    words = vocabulary(tiny)
    if words and not base:
        tiny = with_words(tiny, words.field, words.words)
    opened = sorted(branches(tiny), key=lambda item: item[0]) if every else []
    return Facts(
        transformers=transformers.__version__,
        architecture=model_class.__name__,
        cls=qualified(model_class),
        config=observe_config(type(tiny.model.config), words),
        attention=_attention(tiny.model),
        branches=(
            _of_tiny("default", tiny),
            *(_of_branch(n, tiny, differs) for n, differs in opened),
        ),
    )


def observe_model(model: Any, name: str = "default", generates: bool = True) -> Branch:
    """The facts of a model that is given, as small as it may be; it is run, and not changed.

    What a module takes and returns is that of the first scenario that calls it; where the model is
    not let generate, its cache stays unknown.
    """
    return _observe(model, name, None, generates)


def _observe(
    model: Any, name: str, exact: Mapping[str, tuple[str, ...]] | None, generates: bool = True
) -> Branch:
    layout = find_layout(model)
    sizes = size_names(layout, exact)
    kinds, outside = module_facts(layout, sizes)
    traces, functional, unused = observe_scenarios(layout, sizes, brief=exact is None)
    return Branch(
        name=name,
        settings={},
        layers_path=layout.path,
        kinds=kinds,
        modules=outside,
        tied=tied_weights(model),
        traces=traces,
        functional=functional,
        unused=unused,
        cache=observe_cache(layout, sizes) if generates else CacheFacts(),
    )


def _of_tiny(name: str, tiny: TinyModel, differs: Settings | None = None) -> Branch:
    found = _observe(tiny.model, name, size_expressions(tiny))
    if differs is None:
        other = resized(tiny)
        again = _observe(other.model, name, size_expressions(other))
        found = without_coincidences(found, again, tiny.model.config, other.model.config)
    settings = {"settings": json_value(tiny.settings), "differs": json_value(differs or {})}
    return found.model_copy(update=settings)


def _of_branch(name: str, tiny: TinyModel, differs: Settings) -> Branch:
    settings = dict(sorted({**tiny.settings, **differs}.items()))
    try:
        return _of_tiny(name, TinyModel(make(type(tiny.model), settings), settings), differs)
    except Exception as error:  # code of transformers may raise anything
        return Branch(
            name=name,
            settings=json_value(settings),
            differs=json_value(differs),
            error=reason(error),
            layers_path="",
            kinds=(),
            modules=(),
        )


def _attention(model: Any) -> Attention:
    has = [n for n, names in _ATTENTION.items() if any(getattr(model, f, False) for f in names)]
    return Attention(
        default=str(model.config._attn_implementation or ""),
        supported=tuple(sorted([*has, "eager"])),
    )
