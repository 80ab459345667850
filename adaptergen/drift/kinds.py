"""The kinds of layer: what they are called, where they are, and what the cache keeps of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from adaptergen.drift.finding import Finding, Severity
from adaptergen.drift.words import change, last
from adaptergen.lock.entry import Entry, Kind


def renamed_kinds(old: Entry, new: Entry) -> dict[str, str]:
    """Kinds that the spec had a name for and has none for now, by where their layers are."""
    gone = [name for name in old.kinds if name not in new.kinds]
    added = [name for name in new.kinds if name not in old.kinds]
    return {
        before: after
        for before in gone
        for after in added
        if old.kinds[before].layers == new.kinds[after].layers
    }


def compare_kinds(old: Entry, new: Entry, renamed: Mapping[str, str]) -> Iterator[Finding]:
    """Every kind, by its name in the spec."""
    for name, before in old.kinds.items():
        after = new.kinds.get(renamed.get(name, name))
        shown = (renamed.get(name, name),)
        if after is None:
            what = "no layer is of this kind any more"
            yield Finding("kind-gone", "breaking", what, (name,), before.layers, (name,))
            continue
        if before.word != after.word:
            what = f"layers of this kind are called {change(before.word, after.word)}"
            block = new.modules.get(shown[0], {}).get("")
            hf = block.cls if block else ""
            yield Finding("kind-renamed", "breaking", what, shown, after.layers, (after.word,), hf)
        if before.layers != after.layers:
            what = f"other layers are of this kind: {change(before.layers, after.layers)}"
            yield Finding("kind-layers", "silent", what, shown, after.layers)
        if not (old.model.generation or new.model.generation):
            yield from _compare_cache(shown, before, after)
    for name in sorted(new.kinds.keys() - old.kinds.keys() - set(renamed.values())):
        found = new.kinds[name]
        what = "layers of a kind that was not there before"
        yield Finding("kind-new", "breaking", what, (name,), found.layers, (name,))


def _compare_cache(shown: tuple[str, ...], before: Kind, after: Kind) -> Iterator[Finding]:
    if last(before.cache) != last(after.cache):
        what = (
            "the cache has another class for these layers: "
            f"{change(last(before.cache), last(after.cache))}"
        )
        # Where it keeps nothing the class is no matter.
        kept: Severity = "silent" if before.states or after.states else "benign"
        yield Finding("cache-layer", kept, what, shown, after.layers, hf=after.cache)
    moved = _moved(before, after)
    if moved:
        ways = ", ".join(f"`{old}` as `{new}`" for old, new in moved.items())
        what = f"the cache keeps its states elsewhere: {ways}"
        yield Finding("cache-state", "silent", what, shown, after.layers, (), after.cache)
    told = {*moved, *moved.values()}
    for name in sorted((before.states.keys() | after.states.keys()) - told):
        states = before.states.get(name, "nothing"), after.states.get(name, "nothing")
        if states[0] != states[1]:
            what = f"the cache keeps other {name}: {change(*states)}"
            yield Finding("cache-state", "silent", what, shown, after.layers, (name,), after.cache)


def _moved(before: Kind, after: Kind) -> dict[str, str]:
    """States that are one of several now, or were, and have the shape that they had."""
    return {
        old: new
        for old, shape in before.states.items()
        for new, other in after.states.items()
        if old not in after.states and new not in before.states and shape == other
        if old.partition(".")[0] == new.partition(".")[0]
    }
