"""The tables of one architecture: its components, its hooks and its tiny models, as data.

Shapes are text, the outermost axis first: `batch pos d_model`. An axis is arithmetic without
spaces over `batch`, `pos`, `kv_pos` (the positions of the call, and those that a cache adds before
them) and fields of TransformerLens' config; `hf.name` is a field of HF's. In `a|b` the first counts
whose fields are all set. Needs neither torch nor transformers.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from packaging.specifiers import SpecifierSet

State = Literal["live", "read_only", "no_gradient", "on_request", "silent", "silent_in_decode"]

_COMPUTE: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}  # fmt: skip


_CONDITION = re.compile(r"(not )?(\w+)(?: (==|!=) (.+))?", re.DOTALL)


@dataclass(frozen=True)
class HookContract:
    """What one hook promises.

    `state` is an exception that holds in these `releases` of transformers, or in all. `switch`
    makes a hook on request fire: a setter of the bridge, or an attribute of the component. `when`
    is a field of HF's config that has to be set, `not` and one that must not be, or a field with
    `==` or `!=` and a value. `aliases` are
    other names within the layer or model, with spaces between them.
    """

    shape: str
    state: State = "live"
    releases: str = ""
    switch: str = ""
    when: str = ""
    aliases: str = ""
    silent_when_processed: bool = False
    """Whether compatibility mode silences it."""

    @property
    def axes(self) -> tuple[str, ...]:
        """The axes, outermost first."""
        return tuple(self.shape.split())

    @property
    def pos_axis(self) -> int | None:
        """The axis of positions, the first of several; None if it has none."""
        positions = {"pos", "kv_pos"}
        return next((i for i, axis in enumerate(self.axes) if positions & names_of(axis)), None)

    @property
    def is_by_token(self) -> bool:
        """Whether its positions are the tokens of the call, and no others."""
        with_pos = [axis for axis in self.axes if {"pos", "kv_pos"} & names_of(axis)]
        return with_pos in (["pos"], ["batch*pos"])


@dataclass(frozen=True)
class LayerTable:
    """What layers of one kind bind and offer beside all others, or what all layers do.

    Of the model it is what is outside the layers; `*` in the name of a hook there is the number of
    a layer in a list beside the blocks.

    `components` maps dotted names to `BridgeClass hf.path`, with ` if ` and a condition on
    HF's config where it depends on one. `slot` is the name of the component that this kind adds,
    `holds` the submodule by which HF's block shows that it is of this kind, and `formerly` are
    older names of the kind.
    """

    components: Mapping[str, str] = field(default_factory=dict)
    hooks: Mapping[str, HookContract] = field(default_factory=dict)
    slot: str = ""
    holds: str = ""
    formerly: tuple[str, ...] = ()


@dataclass(frozen=True)
class AdapterTables:
    """Everything that is promised of one architecture.

    `config` are the keywords of the tiny model's HF config, `layers` the kinds of its layers if
    there are kinds, with `+` between those of one layer, and `branches` further models by what they
    change, in the `branch_releases` of transformers in which HF can run them. `carried` are fields
    of HF's config that TransformerLens' has too, `derived` is arithmetic over them, and `flags` are
    set as they stand. With kinds, `told_by` is the attribute of HF's blocks that says the kind, if
    they say it, and `listed_in` the field of the config that lists them. `aliases` are names of the
    block for hooks in it, each with the hooks that it may lead to: the first that a layer has.
    """

    architecture: str
    blocks: str
    config: Mapping[str, Any]
    model: LayerTable
    shared: LayerTable
    layers: tuple[str, ...] = ()
    kinds: Mapping[str, LayerTable] = field(default_factory=dict)
    block_class: str = "BlockBridge"
    aliases: Mapping[str, str] = field(default_factory=dict)
    told_by: str = ""
    listed_in: str = ""
    flags: Mapping[str, Any] = field(default_factory=dict)
    carried: tuple[str, ...] = ()
    derived: Mapping[str, str] = field(default_factory=dict)
    cache: str = ""
    branches: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    branch_releases: Mapping[str, str] = field(default_factory=dict)
    generates: bool = True
    """Whether the model generates text. One that does not has neither a cache nor decode steps."""
    lacks: tuple[str, ...] = ()
    """What this release of TransformerLens cannot do that others can."""

    def kinds_of(self, layer: str) -> list[str]:
        """The kinds of a layer, in the order in which tables have them."""
        return [kind for kind in self.kinds if kind in layer.split("+")]

    def knows(self, layer: str) -> bool:
        """Whether tables know all kinds of a layer."""
        return layer == ("+".join(self.kinds_of(layer)) or "layer")

    def layer(self, modules: Set[str], told: str) -> str:
        """What a layer is called: by its kinds, as its modules tell them and what its block told.

        `layer` if it is of none. A layer that the tables have no kind for is called as HF calls it.
        """
        own = self.canonical(told)
        if self.told_by and own not in self.kinds:
            return own
        found = [k for k, t in self.kinds.items() if (t.holds in modules if t.holds else k == own)]
        paths = {kind: component(t.components[t.slot])[1] for kind, t in self.kinds.items()}
        # A module that is there, and nothing says of which kind it is.
        if modules & (set(paths.values()) - {paths[kind] for kind in found}):
            return "unknown"
        return "+".join(found) or "layer"

    def told(self, layer: str) -> str:
        """The kind of a layer that an attribute of HF's block tells."""
        return next((k for k in self.kinds_of(layer) if not self.kinds[k].holds), layer)

    def hooks_of(self, layer: str) -> Mapping[str, HookContract]:
        """The hooks of a layer of some kinds; none if the tables do not know them."""
        if not self.knows(layer):
            return {}
        tables = (self.shared, *(self.kinds[kind] for kind in self.kinds_of(layer)))
        return {name: hook for table in tables for name, hook in table.hooks.items()}

    def block_aliases(self, layer: str, hf_config: Any) -> dict[str, str]:
        """Names of the block of a layer for hooks in it."""
        hooks = self.hooks_of(layer)
        there = {name for name, hook in hooks.items() if is_met(hook.when, hf_config)}
        found = {
            alias: [name for name in names.split() if name in there]
            for alias, names in self.aliases.items()
        }
        return {alias: names[0] for alias, names in found.items() if names}

    def components_of(self, layer: str) -> Mapping[str, str]:
        """The components of a layer of some kinds."""
        tables = (self.shared, *(self.kinds[kind] for kind in self.kinds_of(layer)))
        return {name: line for table in tables for name, line in table.components.items()}

    def configs(self, release: str) -> dict[str, dict[str, Any]]:
        """The config of each tiny model that this release of transformers can run."""
        changed: dict[str, Mapping[str, Any]] = {"default": {}, **self.branches}
        return {
            name: {**self.config, **changes}
            for name, changes in changed.items()
            if holds(self.branch_releases.get(name, ""), release)
        }

    def canonical(self, name: str) -> str:
        """The kind that a name of today or of an older release stands for."""
        former = {old: kind for kind, table in self.kinds.items() for old in table.formerly}
        return former.get(name, name)


