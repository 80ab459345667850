"""Names of a spec held against those that something else has already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from adaptergen.catalogue.model import Catalogue, ConfigField
from adaptergen.plan.node import Location
from adaptergen.problems import Problem, quote, suggestion
from adaptergen.resources import reserved_names
from adaptergen.source.validate import describe, type_hint
from adaptergen.spec.architecture import Spec
from adaptergen.spec.load import LoadedSpec
from adaptergen.spec.values import Setting

_OTHER = "choose another name"
#: How names of components in layers may not start: TransformerLens reads them as those of weights.
AS_WEIGHTS = ("b", "w", "W_")
#: Keywords of the tiny model that the tests pass themselves.
_TINY_OWN = "attn_implementation"
#: Annotation of a field -> the types that a flag may have for it, and how they are called.
_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "bool": ((bool,), "true or false"),
    "float": ((int, float), "a number"),
    "int": ((int,), "a whole number"),
    "str": ((str,), "text"),
}


def name_problems(loaded: LoadedSpec, catalogue: Catalogue) -> list[Problem]:
    """Every name that collides with another, in the generated files or on the config.

    Stand-ins for what is broken collide with nothing.
    """
    spec, top = loaded.spec, Location(loaded.source)
    return [
        *_flags(spec, top, catalogue),
        *_config_names(spec, top, catalogue),
        *_kinds(spec, top),
        *_tiny(spec, top),
        *_doubles(top.at("config", "from_hf"), spec.config.from_hf),
        *_doubles(top.at("authors"), spec.authors),
        *_doubles(top.at("checkpoints"), spec.checkpoints),
    ]


def _flags(spec: Spec, top: Location, catalogue: Catalogue) -> Iterator[Problem]:
    for name, value in spec.config.flags.items():
        if name not in catalogue.config_fields:
            message = f"the config of TransformerLens has no field {quote(name)}"
            hint = suggestion(name, catalogue.config_fields) or "delete it"
            yield top.at("config", "flags", name).problem("unknown-flag", message, hint, key=True)
        elif not catalogue.config_fields[name].read:
            version = catalogue.tl_version
            message = (
                f"no bridge of TransformerLens {version} reads {quote(name)}, so it has no effect"
            )
            hint = "take a TransformerLens whose bridges do; or delete it, if none does"
            yield top.at("config", "flags", name).problem("unread-flag", message, hint, key=True)
        else:
            yield from _flag_type(catalogue.config_fields[name], value, top)
    for name in spec.config.adapter:
        if name not in catalogue.adapter_attributes:
            message = f"adapters of TransformerLens have no attribute {quote(name)}"
            hint = suggestion(name, catalogue.adapter_attributes) or "delete it"
            place = top.at("config", "adapter", name)
            yield place.problem("unknown-attribute", message, hint, key=True)


def _flag_type(field: ConfigField, value: Setting, top: Location) -> Iterator[Problem]:
    """A value of another type than the field has, if it is one of those that a flag can have."""
    place = top.at("config", "flags", field.name)
    annotation = (field.type or "").replace("Optional[", "None | ").replace("]", "")
    types = set(annotation.split(" | "))
    optional = "None" in types or field.default == "None"
    wanted = [_TYPES[name][1] for name in sorted(types - {"None"}) if name in _TYPES]
    fits = any(type(value) in _TYPES[name][0] for name in types if name in _TYPES)
    # Of a list or a torch.dtype nothing is known here.
    known = types <= {*_TYPES, "None"}
    if known and not fits and not (value is None and optional) and place.is_resolved():
        message = f"{quote(field.name)} must be {' or '.join(wanted)}, but is {describe(value)}"
        yield place.problem("wrong-type", message, type_hint(wanted, value))


def _config_names(spec: Spec, top: Location, catalogue: Catalogue) -> Iterator[Problem]:
    """Each field of the config is set in one way, and is neither a method nor a known field."""
    config, kind_source, here = spec.config, spec.blocks.kind, top.at("config")
    uses: list[tuple[str, Location, str, bool]] = []
    if kind_source:
        place = top.at("blocks", "kind", "listed_in")
        uses.append((kind_source.listed_in, place, "where the kinds are listed", False))
    uses += [(name, here.at("flags", name), "a flag", True) for name in config.flags]
    listed = enumerate(config.from_hf)
    uses += [(name, here.at("from_hf", i), "taken over from HF", False) for i, name in listed]
    uses += [(name, here.at("derived", name), "derived", True) for name in config.derived]
    set_by = {"is_stateful": "set because of cache"} if spec.cache else {}
    for name, place, what, is_key in uses:
        earlier = set_by.setdefault(name, what)
        message, hint = "", _OTHER
        if name in reserved_names("config") and what != "a flag":
            message = f"{quote(name)} is a method of the config already"
        elif earlier != what:
            message, hint = f"{quote(name)} is {earlier} already", "delete one of the two"
        elif what == "derived" and name in catalogue.config_fields:
            message = f"{quote(name)} is a field of TransformerLens already"
        if message:
            yield place.problem("config-name", message, hint, key=is_key)


def _kinds(spec: Spec, top: Location) -> Iterator[Problem]:
    kind_source = spec.blocks.kind
    if kind_source and kind_source.attribute == "config":
        message = "the config is the attribute `config` of a block"
        place = top.at("blocks", "kind", "attribute")
        yield place.problem("name-taken", message, "name the attribute that tells the kind")


def _tiny(spec: Spec, top: Location) -> Iterator[Problem]:
    tiny, here = spec.tiny, top.at("tiny")
    if "vocab_size" not in tiny.config and here.is_resolved("config", "vocab_size"):
        message = "the tests draw tokens below vocab_size, which the tiny model lacks"
        yield here.at("config").problem("tiny-config", message, "add vocab_size: 64", key=True)
    for name, counted in (("vocab_size", "tokens"), ("num_hidden_layers", "layers")):
        value = tiny.config.get(name, 64)
        number = type(value) is int and value >= 1
        if not number and here.is_resolved("config", name):
            message, hint = f"{quote(name)} is not a number of {counted}", "write a whole number"
            yield here.at("config", name).problem("tiny-config", message, hint)
    places = [(here.at("config"), tiny.config)]
    places += [(here.at("branches", name), branch) for name, branch in tiny.branches.items()]
    for place, values in places:
        if _TINY_OWN in values:
            message = f"the tests pass {quote(_TINY_OWN)} themselves"
            yield place.at(_TINY_OWN).problem("name-taken", message, "delete it", key=True)
    for name in tiny.releases:
        if (
            name not in tiny.branches
            and here.is_valid("branches")
            and here.is_resolved("releases", name)
        ):
            message = f"{quote(name)} is not a branch of the tiny model"
            hint = suggestion(name, tiny.branches) or "delete it"
            yield here.at("releases", name).problem("unknown-choice", message, hint, key=True)
    if "default" in tiny.branches:
        message = "the model without changes is the branch `default`"
        yield here.at("branches", "default").problem("name-taken", message, _OTHER, key=True)


def _doubles(here: Location, entries: Iterable[str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        if not here.is_resolved(index):
            continue
        if entry in seen:
            message = f"{quote(entry)} stands here twice"
            yield here.at(index).problem("listed-twice", message, "delete one of the two")
        seen.add(entry)
