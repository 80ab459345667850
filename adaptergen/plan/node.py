"""A component with everything about it decided: what shapes and their uses amount to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from adaptergen.plan.where import Where
from adaptergen.spec.shape import Contract, Tap
from adaptergen.spec.values import Dimension

Setting = bool | int | float | str | None


@dataclass(frozen=True)
class HookPoint:
    """A hook that the adapter offers: its axes, outermost first, what it holds, its exception.

    `silent_when_processed` is the reason, if compatibility mode silences it.
    It is described at `line` of `file`, a spec or a shape; a `Node` is used there.
    """

    name: str
    axes: tuple[Dimension, ...]
    tensor: str
    contract: Contract | None
    when: str | None
    heads: str | None
    silent_when_processed: str | None
    file: str
    line: int


@dataclass(frozen=True)
class Condition:
    """A field of the HF config, and whether it has to be set."""

    field: str
    is_set: bool

    def __str__(self) -> str:
        return f"with {self.field}" if self.is_set else f"without {self.field}"


@dataclass(frozen=True)
class Node:
    """A bridge component around the HF module at `path`, bound under `key`.

    It is used at `where`, which `file` and `line` are of, and `written` there or in a shape.
    `taps` are on its own hooks and on those below it, and `is_tapped` says that what is around it
    has some on its hooks.
    `absent` are hooks and aliases taken off it, with the reason, and `loses_aliases` whether some
    of them are aliases; `condition` says under which config HF has the module. A node is
    `complete` if the names of all hooks on and below it are known, and `whole` if what they promise
    is known too; in a plan both hold.
    """

    key: str
    bridge: str
    module: str
    path: str
    title: str
    takes_config: bool
    options: tuple[tuple[str, Setting], ...]
    taps: Mapping[str, Tap]
    fused_in_training: bool
    submodules: tuple[Node, ...]
    hooks: tuple[HookPoint, ...]
    absent: tuple[tuple[str, str], ...]
    loses_aliases: bool
    aliases: Mapping[str, str]
    condition: Condition | None
    file: str
    line: int
    where: Where = field(compare=False, repr=False)
    written: Where = field(compare=False, repr=False)
    is_tapped: bool = False
    complete: bool = True
    whole: bool = True

    @property
    def token_hooks(self) -> tuple[str, ...]:
        """Hooks with batch and position in one first axis."""
        return tuple(
            sorted(
                hook.name
                for hook in self.hooks
                if hook.axes and {"batch", "pos"} <= set(hook.axes[0].names)
            )
        )

    def conditional(self, prefix: str = "") -> dict[str, Condition]:
        """What of this component depends on the HF config: submodules and hooks, at any depth."""
        found = {prefix + hook.name: Condition(hook.when, True) for hook in self.hooks if hook.when}
        for node in self.submodules:
            if node.condition:
                found[prefix + node.key] = node.condition
            else:
                found |= node.conditional(f"{prefix}{node.key}.")
        return found

    def walk(self, prefix: str = "") -> Iterator[tuple[str, Node]]:
        """This component and all below it, each with its dotted name."""
        name = prefix + self.key
        yield name, self
        for node in self.submodules:
            yield from node.walk(f"{name}.")