@dataclass(frozen=True)
class Hook:
    """A hook of a model by its full name, and by its `short` one within the layer."""

    name: str
    layer: int | None
    kind: str
    short: str
    contract: HookContract
    state: State

    @property
    def fires(self) -> bool:
        """Whether every plain run fires it."""
        return self.state not in ("silent", "on_request")

    @property
    def fires_in_decode(self) -> bool:
        """Whether a decode step fires it."""
        return self.fires and self.state != "silent_in_decode"


def hooks_of_model(
    tables: AdapterTables,
    kinds: tuple[str, ...],
    hf_config: Any,
    release: str,
    lists: Mapping[str, int],
) -> tuple[Hook, ...]:
    """Every hook that the tables promise on a model with layers of these kinds.

    `lists` are the lengths of lists of layers beside the blocks, by their keys.
    """
    found: list[tuple[str, int | None, str, str, HookContract]] = [
        (full, None, "model", name, contract)
        for name, contract in tables.model.hooks.items()
        for full in in_list(name, lists)
    ]
    for layer, kind in enumerate(kinds):
        for name, contract in tables.hooks_of(kind).items():
            found.append((f"blocks.{layer}.{name}", layer, kind, name, contract))
    return tuple(
        Hook(*row, state=row[-1].state if holds(row[-1].releases, release) else "live")
        for row in found
        if is_met(row[-1].when, hf_config)
    )


