"""A component with everything about it decided: what shapes and their uses amount to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from adaptergen.spec.shape import Contract, Functional
from adaptergen.spec.values import Dimension

Setting = bool | int | float | str | None


@dataclass(frozen=True)
class HookPoint:
    """A hook that the adapter offers: its axes, outermost first, what it holds, its exception."""

    name: str
    axes: tuple[Dimension, ...]
    tensor: str
    contract: Contract | None
    line: int


@dataclass(frozen=True)
class Node:
    """A bridge component around the HF module at `path`, bound under `key`.

    `absent` are hooks and aliases taken off it, with the reason; `when` is the field of the HF
    config without which HF leaves the module out.
    """

    key: str
    bridge: str
    module: str
    path: str
    title: str
    takes_config: bool
    options: tuple[tuple[str, Setting], ...]
    submodules: tuple[Node, ...]
    hooks: tuple[HookPoint, ...]
    absent: tuple[tuple[str, str], ...]
    aliases: Mapping[str, str]
    functional: Functional | None
    when: str | None
    line: int

    @property
    def conditional(self) -> dict[str, str]:
        """Submodules that depend on the HF config, and the field of it."""
        return {node.key: node.when for node in self.submodules if node.when}

    def walk(self, prefix: str = "") -> Iterator[tuple[str, Node]]:
        """This component and all below it, each with its dotted name."""
        name = prefix + self.key
        yield name, self
        for node in self.submodules:
            yield from node.walk(f"{name}.")
