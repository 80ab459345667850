"""The table of hooks: every hook of a layer or of the model, with its aliases and its promise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from adaptergen.plan.model import HookRow
from adaptergen.plan.node import Condition, Node


def hook_rows(
    nodes: Iterable[Node],
    own: Node | None = None,
    repointed: Mapping[str, str] = MappingProxyType({}),
    around: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> tuple[HookRow, ...]:
    """Rows for components bound beside each other, and for `own`, the component around them.

    `repointed` are aliases of `own` that lead elsewhere than its class says, and `around` those of
    what has no hooks itself, each for the first hook there is.
    """
    walked = [(f"{name}.", node) for top in nodes for name, node in top.walk()]
    if own is not None:
        walked.insert(0, ("", own))
    aliases: dict[str, list[str]] = {}
    for prefix, node in walked:
        for alias, target in {**node.aliases, **(repointed if node is own else {})}.items():
            aliases.setdefault(prefix + target, []).append(prefix + alias)
    names = {prefix + hook.name for prefix, node in walked for hook in node.hooks}
    for alias, targets in around.items():
        for target in [target for target in targets if target in names][:1]:
            aliases.setdefault(target, []).append(alias)
    conditions = _conditions(walked)
    return tuple(
        HookRow(
            name=prefix + hook.name,
            axes=hook.axes,
            tensor=hook.tensor,
            contract=hook.contract,
            condition=Condition(hook.when, True) if hook.when else conditions[prefix],
            aliases=tuple(sorted(aliases.get(prefix + hook.name, ()))),
            silent_when_processed=hook.silent_when_processed,
            file=hook.file,
            line=hook.line,
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
