"""The hooks of layers as tables: one for each kind, and what all of them have."""

from __future__ import annotations

from adaptergen.plan.model import HookRow, Plan


def layer_tables(plan: Plan) -> list[tuple[str, tuple[HookRow, ...]]]:
    """The hooks of a layer of each kind; one table called `layer` if there are no kinds."""
    if plan.kinds:
        return [(kind.name, kind.hooks) for kind in plan.kinds]
    return [("layer", plan.layer_hooks)]


def shared_hooks(plan: Plan) -> list[HookRow]:
    """The hooks that every layer has, alike in all that is promised."""
    first, *others = [table for _, table in layer_tables(plan)]
    return [row for row in first if all(row in table for table in others)] if others else []
