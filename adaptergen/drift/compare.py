"""Two entries of a lock compared: every change once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from adaptergen.drift.hooks import compare_hooks, compare_logits, compare_values
from adaptergen.drift.modules import Side, compare_modules
from adaptergen.drift.report import change, last, shown
from adaptergen.lock.entry import OUTSIDE, Entry, Kind
from adaptergen.records import SEVERITIES, Severity
from adaptergen.records import DriftFinding as Finding

_MODEL = (OUTSIDE,)


def compare(old: Entry, new: Entry) -> list[Finding]:
    """What changed from one entry to the other; the worst first."""
    renamed = renamed_kinds(old, new)
    findings: list[Finding] = []
    if new.error and new.error != old.error:
        what = f"the adapter cannot be used: {new.error}"
        findings.append(Finding("not-run", "breaking", what, _MODEL, hf=new.model.cls))
    findings += _compare_classes(old, new)
    findings += _compare_config(old, new)
    findings += _compare_kinds(old, new, renamed)
    reported: set[str] = set()
    for name in ("", *sorted(old.branches.keys() & new.branches.keys())):
        before, after = Side.of(old, name, renamed), Side.of(new, name)
        compared = [*_compare_raises(before, after), *compare_modules(before, after)]
        if not after.error and not before.error:
            compared += compare_hooks(before, after)
        if _same_layers(old, new, renamed) and before.weights == after.weights:
            compared += compare_values(old, new, renamed) if not name else ()
            compared += compare_logits(before, after, reported, compared)
        elif not name:
            what = "weights differ, so what is computed with them was not compared"
            compared.append(Finding("values", "benign", what, _MODEL))
        findings += [replace(one, branch=name, layers=_layers(new, one)) for one in compared]
    return _united(findings)


def _united(findings: Sequence[Finding]) -> list[Finding]:
    """Each change once, of all kinds of layer that show it; the worst first."""
    found: dict[tuple[str, ...], Finding] = {}
    for finding in findings:
        key = (finding.code, finding.severity, finding.what, *finding.paths)
        known = found.setdefault(key, finding)
        if known is not finding and known.branch == finding.branch:
            kinds = tuple(sorted({*known.kinds, *finding.kinds}))
            layers = tuple(sorted({*known.layers, *finding.layers}))
            found[key] = replace(known, kinds=kinds, layers=layers)
    # First those of one severity are put in order, which the second sorting keeps.
    ordered = sorted(found.values(), key=lambda one: (one.layers, one.kinds, one.code, one.paths))
    return sorted(ordered, key=lambda one: SEVERITIES.index(one.severity))


def _layers(entry: Entry, finding: Finding) -> tuple[int, ...]:
    kinds = [entry.kinds[kind] for kind in finding.kinds if kind in entry.kinds]
    return tuple(sorted({layer for kind in kinds for layer in kind.layers}))


def _same_layers(old: Entry, new: Entry, renamed: Mapping[str, str]) -> bool:
    """Whether layers are where they were, and the same weights are tied."""
    before = {renamed.get(name, name): kind.layers for name, kind in old.kinds.items()}
    after = {name: kind.layers for name, kind in new.kinds.items()}
    return before == after and old.model.tied == new.model.tied


def _compare_raises(before: Side, after: Side) -> Iterator[Finding]:
    for scenario in sorted(before.raises.keys() ^ after.raises.keys()):
        if scenario in after.raises:
            what = f"the forward raises in `{scenario}`: {after.raises[scenario]}"
            yield Finding("raises", "breaking", what, _MODEL)
        else:
            yield Finding(
                "raises", "benign", f"the forward no longer raises in `{scenario}`", _MODEL
            )


def _compare_classes(old: Entry, new: Entry) -> Iterator[Finding]:
    """The model's class, its config's, the cache's, and what a forward returns."""
    before, after = old.model, new.model
    for code, word, one, other in (
        ("class", "the model's class", before.cls, after.cls),
        ("config-class", "the config's class", before.config, after.config),
        ("cache-class", "the class of the cache that generation makes", before.cache, after.cache),
    ):
        if one != other and other:
            # Another module is no matter: classes are imported from transformers itself.
            severity: Severity = "benign" if last(one) == last(other) else "breaking"
            names = (one, other) if severity == "benign" else (last(one), last(other))
            yield Finding(code, severity, f"{word} {change(*names)}", _MODEL, hf=other)
    if before.returns != after.returns and after.returns:
        plain = after.returns.startswith(("(", "[")) != before.returns.startswith(("(", "["))
        what = f"the result of a forward {change(before.returns, after.returns)}"
        yield Finding("output", "silent" if plain else "benign", what, _MODEL, hf=after.cls)
    if before.tied != after.tied:
        what = f"the tied weights {change(before.tied, after.tied)}"
        yield Finding("tied", "silent", what, _MODEL, hf=after.cls)
    if after.generation and before.generation != after.generation:
        what = f"generation raises {after.generation}"
        yield Finding("generation", "breaking", what, _MODEL, hf=after.cls)