def full_name(hook: Hook, alias: str) -> str:
    """Another name of a hook, in the layer that the hook is in."""
    if hook.layer is not None:
        return f"blocks.{hook.layer}.{alias}"
    return alias.replace("*", hook.name.split(".")[1]) if "*" in alias else alias


def in_list(name: str, lists: Mapping[str, int]) -> Iterator[str]:
    """The full names that a name stands for, in which `*` is each number of a layer in a list."""
    key, star, rest = name.partition(".*.")
    if not star:
        yield name
    for number in range(lists.get(key, 0) if star else 0):
        yield f"{key}.{number}.{rest}"


def holds(releases: str, release: str) -> bool:
    """Whether a release is in a range; an empty range is all of them.

    A pre-release counts as what it comes before: `5.24.0.dev0` is newer than 5.23.
    """
    return not releases or SpecifierSet(releases).contains(release, prereleases=True)


def is_met(condition: str, hf_config: Any) -> bool:
    """Whether HF's config meets `field`, `not field`, `field == 2` or `field != 'rope'`.

    An empty condition is met by all.
    """
    if not condition:
        return True
    name, sign, value = parts_of(condition)
    found = getattr(hf_config, name, None)
    if sign in ("==", "!="):
        return bool(found == value) == (sign == "==")
    return (found is not None) == (not sign)


def parts_of(condition: str) -> tuple[str, str, Any]:
    """The field of a condition, a sign, and a value: None if the condition has none."""
    negated, name, sign, value = _CONDITION.findall(condition)[0]
    return name, negated or sign, ast.literal_eval(value or "None")


def offers(end: str) -> Callable[[AdapterTables], bool]:
    """Whether tables promise a hook in layers whose name ends so, as a function of them."""

    def find(tables: AdapterTables) -> bool:
        layers = (tables.shared, *tables.kinds.values())
        return any(name.endswith(end) for layer in layers for name in layer.hooks)

    return find


def component(line: str) -> tuple[str, str, str]:
    """Bridge class, path and condition of a line of `components`."""
    head, _, condition = line.partition(" if ")
    cls, _, path = head.partition(" ")
    return cls, path, condition


@lru_cache(maxsize=4096)
def _parsed(text: str) -> tuple[ast.expr, ...]:
    return tuple(ast.parse(part.strip(), mode="eval").body for part in text.split("|"))


def names_of(axis: str) -> frozenset[str]:
    """The names in an axis; those of HF's config with `hf.` before them."""
    return frozenset(name for tree in _parsed(axis) for name in _names(tree))


def value_of(axis: str, read: Callable[[str], Any]) -> int | None:
    """An axis as a number; None if `read` knows no value for a name in each alternative."""
    for tree in _parsed(axis):
        values = {name: read(name) for name in _names(tree)}
        if None not in values.values():
            return _value(tree, values)
    return None


def _names(tree: ast.expr) -> Iterator[str]:
    if isinstance(tree, ast.BinOp):
        yield from _names(tree.left)
        yield from _names(tree.right)
    elif not isinstance(tree, ast.Constant):
        yield ast.unparse(tree)


def _value(tree: ast.expr, values: Mapping[str, Any]) -> int:
    if isinstance(tree, ast.BinOp):
        return _COMPUTE[type(tree.op)](_value(tree.left, values), _value(tree.right, values))
    if isinstance(tree, ast.Constant):
        return int(ast.literal_eval(tree))
    return int(values[ast.unparse(tree)])
