"""The settings of a tiny config with every kind of layer, from a config class and a full config.

Rules over names and types of fields decide; no class of transformers is named. The sizes differ
from each other where a model lets them, so that a size in a shape tells which field it comes from.
All widths are multiples of four, which grouped matrix products ask for.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from types import MappingProxyType
from typing import Any

from adaptergen.inspection.config_fields import DeclaredField, declared, read, sub_configs
from adaptergen.inspection.fault_isolation import attempted

Settings = dict[str, Any]

HIDDEN = 72
HEADS = 6
HEAD_DIM = 16
VOCAB = 124
POSITIONS = 80

#: Number of layers where nothing in the config says how many are needed for one of each kind.
FEW_LAYERS = 4
#: At most this many, for configs whose kinds come in a long period.
MOST_LAYERS = 16

#: Names of the width of the residual stream.
WIDTH = re.compile(r"^(hidden_size(_global)?|d_model|n_embd|emb_dim|dim_model)$")

_LAYER_COUNT = re.compile(
    r"^(num_hidden_layers|num_layers|n_layers?|(num_)?(decoder|encoder)_layers|num_blocks|depth"
    r"|conf_num_hidden_layers|num_global_layers)$"
)
_TOKEN = re.compile(r"_token_(id|index)$")

#: The word for attention where that is the one for layers with a state, by release.
_BESIDE = {"mamba": "attention", "linear_attention": "full_attention"}

#: For models that want powers of two: other numbers of heads.
_POWERS = {HEADS: 8, 3: 4}

_KEEP = -1

#: Pattern of a name, and what the number becomes; numbers that are smaller already stay.
_RULES = (
    (r"type_vocab_size|^(seed|hash_seed)$|theta$|iters$", _KEEP),
    (r"vocab", VOCAB),
    (r"position|max_seq|seq_length|n_ctx|context_length|rel_extent", POSITIONS),
    (r"indexer_kv_heads", 1),
    (r"index_n_heads", 7),
    (r"linear_num_key_heads", 9),
    (r"linear_num_value_heads", 18),
    (r"linear_key_head_dim", 20),
    (r"mamba_(d_head|head_?dim)", 20),
    (r"dim_head$", HEAD_DIM),
    (r"(kv|key_value|key)_?heads?(_per_layer)?$", 3),
    (r"mamba.*heads$|n_mamba_heads", 8),
    (r"heads?$", HEADS),
    (r"qk_rope_head_dim|rotary_dim", 8),
    (r"qk_nope_head_dim", 24),
    (r"v_head_dim|value_head_dim", 28),
    (r"index(er)?_head_dim", 68),
    (r"global_head_dim", 32),
    (r"head_?dim|d_head$|kv_channels|head_size", HEAD_DIM),
    (r"kv_lora_rank", 36),
    (r"q_lora_rank", 52),
    (r"o_lora_rank", 60),
    (r"rank", 12),
    # Of tokens, and not of experts: most that a short prompt has.
    (r"index_topk", 6),
    (r"per_tok|top_?k$|topk|moe_k$", 2),
    (r"^n_groups?$|ngroups|_groups?$", 2),
    (r"latent_size", 44),
    (r"shared.*size", 56),
    (r"(moe|expert).*(size|dim)", 40),
    (r"num_.*experts|n_routed_experts|experts?(_num)?$", 12),
    (r"num_shared|n_shared", _KEEP),
    (r"intermediate|ffn|inner|feed_forward|mlp_dim|^d?ff$|dim_ff|proj_dim", 64),
    (r"first_k_dense|dense_layers|layer_start|max_window_layers|kv_shared_layers", 1),
    (r"state_size|d_state|ssm_state", 28),
    (r"window|chunk", 8),
    (r"block_size", 8),
    (r"period|interval|pattern|every_n|sparse_step|offset", _KEEP),
    (r"n_floor|floor_scale", _KEEP),
    (r"layer", 2),
    # Of an odd number, so that a convolution returns as many tokens as it takes.
    (r"kernel", 5),
    (r"buckets", 32),
    (r"budget", 8),
    (r"compress_ratio", 2),
    (r"codebook_size", 32),
)

_WINDOW = re.compile(r"window|chunk")
#: Fields that list the numbers of some layers.
_LAYER_NUMBERS = re.compile(r"idxs$|indices$|layer_ids$|layers$")

#: Tokens that models look for in what they are given: no prompt of a test has the lowest.
_SPECIAL = {"pad_token_id": 0, "mask_token_id": 1}


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
    config_class: Any,
    full: Any,
    profile: Profile,
    base: Mapping[str, Any] = MappingProxyType({}),
    generates: bool = True,
) -> Settings:
    """What to make the tiny config with. `full` is a config of real size, and is not changed.

    If the model `generates`, it is to be causal where the config lets it be either. `base` are the
    fields that `full` was made with: what a config computes where a field is None is left for it to
    compute anew.
    """
    inner = sub_configs(config_class)
    known = declared(config_class) | _undeclared(config_class, full, base)
    given = _given(known, full, base)
    fields = {
        name: field
        for name, field in known.items()
        if name in given or name in inner or not _is_computed(field, full)
    }
    values = {name: read(full, name) for name in fields if name in given}
    # What a config.json says: switches, words, factors, numbers that are small already, and None.
    plain = (bool, str, float, int)
    settings = {n: v for n, v in values.items() if v is None or isinstance(v, plain)}
    settings.update(_sizes(config_class, fields, full, profile, base, generates))
    settings.update(_layer_settings(config_class, fields, full, profile))
    settings.update(_lists(values, full, settings))
    tables = {n: v for n, v in values.items() if isinstance(v, dict) and n not in inner}
    settings.update({name: _table(table, full, settings) for name, table in tables.items()})
    if profile.complete:
        settings.update(_completed(fields, full, settings))
    return dict(sorted(settings.items()))


def _undeclared(config_class: Any, full: Any, base: Mapping[str, Any]) -> dict[str, DeclaredField]:
    """Fields of a config.json that the class does not declare, and that its model reads."""
    others = [
        name for name in base if name in vars(full) and type(base[name]) in (bool, int, float)
    ]
    text = _source_of_model(config_class) if others else ""
    known = {*declared(config_class), *sub_configs(config_class)}
    return {
        name: DeclaredField(name, type(base[name]).__name__, None)
        for name in others
        if name not in known and re.search(rf"config, \"{name}\"|config\.{name}\b", text)
    }


def _source_of_model(config_class: Any) -> str:
    """The text of the module that has the models of a config; empty without one."""
    module = sys.modules.get(config_class.__module__.replace("configuration_", "modeling_"))
    path = getattr(module, "__file__", None)
    return Path(path).read_text(encoding="utf-8") if path else ""


def _given(
    known: Mapping[str, DeclaredField], full: Any, base: Mapping[str, Any]
) -> frozenset[str]:
    """The fields that a config.json sets, also by another name or as an entry of a table."""
    if not base:
        return frozenset()
    usual = attempted(type(full))
    differ = {name for name in known if usual is None or read(usual, name) != read(full, name)}
    # What is computed differs where sizes do; a table has what stood beside it in older files.
    return frozenset(
        name
        for name in known
        if name in base
        or (
            name in differ
            and (isinstance(read(full, name), dict) or not _is_computed(known[name], full))
        )
    )


def _lists(values: Settings, full: Any, settings: Settings) -> Settings:
    """The lists of a config.json that are not of all layers: numbers of layers, and factors."""
    listed = {name: value for name, value in values.items() if isinstance(value, (list, tuple))}
    of_layers = layer_lists(full)
    layers = next((n for name, n in settings.items() if is_layer_count(name)), FEW_LAYERS)
    found: Settings = {}
    for name, value in listed.items():
        if name in settings or name in of_layers:
            continue
        if _LAYER_NUMBERS.search(name) and all(type(item) is int for item in value):
            found[name] = [item for item in value if item < layers] or [layers - 1] * bool(value)
        elif all(isinstance(item, str) or _is_finite(item) for item in value):
            found[name] = list(value)
    return found


def _is_finite(number: Any) -> bool:
    """Whether this is a factor that JSON has."""
    return isinstance(number, float) and math.isfinite(number)


def _table(value: Any, full: Any, settings: Settings) -> Any:
    """A table of a config.json, such as that of rotations; its lists are as long as half a head."""
    if isinstance(value, dict):
        # Transformers writes the older word beside the newer one.
        older = {"type"} if "rope_type" in value else set()
        kept = {key: item for key, item in value.items() if key not in older}
        return {key: _table(item, full, settings) for key, item in kept.items()}
    if isinstance(value, (list, tuple)):
        width = _head_width(lambda name: read(full, name))
        tiny = _head_width(lambda name: settings.get(name, read(full, name)))
        return list(value)[: max(1, len(value) * tiny // width)] if width and tiny else list(value)
    return value


def _head_width(field: Callable[[str], Any]) -> int:
    """The width of a head, from the fields of a config; 0 where they do not tell."""
    width, hidden, heads = (field(n) for n in ("head_dim", "hidden_size", "num_attention_heads"))
    if isinstance(width, int) and width:
        return width
    return hidden // heads if isinstance(hidden, int) and isinstance(heads, int) and heads else 0


def is_layer_count(name: str) -> bool:
    """Whether a field of this name is a number of layers."""
    return _LAYER_COUNT.match(name) is not None


def layer_count(config: Any) -> int | None:
    """How many layers a config says it has; None if it does not."""
    for name in ("num_hidden_layers", *sorted(vars(config))):
        value = read(config, name) if is_layer_count(name) else None
        if isinstance(value, int):
            return value
    return None


def layer_lists(config: Any) -> dict[str, tuple[Any, ...]]:
    """Lists of a config, or of its properties, with a word or number for each layer, by name."""
    layers = layer_count(config) or 0
    members = (item for cls in type(config).__mro__ for item in vars(cls).items())
    properties = {name for name, value in members if isinstance(value, property)}
    found = {}
    for name in sorted({*vars(config), *properties}):
        value = read(config, name)
        listed = isinstance(value, (list, tuple)) and len(value) == layers > 1
        if listed and all(isinstance(item, (str, int, float)) for item in value):
            found[name] = tuple(value)
    return found


def usual_size(name: str) -> int | None:
    """A number for a field that has none; None where no rule knows its name."""
    number = _rule(name)
    return None if number == _KEEP else number


def _rule(name: str) -> int | None:
    return next((number for pattern, number in _RULES if re.search(pattern, name)), None)


def _small(name: str, value: int, wide: bool) -> int:
    """What a number of a config becomes; itself if it is small already or no size."""
    if value <= 2:
        return value
    if wide and _WINDOW.search(name):
        return min(value, POSITIONS)
    number = _rule(name)
    if number is not None:
        return value if number == _KEEP else min(value, number)
    return value if value <= 16 else min(value, 24)


def _is_computed(field: DeclaredField, full: Any) -> bool:
    # A text instead of a number, as in `"auto"`, asks for a computed one too.
    empty = field.default is None or field.default == "auto"
    return empty and not _lists_layers(field) and read(full, field.name) is not None


def _sizes(
    config_class: Any,
    fields: Mapping[str, DeclaredField],
    full: Any,
    profile: Profile,
    base: Mapping[str, Any],
    generates: bool,
) -> Settings:
    inner = sub_configs(config_class)
    own_heads = any("head_dim" in name and isinstance(read(full, name), int) for name in fields)
    heads = 8 if profile.plain else _heads(full)
    hidden = HIDDEN if own_heads and not profile.plain else heads * HEAD_DIM
    width = next((read(full, name) for name in fields if WIDTH.match(name)), None)
    settings: Settings = {}
    tokens = iter(range(VOCAB - 1, 0, -1))
    for name in fields:
        value = read(full, name)
        if _is_repeated(value, fields[name]):
            value = settings[name] = value[0]
        if name in inner:
            if value is not None:
                held = base.get(name)
                held = held if isinstance(held, dict) else {}
                causal = generates and not _has_encoder(full)
                settings[name] = _inner(value, profile, held, causal)
        elif value is None and re.search(r"attn.*(idxs|indices)$", name):
            # Every second layer is one of attention.
            settings[name] = [1, 3]
        elif name == "is_decoder" and generates:
            settings[name] = True
        elif _TOKEN.search(name):
            settings.update(_token(name, value, tokens))
        elif value == 0 and name not in base and re.search(r"first_k_dense|num_dense", name):
            # The first layers of such a model can be dense: one is.
            settings[name] = 1
        elif isinstance(value, bool) or not isinstance(value, int) or is_layer_count(name):
            continue
        elif WIDTH.match(name) or (value == width and _rule(name) is None):
            settings[name] = hidden
        elif (number := _small(name, value, profile.wide)) != value:
            settings[name] = _POWERS.get(number, number) if profile.plain else number
    return {**settings, **_kept_relations(fields, full, settings)}


def _heads(full: Any) -> int:
    """How many heads the residual stream is divided into: a config may have few already."""
    number = read(full, "num_attention_heads")
    return min(number, HEADS) if isinstance(number, int) and number > 2 else HEADS


def _is_repeated(value: Any, field: DeclaredField) -> bool:
    """Whether a list has the same number for each layer, where one number would do."""
    listed = isinstance(value, (list, tuple)) and len(set(map(repr, value))) == 1
    return listed and type(value[0]) is int and re.match(r"int\b", field.type) is not None


def _token(name: str, value: Any, tokens: Iterator[int]) -> Settings:
    """A number of a token that the small vocabulary has."""
    if isinstance(value, list):
        return {name: [next(tokens) for _ in value]}
    return {name: next(tokens)} if isinstance(value, int) and value > VOCAB // 2 else {}


def _kept_relations(fields: Mapping[str, DeclaredField], full: Any, settings: Settings) -> Settings:
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


def _completed(fields: Mapping[str, DeclaredField], full: Any, settings: Settings) -> Settings:
    found: Settings = {}
    for name, field in fields.items():
        if name not in settings and read(full, name) is None:
            number = usual_size(name)
            if "int" in field.type and "list" not in field.type and number:
                found[name] = number
            elif name in _SPECIAL and "int" in field.type:
                found[name] = _SPECIAL[name]
            elif name == "default_language":
                found[name] = next(iter(read(full, "languages") or ()), None)
    return found


def _has_encoder(config: Any) -> bool:
    """Whether the configs inside say which is the decoder, and which is not."""
    return bool(read(config, "is_encoder_decoder"))


def _inner(config: Any, profile: Profile, base: Mapping[str, Any], generates: bool) -> Settings:
    cls = type(config)
    made = tiny_settings(cls, config, profile, base, generates)
    return {"model_type": cls.model_type, **made} if cls.model_type else made


def _lists_layers(field: DeclaredField) -> bool:
    """Whether a field lists something of each layer, by its name and type."""
    named = re.search(r"layer|block|pattern|_types$", field.name)
    return "list" in field.type and named is not None


def _layer_settings(
    config_class: Any, fields: Mapping[str, DeclaredField], full: Any, profile: Profile
) -> Settings:
    """Numbers of layers, and the lists that say of each layer what it is."""
    numbers = [name for name in fields if is_layer_count(name)]
    found = layer_lists(full)
    words = _layer_types(config_class, fields, full) if profile.complete else []
    if words or not found:
        number = max(FEW_LAYERS, len(words))
        listed = [words[index % len(words)] for index in range(number)] if words else []
        return {**dict.fromkeys(numbers, number), **({"layer_types": listed} if words else {})}
    rows = list(zip(*found.values(), strict=True))
    wanted = _one_of_each(rows)
    own = [] if profile.computed else [n for n in found if n in fields and _lists_layers(fields[n])]
    if own:
        wanted = wanted if len(wanted) > 1 else wanted * 2
        wanted = wanted * 2 if profile.twice else wanted
        columns = dict(zip(found, map(list, zip(*wanted, strict=True)), strict=True))
        return {**dict.fromkeys(numbers, len(wanted)), **{name: columns[name] for name in own}}
    # The config computes them: as many layers as it takes.
    needed = max(rows.index(row) for row in wanted) + 1
    needed = len(rows) if profile.twice else min(needed, MOST_LAYERS)
    return dict.fromkeys(numbers, max(2, needed))


def _one_of_each(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """One row of each kind; where every layer is different, of each word one."""
    wanted = list(dict.fromkeys(rows))
    if len(wanted) <= MOST_LAYERS // 2:
        return wanted
    seen: set[tuple[int, str]] = set()
    chosen = []
    for row in rows:
        words = {(column, item) for column, item in enumerate(row) if isinstance(item, str)}
        if words - seen:
            chosen.append(row)
            seen |= words
    return chosen or rows[:2]


def _layer_types(config_class: Any, fields: Mapping[str, DeclaredField], full: Any) -> list[str]:
    """The words that the module of the model knows, where `layer_types` has no default."""
    from transformers import configuration_utils

    field = fields.get("layer_types")
    if field is None or not _lists_layers(field):
        return []
    if len(set(read(full, field.name) or ())) > 1:
        return []
    text = _source_of_model(config_class)
    known = getattr(configuration_utils, "ALLOWED_LAYER_TYPES", ())
    words = [word for word in known if f'"{word}"' in text]
    # A model may know by name only what is no attention, and needs a layer of attention.
    return words + [_BESIDE[word] for word in words if len(words) == 1 and word in _BESIDE]
