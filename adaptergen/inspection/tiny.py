"""The settings of a tiny config with every kind of layer, from a config class and a full config."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from adaptergen.inspection import layers
from adaptergen.inspection.fields import Declared, declared, read, sub_configs
from adaptergen.inspection.sizes import HEAD_DIM, HEADS, HIDDEN, VOCAB, WIDTH, guess, known, small

Settings = dict[str, Any]

#: For models that want powers of two: other numbers of heads.
_POWERS = {HEADS: 8, 3: 4}

_TOKEN = re.compile(r"_token_(id|index)$")


@dataclass(frozen=True)
class Profile:
    """What a model insists on that the rules do not know; by default nothing."""

    plain: bool = False
    """The residual stream is as wide as all heads together, which are a power of two."""
    complete: bool = False
    """Fields that are None by default need a value."""
    computed: bool = False
    """The lists of layers are left to the config."""
    wide: bool = False
    """Windows and chunks are longer than any prompt."""
    twice: bool = False
    """Each kind of layer occurs twice."""


def profiles() -> Iterator[Profile]:
    """The profiles to try, from the one that insists on nothing to those that do on two."""
    names = ("plain", "complete", "wide", "computed", "twice")
    for number in range(3):
        for chosen in combinations(names, number):
            yield Profile(**dict.fromkeys(chosen, True))


def tiny_settings(
    config_class: Any, full: Any, profile: Profile, given: frozenset[str]
) -> Settings:
    """What to make the tiny config with. `full` is a config of real size, and is not changed.

    `given` are the fields that `full` was made with: what a config computes where a field is None
    is left for it to compute anew.
    """
    inner = sub_configs(config_class)
    fields = {
        name: field
        for name, field in declared(config_class).items()
        if name in given or name in inner or not _computed(field, full)
    }
    settings = {**_told(fields, full, given), **_sizes(config_class, fields, full, profile)}
    settings.update(layers.settings(config_class, fields, full, profile))
    if profile.complete:
        settings.update(_completed(fields, full, settings))
    return dict(sorted(settings.items()))


def _told(fields: Mapping[str, Declared], full: Any, given: frozenset[str]) -> Settings:
    """What a config.json says that is no size: switches, words, factors, and what is None."""
    told = {name: read(full, name) for name in fields if name in given}
    return {
        name: value
        for name, value in told.items()
        if value is None or isinstance(value, (bool, str, float))
    }


def _computed(field: Declared, full: Any) -> bool:
    # A text instead of a number, as in `"auto"`, asks for a computed one too.
    empty = field.default is None or (field.default == "auto")
    return empty and not layers.is_list(field) and read(full, field.name) is not None


def _sizes(
    config_class: Any, fields: Mapping[str, Declared], full: Any, profile: Profile
) -> Settings:
    inner = sub_configs(config_class)
    own_heads = any("head_dim" in name and isinstance(read(full, name), int) for name in fields)
    heads = 8 if profile.plain else HEADS
    hidden = HIDDEN if own_heads and not profile.plain else heads * HEAD_DIM
    width = next((read(full, name) for name in fields if WIDTH.match(name)), None)
    settings: Settings = {}
    tokens = iter(range(VOCAB - 1, 0, -1))
    for name in fields:
        value = read(full, name)
        if name in inner:
            if value is not None:
                settings[name] = _inner(value, profile)
        elif value is None and re.search(r"attn.*(idxs|indices)$", name):
            # Every second layer is one of attention.
            settings[name] = [1, 3]
        elif name == "is_decoder":
            # What is wanted is the causal model.
            settings[name] = True
        elif _TOKEN.search(name):
            settings.update(_token(name, value, tokens))
        elif value == 0 and re.search(r"first_k_dense|num_dense_layers", name):
            # The first layers of such a model can be dense: one is.
            settings[name] = 1
        elif isinstance(value, bool) or not isinstance(value, int) or layers.counts(name):
            continue
        elif WIDTH.match(name) or (value == width and not known(name)):
            settings[name] = hidden
        elif small(name, value, profile.wide) != value:
            number = small(name, value, profile.wide)
            settings[name] = _POWERS.get(number, number) if profile.plain else number
    return {**settings, **_kept_relations(fields, full, settings)}


def _token(name: str, value: Any, tokens: Iterator[int]) -> Settings:
    """A number of a token that the small vocabulary has."""
    if isinstance(value, list):
        return {name: [next(tokens) for _ in value]}
    return {name: next(tokens)} if isinstance(value, int) and value > VOCAB // 2 else {}


def _kept_relations(fields: Mapping[str, Declared], full: Any, settings: Settings) -> Settings:
    """Equalities between numbers that models check, kept as they are at full size."""
    found: Settings = {}
    width = next((n for n in fields if WIDTH.match(n)), None)
    numbers = {n: v for n in fields if type(v := read(full, n)) is int}
    now = {**numbers, **settings}
    for name in numbers:
        # As many heads for keys and values as for queries.
        queries = re.sub(r"(key_value|kv)_", "attention_", name)
        if queries != name and numbers[name] == numbers.get(queries):
            found[name] = now[queries]
    if "head_dim" in numbers and numbers["head_dim"] == numbers.get("qk_rope_head_dim"):
        # There it is the part of a head that is rotated.
        found["head_dim"] = now["qk_rope_head_dim"]
    for name in fields:
        value = read(full, name)
        parts = isinstance(value, (list, tuple)) and all(type(v) is int for v in value)
        if width and parts and len(value) > 1 and sum(value) == numbers[width]:
            found[name] = [v * now[width] // numbers[width] for v in value]
    expand = next((n for n in numbers if n.endswith("expand")), None)
    if expand and width:
        inner = numbers[expand] * numbers[width]
        for heads in (n for n in numbers if re.search(r"heads$", n)):
            for dim in (n for n in numbers if re.search(r"d_head$|head_?dim$", n)):
                if numbers[heads] * numbers[dim] == inner:
                    found[dim] = now[expand] * now[width] // now[heads]
    return found


def _completed(fields: Mapping[str, Declared], full: Any, settings: Settings) -> Settings:
    found: Settings = {}
    for name, field in fields.items():
        if name not in settings and read(full, name) is None:
            number = guess(name)
            if "int" in field.type and "list" not in field.type and number:
                found[name] = number
            elif name == "default_language":
                found[name] = next(iter(read(full, "languages") or ()), None)
    return found


def _inner(config: Any, profile: Profile) -> Settings:
    cls = type(config)
    made = tiny_settings(cls, config, profile, frozenset())
    return {"model_type": cls.model_type, **made} if cls.model_type else made
