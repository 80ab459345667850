"""The door for facts about transformers: builds tiny models, runs them, and watches.

Importing it imports nothing heavy; calling its functions does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adaptergen.facts import Branch, ConfigFacts, Facts


def observe_class(
    model_class: Any, base: Mapping[str, Any] | None = None, every: bool = False
) -> Facts:
    """The facts of a model class of transformers, on tiny models made for it.

    `base` are the fields of a config.json to start from instead of the defaults; `every` adds a
    model for each branch that the config opens. Raises `Failed` if no tiny model runs.
    """
    from adaptergen.inspection.observe import of_class

    return of_class(model_class, base or {}, every)


def observe_branch(model: Any, name: str = "default", generates: bool = True) -> Branch:
    """The facts of a model that is given, as small as it may be; it is run, and not changed.

    What a module takes and returns is told of the first scenario that calls it; where the model is
    not let generate, its cache stays unknown.
    """
    from adaptergen.inspection.observe import of_model

    return of_model(model, name, generates)


def observe_config(config_class: Any) -> ConfigFacts:
    """The facts of a config class, without the vocabulary of kinds, which takes models."""
    from adaptergen.inspection.observe import of_config

    return of_config(config_class)
