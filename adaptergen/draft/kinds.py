"""What some layers have and others have not: kinds of layer, told apart by a submodule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from adaptergen.draft.components import Data, Made, free_key, written

#: Where a component has those below it: a use of a shape, and one that is written out.
_BELOW = ("add", "submodules")


@dataclass
class Kinds:
    """Finds the kinds of layers whose components differ.

    `tables` are the components of each layer by their keys, and `paths` the modules of each layer
    that have weights, by their paths in it.
    """

    tables: list[dict[str, Made]]
    paths: list[set[str]]
    module: str
    shared: dict[str, Made] = field(default_factory=dict)
    kinds: dict[str, Made] = field(default_factory=dict)
    of_layers: list[list[str]] = field(default_factory=list)
    shapes: dict[str, Made] = field(default_factory=dict)

    def find(self) -> None:
        """Fill in what all layers share, the kinds, and the kinds of each layer."""
        self.of_layers = [[] for _ in self.tables]
        for slot in dict.fromkeys(key for table in self.tables for key in table):
            variants: list[Made] = []
            for table in self.tables:
                if slot in table and table[slot] not in variants:
                    variants.append(table[slot])
            pairs = [(one, self._with(slot, [one])) for one in variants]
            if any(not self._mark(layers, one) for one, layers in pairs) and len(pairs) > 1:
                # No submodule tells them apart: what all of them have is left.
                pairs = [(self._common(variants), self._with(slot, variants))]
            for one, layers in pairs:
                self._enter(slot, one, layers, len(pairs) > 1)

    def common(self) -> dict[str, Made]:
        """What all layers have in common, by slot."""
        first, *others = self.tables
        slots = [slot for slot in first if all(slot in table for table in others)]
        return {slot: self._common([table[slot] for table in self.tables]) for slot in slots}

    def _with(self, slot: str, variants: list[Made]) -> list[int]:
        return [i for i, table in enumerate(self.tables) if table.get(slot) in variants]

    def _mark(self, layers: list[int], one: Made) -> str:
        """A submodule that these layers have, and no others; empty if there is none."""
        others = [path for i, path in enumerate(self.paths) if i not in layers]
        marks = set.intersection(*(self.paths[i] for i in layers)).difference(*others)
        own = {mark for mark in marks if f"{mark}.".startswith(f"{one['path']}.")}
        return min(own or marks, key=lambda path: (path.count("."), path), default="")

    def _enter(self, slot: str, one: Made, layers: list[int], several: bool) -> None:
        called = [index for index, table in enumerate(self.tables) if table]
        others = [path for index, path in enumerate(self.paths) if index not in layers]
        if layers == called and all(one["path"] in path for path in others):
            self.shared[slot] = one
            return
        mark = self._mark(layers, one)
        if not mark:
            return
        name = free_key(mark, set(self.kinds)) if several else slot
        if name in self.kinds:
            name = free_key(f"{slot}.{mark}", set(self.kinds))
        for index in layers:
            self.of_layers[index].append(name)
        used: Data = one
        if "component" in one:
            used = {"shape": f"{self.module}_{name}", "path": one["path"]}
            self.shapes[used["shape"]] = _shape(one, slot)
        self.kinds[name] = Made(one.described, slot=slot, **used, has_submodule=mark)

    def _common(self, variants: list[Made]) -> Made:
        """What several components at one path have in common."""
        first, *others = variants
        if any(_kind_of(one) != _kind_of(first) for one in others):
            ends = {name: first.described[name] for name in ("hook_in", "hook_out")}
            return written("HFModuleBridge", first["path"], ends)
        kept = {key: one for key, one in first.items() if key not in _BELOW}
        made = Made(first.described, **kept)
        for word in _BELOW:
            below = [one.get(word, {}) for one in variants]
            keys = [key for key in below[0] if all(key in one for one in below)]
            if keys:
                made[word] = {key: self._common([one[key] for one in below]) for key in keys}
        return made


def _kind_of(one: Made) -> tuple[object, ...]:
    # Sizes may differ from layer to layer: those of the first stand for all.
    return one.get("shape"), one.get("component"), one["path"], one.get("taps")


def _shape(component: Made, slot: str) -> Made:
    """A component as a file of its own, without the path of its use."""
    said = {key: one for key, one in component.items() if key != "path"}
    return Made(component.described, shape=1, title=slot.replace("_", " "), **said)


def agree(keys_of_layers: Iterable[dict[str, str]]) -> dict[str, str]:
    """One key for each path over all layers: weights are translated by their paths.

    A norm has the name of its place in the layer where any layer shows it, and modules of several
    roles at one path are mixers.
    """
    found: dict[str, set[str]] = {}
    for keys in keys_of_layers:
        for path, key in keys.items():
            found.setdefault(path, set()).add(key)
    norms = frozenset({"ln1", "ln2", "ln1_post", "ln2_post"})
    return {
        path: min(keys & norms) if keys & norms else (min(keys) if len(keys) == 1 else "mixer")
        for path, keys in found.items()
    }
