"""One of two entries while they are compared: all modules and hooks of one tiny model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from adaptergen.lock.declared import fires, sizes_of
from adaptergen.lock.entry import Entry, Hook, Logits, Module

Item = TypeVar("Item")
ByKind = dict[str, dict[str, Item]]


@dataclass(frozen=True)
class Side:
    """Modules and hooks by kind, HF's logits by run, the sizes that names have, the scenarios in
    which HF raises, and why there may be no hooks.

    `others` are hooks that another tiny model was asked for, which do here what they do there.
    """

    modules: ByKind[Module]
    hooks: ByKind[Hook]
    logits: Mapping[str, Logits]
    sizes: Mapping[str, int]
    raises: Mapping[str, str]
    error: str
    others: ByKind[Hook] = field(default_factory=dict)

    def fires(self, kind: str, component: str) -> bool:
        """Whether a hook of a component fires, by the component's dotted name, if it has one."""
        return any(fires(hooks.get(kind, {}), component) for hooks in (self.hooks, self.others))

    @property
    def weights(self) -> dict[str, dict[str, dict[str, str]]]:
        """The shapes of all weights, by kind, module and name: all that their numbers rest on."""
        return {
            kind: {path: m.parameters for path, m in modules.items() if m.parameters}
            for kind, modules in self.modules.items()
        }


def sides(old: Entry, new: Entry, branch: str, renamed: Mapping[str, str]) -> tuple[Side, Side]:
    """Both entries for the tiny model of a branch, by the kinds of the newer one.

    Of hooks a branch has those that the first model does not have.
    """
    before = _side(old, branch)
    return (
        Side(
            {renamed.get(kind, kind): found for kind, found in before.modules.items()},
            {renamed.get(kind, kind): found for kind, found in before.hooks.items()},
            before.logits,
            before.sizes,
            before.raises,
            before.error,
        ),
        _side(new, branch),
    )


def _side(entry: Entry, name: str) -> Side:
    if not name:
        return Side(
            entry.modules, entry.hooks, entry.logits, sizes_of(entry), entry.raises, entry.error
        )
    branch = entry.branches[name]
    return Side(
        _over(entry.modules, branch.modules, branch.lacks),
        branch.hooks,
        branch.logits,
        sizes_of(entry),
        branch.raises,
        entry.error or branch.error,
        entry.hooks,
    )


def _over(
    base: ByKind[Item], changed: ByKind[Item], gone: Mapping[str, tuple[str, ...]]
) -> ByKind[Item]:
    return {
        kind: {
            name: item
            for name, item in {**base.get(kind, {}), **changed.get(kind, {})}.items()
            if name not in gone.get(kind, ())
        }
        for kind in {**base, **changed}
    }
