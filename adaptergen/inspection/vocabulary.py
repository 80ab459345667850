"""The words for kinds of layer that a config takes and a model runs with."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from typing import Any

from adaptergen.facts import Vocabulary
from adaptergen.inspection import layers
from adaptergen.inspection.failures import attempted
from adaptergen.inspection.fields import declared, read
from adaptergen.inspection.models import Tiny

_LONGEST = 32


def vocabulary(tiny: Tiny) -> Vocabulary | None:
    """The words; None where no field of the config lists words for layers."""
    model_class, config = type(tiny.model), tiny.model.config
    listed = layers.lists(config)
    fields = declared(type(config))
    names = [n for n, row in listed.items() if n in fields and all(isinstance(w, str) for w in row)]
    if not names:
        return None
    field = next((n for n in names if "layer" in n and "mlp" not in n), names[0])
    row = list(listed[field])
    words, older = set(row), {}
    own, legacy = _candidates(type(config), model_class)
    for word in sorted((own | legacy) - words):
        changed = [*row[:-1], word]
        other = attempted(Tiny.of, model_class, {**tiny.settings, field: changed})
        if other is None or (other.error and not tiny.error):
            continue
        stored = read(other.model.config, field)
        if stored == changed:
            words.update({word} & own)
        elif isinstance(stored, (list, tuple)) and len(stored) == len(row):
            older[word] = str(stored[-1])
    return Vocabulary(field=field, words=tuple(sorted(words)), older=dict(sorted(older.items())))


def _candidates(config_class: Any, model_class: Any) -> tuple[set[str], set[str]]:
    """Words of the config's and the model's modules that configs allow, and words of the past."""
    from transformers import configuration_utils

    legacy = getattr(configuration_utils, "_LEGACY_LAYER_TYPE_REMAP", {})
    known = {*getattr(configuration_utils, "ALLOWED_LAYER_TYPES", ()), *legacy}
    strings = {
        word
        for cls in (config_class, model_class)
        for word in _strings(sys.modules[cls.__module__])
    }
    return known & strings, set(legacy)


def _strings(module: Any) -> Iterator[str]:
    try:
        tree = ast.parse(inspect.getsource(module))
    except (OSError, TypeError, SyntaxError):
        return
    for node in ast.walk(tree):
        word = node.value if isinstance(node, ast.Constant) else None
        if isinstance(word, str) and len(word) <= _LONGEST:
            yield word
