"""The tables of one architecture: what a plan promises, as the contract holds it against models.

The emitted tests show these objects, and verification hands the same ones to the same checks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from adaptergen.contract.tables import AdapterTables, HookContract, LayerTable
from adaptergen.plan.model import HookRow, Plan
from adaptergen.plan.node import Condition, Node
from adaptergen.spec.arithmetic import TOKEN_AXES, Dimension

#: What some releases of TransformerLens can do and others cannot, as far as tests rest on it.
_CAPABILITIES = ("left_padding", "load_state_dict", "offload", "pos_slice")


def adapter_tables(plan: Plan) -> AdapterTables:
    """Everything that a plan promises of an adapter."""
    spec = plan.spec
    kind_source = spec.blocks.kind
    names = {row.name for row in plan.rows_of_layers}
    aliases = {
        alias: " ".join(found)
        for alias, targets in sorted(plan.block.aliases.items())
        if (found := [target for target in targets if target in names])
    }
    return AdapterTables(
        architecture=spec.architecture,
        blocks=plan.block.path,
        config=dict(spec.tiny.config),
        layers=plan.layers,
        model=LayerTable(
            {node.key: _line(node) for node in plan.components}, _hooks(plan, plan.model_hooks)
        ),
        shared=LayerTable(_components(plan.shared), _hooks(plan, plan.layer_hooks, aliases)),
        kinds={
            kind.name: LayerTable(
                _components((kind.node,)),
                _hooks(plan, kind.hooks, aliases),
                slot=kind.slot,
                holds=kind.has_submodule or "",
                formerly=kind.formerly,
            )
            for kind in plan.kinds
        },
        block_class=plan.block_class,
        aliases=aliases,
        told_by=kind_source.attribute if kind_source else "",
        listed_in=kind_source.listed_in if kind_source else "",
        flags=dict(spec.config.flags),
        carried=spec.config.from_hf,
        derived={name: str(value) for name, value in spec.config.derived.items()},
        cache=spec.cache or "",
        branches={name: dict(changes) for name, changes in spec.tiny.branches.items()},
        branch_releases=dict(spec.tiny.releases),
        generates=plan.generates,
        lacks=tuple(name for name in _CAPABILITIES if name not in plan.capabilities),
    )


def _components(nodes: Iterable[Node]) -> dict[str, str]:
    return {name: _line(node) for top in nodes for name, node in top.walk()}


def _line(node: Node) -> str:
    cls = f"Tapped{node.bridge}" if node.taps or node.fused_in_training else node.bridge
    condition = f" if {_condition(node.condition)}" if node.condition else ""
    return f"{cls} {node.path}{condition}"


def _condition(condition: Condition) -> str:
    if condition.value is None:
        return condition.field if condition.holds else f"not {condition.field}"
    return f"{condition.field} {'==' if condition.holds else '!='} {condition.value!r}"


def _hooks(
    plan: Plan, rows: Iterable[HookRow], of_block: Collection[str] = ()
) -> dict[str, HookContract]:
    """Contracts by hook; the aliases `of_block` stand elsewhere."""
    rows = sorted(rows, key=lambda row: row.name)
    return {row.name: _contract(plan, row, of_block) for row in rows}


def _contract(plan: Plan, row: HookRow, of_block: Collection[str]) -> HookContract:
    contract = row.contract
    return HookContract(
        shape=" ".join(shape_axis(plan, axis) for axis in row.axes),
        state=contract.state if contract else "live",  # type: ignore[arg-type]  # none is absent
        releases=(contract.transformers or "") if contract else "",
        switch=(contract.switch or "") if contract else "",
        when=_condition(row.condition) if row.condition else "",
        aliases=" ".join(alias for alias in row.aliases if alias not in of_block),
        silent_when_processed=row.silent_when_processed is not None,
    )


def shape_axis(plan: Plan, axis: Dimension) -> str:
    """An axis as tables have it."""

    def name(text: str) -> str:
        return text if text in plan.cfg_fields | TOKEN_AXES else f"hf.{text}"

    rendered = (expression.render(name).replace(" ", "") for expression in axis.alternatives)
    return "|".join(rendered)


_PLAIN: dict[type, Any] = {
    AdapterTables: AdapterTables("", "", {}, LayerTable(), LayerTable()),
    HookContract: HookContract(""),
    LayerTable: LayerTable(),
}


def _changed(value: Any) -> dict[str, Any]:
    """The fields of an object that are not at their defaults."""
    plain = _PLAIN[type(value)]
    named = {field.name: getattr(value, field.name) for field in fields(value)}
    return {name: one for name, one in named.items() if one != getattr(plain, name)}


def used_classes(code: str) -> list[str]:
    """The classes that the code of tables names."""
    return sorted(cls.__name__ for cls in _PLAIN if f"{cls.__name__}(" in code)


def tables_code(value: Any) -> str:
    """The tables, or a part of them, as Python with one component and one hook a line."""
    if isinstance(value, HookContract):
        changed = {name: repr(one) for name, one in _changed(value).items()}
        changed.pop("shape", None)
        first = repr(value.shape)
        return f"HookContract({', '.join([first, *(f'{n}={one}' for n, one in changed.items())])})"
    if is_dataclass(value):
        inside = (
            f"{name}={_mapping(one, True) if name == 'components' else tables_code(one)}"
            for name, one in _changed(value).items()
        )
        return f"{type(value).__name__}({', '.join(inside)})"
    if isinstance(value, Mapping):
        return _mapping(value, any(map(is_dataclass, value.values())))
    return repr(value)


def _mapping(value: Mapping[str, Any], one_a_line: bool) -> str:
    lines = ", ".join(f"{key!r}: {tables_code(one)}" for key, one in value.items())
    # A trailing comma has black give each entry a line.
    return f"{{{lines}{',' if one_a_line and lines else ''}}}"
