"""What a plan is made of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from adaptergen.plan.node import (
    Condition,
    HelperCall,
    HookPoint,
    Location,
    Node,
    conditional,
    pos_axis,
)
from adaptergen.resources import RUNTIME
from adaptergen.spec.architecture import Spec

#: Hooks of attention in which each head stands by itself, where it has `d_head` in each.
_BY_HEAD = ("attn.q.hook_out", "attn.k.hook_out", "attn.v.hook_out", "attn.o.hook_in")


@dataclass(frozen=True)
class HookRow(HookPoint):
    """A hook by its name in the model or in its layer, and all that is promised of it."""

    condition: Condition | None
    aliases: tuple[str, ...]

    @property
    def state(self) -> str:
        """`live`, or the state of the exception."""
        return self.contract.state if self.contract else "live"

    @property
    def pos_axis(self) -> int | None:
        """The axis of positions, the first of several; None if it has none."""
        return pos_axis(self.axes)

    @property
    def is_by_token(self) -> bool:
        """Whether its positions are the tokens of the call, and no others."""
        at = self.pos_axis
        cached = any("kv_pos" in axis.names for axis in self.axes)
        return at is not None and str(self.axes[at]) in ("pos", "batch * pos") and not cached


@dataclass(frozen=True)
class KindPlan:
    """A kind of layer: what its layers bind beside what all layers have, and the hooks of that."""

    name: str
    formerly: tuple[str, ...]
    slot: str
    node: Node
    hooks: tuple[HookRow, ...]
    has_submodule: str | None


@dataclass(frozen=True)
class Plan:
    """Every decision about one architecture."""

    spec: Spec
    header: str
    tl_version: str
    capabilities: frozenset[str]
    """What this TransformerLens can do that others cannot."""
    cfg_fields: frozenset[str]
    components: tuple[Node, ...]
    block: Node
    shared: tuple[Node, ...]
    kinds: tuple[KindPlan, ...]
    model_hooks: tuple[HookRow, ...]
    layer_hooks: tuple[HookRow, ...]
    """Hooks of every layer, whatever its kinds."""
    layers: tuple[str, ...]
    """What the layers of the tiny model are called: by their kinds, with `+` between them."""
    passthrough: tuple[str, ...]
    block_aliases: Mapping[str, tuple[str, ...]]
    """Aliases of the block that its class does not have so, with the hooks each may lead to."""
    flag_setter: HelperCall | None
    """What sets the flags in `flags_set`, and no other field to anything but its default."""
    flags_set: frozenset[str]
    component_attributes: Mapping[str, Node]
    """Attributes of the adapter's class, each with a component whose class it names."""
    package: str = "transformer_lens.model_bridge.supported_architectures"
    """Where the module of the adapter is imported from."""
    runtime: str = RUNTIME
    """Where what adapters share is imported from."""

    def at(self, *loc: str | int) -> Location:
        """A location in the spec's file."""
        return Location(self.block.where.source, loc)

    @property
    def adapter_class(self) -> str:
        """Name of the adapter class."""
        return f"{self.spec.name}ArchitectureAdapter"

    @property
    def generates(self) -> bool:
        """Whether the model generates text."""
        return bool(self.spec.config.adapter.get("supports_generation", True))

    @property
    def block_class(self) -> str:
        """Name of the block's class: TL's, or one made of that if layers or aliases differ."""
        names = {row.name for row in self.rows_of_layers}
        lost = any(names.isdisjoint(targets) for targets in self.block.aliases.values())
        own = self.kinds or self.conditional or self.block_aliases or self.block.absent or lost
        return f"{self.block.bridge}WithKinds" if own else self.block.bridge

    @property
    def split_hooks(self) -> tuple[tuple[str, str, str], ...]:
        """Component of every layer, hook, and the field of cfg with the heads it is split into."""
        return tuple(
            (name, hook.name, hook.heads)
            for top in self.shared
            for name, node in top.walk()
            for hook in node.hooks
            if hook.heads
        )

    @property
    def weights_by_head(self) -> bool:
        """Whether the weights of attention, where norms fold into them, are those of heads."""
        tops = {node.key: node for node in self.shared}
        if "ln1" in tops:
            tops |= {kind.slot: kind.node for kind in self.kinds if kind.slot == "attn"}
        hooks = {
            f"{name}.{hook.name}": hook
            for top in tops.values()
            for name, node in top.walk()
            for hook in node.hooks
        }
        found = [hooks.get(name) for name in _BY_HEAD]
        return all(hook and str(hook.axes[-1]) == "d_head" and not hook.heads for hook in found)

    @property
    def conditional(self) -> dict[str, Condition]:
        """What of every layer depends on the HF config."""
        return conditional(self.shared)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every top of a tree of components."""
        return (*self.components, self.block, *self.shared, *(kind.node for kind in self.kinds))

    @property
    def rows_of_layers(self) -> tuple[HookRow, ...]:
        """The hooks of every layer, then those of each kind."""
        return (*self.layer_hooks, *(row for kind in self.kinds for row in kind.hooks))

    @property
    def has_patterns(self) -> bool:
        """Whether some layers have a hook of attention weights."""
        return any(row.name == "attn.hook_pattern" for row in self.rows_of_layers)

    def kinds_of(self, layer: str) -> list[KindPlan]:
        """The kinds of a layer that is called so."""
        return [kind for kind in self.kinds if kind.name in layer.split("+")]

    def bound_in(self, layer: str) -> tuple[Node, ...]:
        """The tops of the components of a layer that is called so."""
        return (*self.shared, *(kind.node for kind in self.kinds_of(layer)))


def called(kinds: Collection[str]) -> str:
    """What a layer of these kinds is called."""
    return "+".join(kinds) or "layer"


def layer_tables(plan: Plan) -> list[tuple[str, tuple[HookRow, ...]]]:
    """The hooks of each sort of layer in the tiny model, by what it is called."""
    return [
        (layer, hook_rows(plan.bound_in(layer), plan.block))
        for layer in dict.fromkeys(plan.layers or (called(()),))
    ]


def hook_rows(
    nodes: Iterable[Node],
    own: Node | None = None,
    around: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> tuple[HookRow, ...]:
    """Rows for components bound beside each other, and for `own`, the component around them.

    `around` are aliases of what has no hooks itself. Each alias is for the first hook there is.
    """
    walked = [(f"{name}.", node) for top in nodes for name, node in top.walk()]
    if own is not None:
        walked.insert(0, ("", own))
    aliases: dict[str, list[str]] = {}
    names = {prefix + hook.name for prefix, node in walked for hook in node.hooks}
    for prefix, of in [*((prefix, node.aliases) for prefix, node in walked), ("", around)]:
        for alias, targets in of.items():
            for target in [prefix + target for target in targets if prefix + target in names][:1]:
                aliases.setdefault(target, []).append(prefix + alias)
    conditions = _conditions(walked)
    return tuple(
        HookRow(
            **{**vars(hook), "name": prefix + hook.name},
            condition=hook.when or conditions[prefix],
            aliases=tuple(sorted(aliases.get(prefix + hook.name, ()))),
        )
        for prefix, node in walked
        for hook in node.hooks
    )


def absent_hooks(nodes: Iterable[Node]) -> tuple[tuple[str, str], ...]:
    """Hooks taken off components, by their name in the layer, and the reasons."""
    return tuple(
        (f"{name}.{hook}", reason)
        for top in nodes
        for name, node in top.walk()
        for hook, reason in node.absent
    )


def _conditions(walked: list[tuple[str, Node]]) -> Mapping[str, Condition | None]:
    """For each prefix, the condition of it or of what is around it."""
    known = {prefix: node.condition for prefix, node in walked if node.condition}
    return {
        prefix: next((c for outer, c in known.items() if prefix.startswith(outer)), None)
        for prefix, _ in walked
    }
