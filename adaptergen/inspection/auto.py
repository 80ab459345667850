"""What the auto mappings of transformers say: which models there are, and of which config."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any

from adaptergen.inspection.fields import sub_configs
from adaptergen.problems import listing

#: In a name, what comes after the family: all classes of causal models end alike.
_AFTER = re.compile(r"(?<=.)(For|LMHead|With|Model|Config).*")
_SHOWN = 4


def causal() -> frozenset[str]:
    """The names of the classes for causal language modelling."""
    from transformers.models.auto import modeling_auto

    return frozenset(modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values())


def is_config(cls: Any) -> bool:
    """Whether this is a config class."""
    from transformers import PreTrainedConfig

    return isinstance(cls, type) and issubclass(cls, PreTrainedConfig)


def causal_of(config_class: Any) -> str:
    """The name of a config's class for causal language modelling; empty if there is none."""
    from transformers.models.auto import modeling_auto

    known = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    return next((str(known[key]) for key in _types(config_class) if key in known), "")


def is_of(model_class: Any, config_class: Any) -> bool:
    """Whether the model is made of this config, or of the config of its text model."""
    return model_class.config_class in (config_class, *sub_configs(config_class).values())


def models_hint(config_class: Any) -> str:
    """Names model classes that belong to a config class; empty if no mapping has one."""
    from transformers.models.auto import modeling_auto

    names_of_tables = (n for n in vars(modeling_auto) if re.match(r"MODEL_.*MAPPING_NAMES$", n))
    tables = [getattr(modeling_auto, name) for name in names_of_tables]
    found = (table[key] for table in tables for key in _types(config_class) if key in table)
    names = {name for one in found for name in ((one,) if isinstance(one, str) else one)}
    # Those that give tokens come first; the bare model gives hidden states.
    order = sorted(names, key=lambda n: (n not in causal(), "Generation" not in n, n))
    return f"name a model class: {listing(order[:_SHOWN], 'or')}" if order else ""


def nearest_hint(name: str) -> str:
    """Names the causal models whose family is written most alike; empty if none is."""
    families: dict[str, list[str]] = {}
    for known in sorted(causal()):
        families.setdefault(_family(known), []).append(known)
    close = get_close_matches(_family(name[:100]), families, n=3)
    names = [one for family in close for one in families[family]]
    return f"did you mean {listing(names[:_SHOWN], 'or')}?" if names else ""


def _family(name: str) -> str:
    return (_AFTER.sub("", name) or name).lower()


def _types(config_class: Any) -> list[str]:
    """The types of model that have this config."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    return [key for key, name in CONFIG_MAPPING_NAMES.items() if name == config_class.__name__]
