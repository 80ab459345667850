"""Everything that is observed of a model class, of one model, of a config class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import transformers

from adaptergen.facts import Branch, CacheFacts, ConfigFacts, Facts, Vocabulary
from adaptergen.facts.model import Attention
from adaptergen.inspection import branches, tree
from adaptergen.inspection.caches import attention, cache_facts
from adaptergen.inspection.configs import config_facts, json_value
from adaptergen.inspection.depends import depends
from adaptergen.inspection.dims import Sizes
from adaptergen.inspection.failures import reason
from adaptergen.inspection.models import Tiny, full_config, make, tiny_model, with_words
from adaptergen.inspection.names import qualified
from adaptergen.inspection.places import layout
from adaptergen.inspection.scenarios import functional, trace, unused
from adaptergen.inspection.vocabulary import vocabulary


def of_class(model_class: Any, base: Mapping[str, Any], every: bool) -> Facts:
    """See `adaptergen.inspection.observe_class`."""
    tiny = tiny_model(model_class, base)
    words = vocabulary(tiny)
    if words and not base:
        tiny = with_words(tiny, words.field, words.words)
    default, implementations = attention(tiny.model)
    found = [_of_tiny("default", tiny)]
    if every:
        for name, changes in sorted(branches.branches(tiny), key=lambda item: item[0]):
            found.append(_opened(name, tiny, changes))
    return Facts(
        transformers=transformers.__version__,
        architecture=model_class.__name__,
        cls=qualified(model_class),
        config=of_config(type(tiny.model.config), words),
        attention=Attention(default=default, supported=implementations),
        branches=tuple(found),
    )


def of_config(config_class: Any, words: Vocabulary | None = None) -> ConfigFacts:
    """See `adaptergen.inspection.observe_config`."""
    return config_facts(config_class, full_config(config_class, {}), words)


def of_model(model: Any, name: str, generates: bool) -> Branch:
    """See `adaptergen.inspection.observe_branch`."""
    return _observed(model, name, Sizes(model.config), generates, brief=True)


def _observed(model: Any, name: str, sizes: Sizes, generates: bool, brief: bool) -> Branch:
    placed = layout(model)
    # Names of sizes are learned from the parameters, so the modules come before the runs.
    kinds, outside = tree.kinds(placed, sizes), tree.outside(placed, sizes)
    traced = trace(placed, sizes, brief)
    return Branch(
        name=name,
        settings={},
        layers_path=placed.path,
        kinds=kinds,
        modules=outside,
        tied=tree.tied(model),
        traces=traced.traces,
        functional=functional(placed, traced),
        unused=unused(placed, traced),
        cache=cache_facts(placed, sizes) if generates else CacheFacts(),
    )


def _of_tiny(name: str, tiny: Tiny, changes: Mapping[str, Any] | None = None) -> Branch:
    sizes = Sizes(tiny.model.config, depends(tiny))
    found = _observed(tiny.model, name, sizes, generates=True, brief=False)
    told = {"settings": json_value(tiny.settings), "differs": json_value(changes or {})}
    return found.model_copy(update=told)


def _opened(name: str, tiny: Tiny, changes: Mapping[str, Any]) -> Branch:
    settings = dict(sorted({**tiny.settings, **changes}.items()))
    try:
        return _of_tiny(name, Tiny(make(type(tiny.model), settings), settings), changes)
    except Exception as error:  # code of transformers may raise anything
        return Branch(
            name=name,
            settings=json_value(settings),
            differs=json_value(changes),
            error=reason(error),
            layers_path="",
            kinds=(),
            modules=(),
        )
