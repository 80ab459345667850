"""What a plan is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adaptergen.plan.node import Condition, Node
from adaptergen.resources import RUNTIME
from adaptergen.spec.architecture import Spec
from adaptergen.spec.shape import Contract
from adaptergen.spec.values import Dimension

#: The mixer whose states TransformerLens can analyse.
STATE_SPACE_BRIDGE = "StateSpaceMixerBridge"

#: Hooks of attention in which each head stands by itself, where it has `d_head` in each.
_BY_HEAD = ("attn.q.hook_out", "attn.k.hook_out", "attn.v.hook_out", "attn.o.hook_in")


@dataclass(frozen=True)
class HookRow:
    """A hook by its name in the model or in its layer, and all that is promised of it."""

    name: str
    axes: tuple[Dimension, ...]
    tensor: str
    contract: Contract | None
    condition: Condition | None
    aliases: tuple[str, ...]
    silent_when_processed: str | None
    file: str
    line: int

    @property
    def state(self) -> str:
        """`live`, or the state of the exception."""
        return self.contract.state if self.contract else "live"

    @property
    def pos_axis(self) -> int | None:
        """The axis of positions, the first of several; None if it has none."""
        positions = {"pos", "kv_pos"}
        return next((i for i, axis in enumerate(self.axes) if positions & set(axis.names)), None)

    @property
    def is_by_token(self) -> bool:
        """Whether its positions are the tokens of the call, and no others."""
        at = self.pos_axis
        cached = any("kv_pos" in axis.names for axis in self.axes)
        return at is not None and str(self.axes[at]) in ("pos", "batch * pos") and not cached


@dataclass(frozen=True)
class KindPlan:
    """A kind of layer: what its layers bind beside what all layers have."""

    name: str
    formerly: tuple[str, ...]
    slot: str
    node: Node
    hooks: tuple[HookRow, ...]
    slot_aliases: Mapping[str, str]
    """Aliases of the block, by their targets in the slot."""
    absent: tuple[tuple[str, str], ...]
    gone: tuple[tuple[str, str | None], ...]
    holds: str | None


@dataclass(frozen=True)
class Plan:
    """Every decision about one architecture."""

    spec: Spec
    header: str
    tl_version: str
    abilities: frozenset[str]
    """What this TransformerLens can do that others cannot."""
    cfg_fields: frozenset[str]
    components: tuple[Node, ...]
    block: Node
    shared: tuple[Node, ...]
    kinds: tuple[KindPlan, ...]
    model_hooks: tuple[HookRow, ...]
    layer_hooks: tuple[HookRow, ...]
    passthrough: tuple[str, ...]
    slot_aliases: Mapping[str, str]
    package: str = "transformer_lens.model_bridge.supported_architectures"
    """Where the module of the adapter is imported from."""
    runtime: str = RUNTIME
    """Where what adapters share is imported from."""

    @property
    def adapter_class(self) -> str:
        """Name of the adapter class."""
        return f"{self.spec.name}ArchitectureAdapter"

    @property
    def block_class(self) -> str:
        """Name of the block's class: TL's, or one made of that if layers differ."""
        own = self.kinds or self.conditional
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
    def partial_aliases(self) -> bool:
        """Whether a kind lacks some of what other kinds have aliases of the block for."""
        return any(kind.slot_aliases != self.slot_aliases for kind in self.kinds)

    @property
    def conditional(self) -> dict[str, Condition]:
        """What of every layer depends on the HF config."""
        found: dict[str, Condition] = {}
        for node in self.shared:
            if node.condition:
                found[node.key] = node.condition
            else:
                found |= node.conditional(f"{node.key}.")
        return found

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every top of a tree of components."""
        return (*self.components, self.block, *self.shared, *(kind.node for kind in self.kinds))

    @property
    def ambiguous_slot(self) -> str:
        """The slot that TL's key translation takes for every kind with the same path, if any."""
        slots: dict[str, set[str]] = {}
        for kind in self.kinds:
            slots.setdefault(kind.node.path, set()).add(kind.slot)
        ambiguous = [path for path, taken in slots.items() if len(taken) > 1]
        return next((kind.slot for kind in self.kinds if kind.node.path in ambiguous), "")

    @property
    def state_space_kinds(self) -> tuple[str, ...]:
        """Kinds with a mixer whose states TransformerLens can analyse."""
        return tuple(kind.name for kind in self.kinds if kind.node.bridge == STATE_SPACE_BRIDGE)

    @property
    def offloaded_analyses(self) -> bool:
        """Whether the mixer loads weights for such analyses."""
        return bool(self.state_space_kinds) and "offload" in self.abilities

    @property
    def has_patterns(self) -> bool:
        """Whether some layers have a hook of attention weights."""
        rows = (*self.layer_hooks, *(row for kind in self.kinds for row in kind.hooks))
        return any(row.name == "attn.hook_pattern" for row in rows)

    @property
    def rotary_kinds(self) -> tuple[str, ...]:
        """Kinds with attention that rotates queries by angles it is handed."""
        return tuple(
            kind.name
            for kind in self.kinds
            if any(hook.name == "hook_rot_q" for _, node in kind.node.walk() for hook in node.hooks)
        )
