"""The classes of transformers, the fields of the config, and what reaches TransformerLens."""

from __future__ import annotations

from collections.abc import Iterator

from adaptergen.drift.finding import Finding, Severity
from adaptergen.drift.words import change, last, shown
from adaptergen.lock.entry import OUTSIDE, Entry

_MODEL = (OUTSIDE,)


def compare_classes(old: Entry, new: Entry) -> Iterator[Finding]:
    """The model's class, its config's, the cache's, and what a forward returns."""
    before, after = old.model, new.model
    for code, word, one, other in (
        ("class", "the model's class", before.cls, after.cls),
        ("config-class", "the config's class", before.config, after.config),
        ("cache-class", "the cache that generation makes", before.cache, after.cache),
    ):
        if one == other or not other:
            continue
        # Another module is no matter: classes are imported from transformers itself.
        severity: Severity = "benign" if last(one) == last(other) else "breaking"
        names = (one, other) if severity == "benign" else (last(one), last(other))
        yield Finding(code, severity, f"{word} is {change(*names)}", _MODEL, hf=other)
    if before.returns != after.returns and after.returns:
        plain = after.returns.startswith(("(", "[")) != before.returns.startswith(("(", "["))
        what = f"a forward returns {change(before.returns, after.returns)}"
        yield Finding("output", "silent" if plain else "benign", what, _MODEL, hf=after.cls)
    if before.tied != after.tied:
        what = f"other weights are one: {change(before.tied, after.tied)}"
        yield Finding("tied", "silent", what, _MODEL, hf=after.cls)
    if after.generation and before.generation != after.generation:
        what = f"generation raises {after.generation}"
        yield Finding("generation", "breaking", what, _MODEL, hf=after.cls)


def compare_config(old: Entry, new: Entry) -> Iterator[Finding]:
    """Fields of the HF config that the spec names, and the values on TL's."""
    hf = new.model.config
    for name in sorted(old.config.keys() | new.config.keys()):
        before, after = old.config.get(name), new.config.get(name)
        if after is None:
            what = "the config has this field no more"
            yield Finding("field-gone", "breaking", what, _MODEL, (), (name,), hf)
        elif before is None:
            what = f"the config has this field now, {shown(after.value)} on the tiny model"
            yield Finding("field-new", "benign", what, _MODEL, (), (name,), hf)
        else:
            if before.alias_of != after.alias_of:
                what = f"it stands for the field {change(before.alias_of, after.alias_of)}"
                yield Finding("field-alias", "benign", what, _MODEL, (), (name,), hf)
            if before.default != after.default:
                what = f"its default is {change(before.default, after.default)}"
                yield Finding("field-default", "benign", what, _MODEL, (), (name,), hf)
            if before.type != after.type:
                what = f"its type is {change(before.type, after.type)}"
                yield Finding("field-type", "benign", what, _MODEL, (), (name,), hf)
    named = old.config.keys() | new.config.keys()
    for word, names in (
        ("now", set(new.model.fields) - set(old.model.fields) - named),
        ("no longer", set(old.model.fields) - set(new.model.fields) - named),
    ):
        if names and old.model.fields and new.model.fields:
            what = f"fields that the spec does not name: the config takes these {word}"
            yield Finding("fields", "benign", what, _MODEL, (), tuple(sorted(names)), hf)
    for name in sorted(old.cfg.keys() | new.cfg.keys()):
        values = old.cfg.get(name, ""), new.cfg.get(name, "")
        if values[0] == values[1] or new.error:
            continue
        if values[1] in ("", "None"):
            what = f"its value no longer reaches the config of TransformerLens: {change(*values)}"
        else:
            what = f"another value reaches the config of TransformerLens: {change(*values)}"
        yield Finding("cfg", "silent", what, _MODEL, (), (f"cfg.{name}",), hf)
