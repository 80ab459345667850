"""How many layers a tiny model has, and of which kind each is: one of every kind."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from adaptergen.inspection.fields import Declared, read

if TYPE_CHECKING:
    from adaptergen.inspection.tiny import Profile

#: Layers where nothing in the config says how many are needed for one of each kind.
FEW = 4
#: At most this many, for configs whose kinds come in a long period.
MOST = 16

_COUNT = re.compile(
    r"^(num_hidden_layers|num_layers|n_layers?|(num_)?(decoder|encoder)_layers|num_blocks|depth"
    r"|conf_num_hidden_layers|num_global_layers)$"
)

#: The word for attention where that is the one for layers with a state, by release.
_BESIDE = {"mamba": "attention", "linear_attention": "full_attention"}

Row = tuple[Any, ...]


def counts(name: str) -> bool:
    """Whether a field of this name is a number of layers."""
    return _COUNT.match(name) is not None


def is_list(field: Declared) -> bool:
    """Whether a field lists something of each layer, by its name and type."""
    return (
        "list" in field.type and re.search(r"layer|block|pattern|_types$", field.name) is not None
    )


def number(config: Any) -> int | None:
    """How many layers a config says it has; None if it does not."""
    for name in ("num_hidden_layers", *sorted(vars(config))):
        value = read(config, name) if counts(name) else None
        if isinstance(value, int):
            return value
    return None


def lists(config: Any) -> dict[str, Row]:
    """Lists of a config, or of its properties, with a word or number for each layer, by name."""
    return dict(_lists(config, number(config) or 0))


def settings(
    config_class: Any, fields: Mapping[str, Declared], full: Any, profile: Profile
) -> dict[str, Any]:
    """Numbers of layers, and the lists that say of each layer what it is."""
    numbers = [name for name in fields if counts(name)]
    found = lists(full)
    words = _words(config_class, fields, full) if profile.complete else {}
    if words or not found:
        few = max([FEW, *(len(listed) for listed in words.values())])
        return {**dict.fromkeys(numbers, few), **{n: _filled(w, few) for n, w in words.items()}}
    rows = list(zip(*found.values(), strict=True))
    wanted = _wanted(rows)
    own = [] if profile.computed else [n for n in found if n in fields and is_list(fields[n])]
    if own:
        wanted = wanted if len(wanted) > 1 else wanted * 2
        wanted = wanted * 2 if profile.twice else wanted
        columns = dict(zip(found, map(list, zip(*wanted, strict=True)), strict=True))
        return {**dict.fromkeys(numbers, len(wanted)), **{name: columns[name] for name in own}}
    # The config computes them: as many layers as it takes.
    needed = max(rows.index(row) for row in wanted) + 1
    needed = len(rows) if profile.twice else min(needed, MOST)
    return dict.fromkeys(numbers, max(2, needed))


def _lists(config: Any, layers: int) -> Iterator[tuple[str, Row]]:
    properties = {
        name
        for cls in type(config).__mro__
        for name, v in vars(cls).items()
        if isinstance(v, property)
    }
    for name in sorted({*vars(config), *properties}):
        value = read(config, name)
        plain = isinstance(value, (list, tuple)) and len(value) == layers > 1
        if plain and all(isinstance(item, (str, int, float)) for item in value):
            yield name, tuple(value)


def _wanted(rows: list[Row]) -> list[Row]:
    """One row of each kind; where every layer is different, of each word one."""
    wanted = list(dict.fromkeys(rows))
    if len(wanted) <= MOST // 2:
        return wanted
    seen: set[tuple[int, str]] = set()
    chosen = []
    for row in rows:
        words = {(column, item) for column, item in enumerate(row) if isinstance(item, str)}
        if words - seen:
            chosen.append(row)
            seen |= words
    return chosen or rows[:2]


def _words(config_class: Any, fields: Mapping[str, Declared], full: Any) -> dict[str, list[str]]:
    """For lists that have no default: words that the module of the model knows."""
    from transformers import configuration_utils

    known = getattr(configuration_utils, "ALLOWED_LAYER_TYPES", ())
    module = sys.modules.get(config_class.__module__.replace("configuration_", "modeling_"))
    path = getattr(module, "__file__", None)
    if path is None:
        return {}
    with open(path, encoding="utf-8") as file:
        text = file.read()
    words = [word for word in known if f'"{word}"' in text]
    # A model may know by name only what is no attention, and needs a layer of attention.
    words += [_BESIDE[word] for word in words if len(words) == 1 and word in _BESIDE]
    return {
        name: words
        for name, field in fields.items()
        if words
        and name == "layer_types"
        and is_list(field)
        and len(set(read(full, name) or ())) < 2
    }


def _filled(words: list[str], length: int) -> list[str]:
    return [words[index % len(words)] for index in range(length)]
