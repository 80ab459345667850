"""One of two entries while they are compared: all modules and hooks of one tiny model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from adaptergen.lock.entry import Entry, Hook, Module

Item = TypeVar("Item")
ByKind = dict[str, dict[str, Item]]


@dataclass(frozen=True)
class Side:
    """Modules and hooks by kind, the sizes that names have, and why there may be no hooks."""

    modules: ByKind[Module]
    hooks: ByKind[Hook]
    sizes: Mapping[str, int]
    error: str


def sides(old: Entry, new: Entry, branch: str, renamed: Mapping[str, str]) -> tuple[Side, Side]:
    """Both entries for the tiny model of a branch, by the kinds of the newer one.

    Of hooks a branch has those that the first model does not have.
    """
    before = _side(old, branch)
    return (
        Side(
            {renamed.get(kind, kind): found for kind, found in before.modules.items()},
            {renamed.get(kind, kind): found for kind, found in before.hooks.items()},
            before.sizes,
            before.error,
        ),
        _side(new, branch),
    )


def _side(entry: Entry, name: str) -> Side:
    if not name:
        return Side(entry.modules, entry.hooks, _sizes(entry), entry.error)
    branch = entry.branches[name]
    return Side(
        _over(entry.modules, branch.modules, branch.lacks),
        branch.hooks,
        _sizes(entry),
        entry.error or branch.error,
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


def _sizes(entry: Entry) -> dict[str, int]:
    values = {name: found.value for name, found in entry.config.items()} | entry.cfg
    return {name: int(value) for name, value in values.items() if value.isdecimal()}