def _compare_config(old: Entry, new: Entry) -> Iterator[Finding]:
    """Fields of the HF config that the spec names, and the values on TL's."""
    hf = new.model.config

    def found(code: str, severity: Severity, what: str, *names: str) -> Finding:
        return Finding(code, severity, what, _MODEL, (), names, hf)

    named = old.config.keys() | new.config.keys()
    for name in sorted(named):
        before, after = old.config.get(name), new.config.get(name)
        if after is None:
            yield found("field-gone", "breaking", "the field was removed from the config", name)
        elif before is None:
            what = f"the field was added to the config, {shown(after.value)} on the tiny model"
            yield found("field-new", "benign", what, name)
        else:
            for code, word, one, other in (
                ("field-alias", "the field that it stands for", before.alias_of, after.alias_of),
                ("field-default", "its default", before.default, after.default),
                ("field-type", "its type", before.type, after.type),
            ):
                if one != other:
                    yield found(code, "benign", f"{word} {change(one, other)}", name)
    for word, names in (
        ("now takes", set(new.model.fields) - set(old.model.fields) - named),
        ("no longer takes", set(old.model.fields) - set(new.model.fields) - named),
    ):
        if names and old.model.fields and new.model.fields:
            what = f"fields that the spec does not name: the config {word} these"
            yield found("fields", "benign", what, *sorted(names))
    for name in sorted(old.cfg.keys() | new.cfg.keys()):
        values = old.cfg.get(name, ""), new.cfg.get(name, "")
        if values[0] != values[1] and not new.error:
            what = f"the value in the config of TransformerLens {change(*values)}"
            if values[1] in ("", "None"):
                what = (
                    f"its value no longer reaches the config of TransformerLens: {shown(values[0])}"
                )
            yield found("cfg", "silent", what, f"cfg.{name}")


def renamed_kinds(old: Entry, new: Entry) -> dict[str, str]:
    """Kinds that the spec had a name for and has none for now, by where their layers are."""
    return {
        before: after
        for before, kind in old.kinds.items()
        for after, other in new.kinds.items()
        if before not in new.kinds and after not in old.kinds and kind.layers == other.layers
    }


def _compare_kinds(old: Entry, new: Entry, renamed: Mapping[str, str]) -> Iterator[Finding]:
    """Every kind of layer, by its name in the spec."""
    for name, before in old.kinds.items():
        now = renamed.get(name, name)
        after = new.kinds.get(now)
        if after is None:
            what = "no layer is of this kind any more"
            yield Finding("kind-gone", "breaking", what, (name,), before.layers, (name,))
            continue
        if before.word != after.word:
            what = f"the name of layers of this kind {change(before.word, after.word)}"
            block = new.modules.get(now, {}).get("")
            hf = block.cls if block else ""
            yield Finding("kind-renamed", "breaking", what, (now,), after.layers, (after.word,), hf)
        if before.layers != after.layers:
            what = f"the layers of this kind {change(before.layers, after.layers)}"
            yield Finding("kind-layers", "silent", what, (now,), after.layers)
        if not (old.model.generation or new.model.generation):
            yield from _compare_cache((now,), before, after)
    for name in sorted(new.kinds.keys() - old.kinds.keys() - set(renamed.values())):
        what = "layers of a kind that was not there before"
        yield Finding("kind-new", "breaking", what, (name,), new.kinds[name].layers, (name,))


def _compare_cache(kinds: tuple[str, ...], before: Kind, after: Kind) -> Iterator[Finding]:
    if last(before.cache) != last(after.cache):
        what = f"the cache's class for these layers {change(last(before.cache), last(after.cache))}"
        # Where it keeps nothing the class is no matter.
        kept: Severity = "silent" if before.states or after.states else "benign"
        yield Finding("cache-layer", kept, what, kinds, after.layers, hf=after.cache)
    # States that are now one of several, or were, and have the shape that they had.
    moved = {
        old: new
        for old, shape in before.states.items()
        for new, other in after.states.items()
        if old not in after.states and new not in before.states and shape == other
        if old.partition(".")[0] == new.partition(".")[0]
    }
    if moved:
        ways = ", ".join(f"`{old}` as `{new}`" for old, new in moved.items())
        what = f"the cache keeps its states elsewhere: {ways}"
        yield Finding("cache-state", "silent", what, kinds, after.layers, (), after.cache)
    for name in sorted((before.states.keys() | after.states.keys()) - {*moved, *moved.values()}):
        states = before.states.get(name, "nothing"), after.states.get(name, "nothing")
        if states[0] != states[1]:
            what = f"the {name} that the cache keeps {change(*states)}"
            yield Finding("cache-state", "silent", what, kinds, after.layers, (name,), after.cache)
