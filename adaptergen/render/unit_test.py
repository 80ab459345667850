"""The test of an adapter's structure, which needs no model."""

from __future__ import annotations

from adaptergen.plan.code import import_lines
from adaptergen.plan.derived import derived_values, sample_values
from adaptergen.plan.model import Plan
from adaptergen.plan.node import Condition, Node
from adaptergen.render.common import common_values
from adaptergen.render.environment import fill

_KINDS = {("copy", ""), ("torch", "")}
_STAND_INS = {("types", "SimpleNamespace")}


def render_unit_test(plan: Plan) -> str:
    """Source of the structural test."""
    spec = plan.spec
    told = spec.blocks.kind
    values, derived = sample_values(spec.config), derived_values(spec.config)
    kinds = [kind.name for kind in plan.kinds]
    former = {old: kind.name for kind in plan.kinds for old in kind.formerly}
    kinds_field: dict[str, object] = {told.listed_in: _former_names(plan)} if told else {}
    conditions = _all_conditions(plan)
    listed = {name for kind in plan.kinds for name in _listing((*plan.shared, kind.node))}
    listed |= set(_listing(plan.shared))
    modules = [(name, c) for _, name, c in conditions if name in listed]
    holds = {kind.name: kind.holds for kind in plan.kinds}
    layers = {kind.name: _listing((*plan.shared, kind.node)) for kind in plan.kinds}
    imports = {("pytest", "")}
    imports |= _KINDS if kinds else set()
    imports |= _STAND_INS if kinds_field or values or (kinds and conditions) else set()
    return fill(
        "unit_test.py.jinja",
        **common_values(plan),
        imports=import_lines(imports),
        model=repr(_model_listing(plan)),
        layers=repr(layers or _listing(plan.shared)),
        kinds=kinds,
        slots=repr({kind.name: kind.slot for kind in plan.kinds}),
        former_kinds=repr(former) if former else "",
        hf_config=repr(kinds_field | values) if kinds_field or values else "",
        has_dimensions=bool(values),
        derived=f"{{{', '.join(map(repr, spec.config.derived))}}}" if spec.config.derived else "",
        dimensions=repr(derived),
        kinds_field=told.listed_in if told else "",
        canonical_kinds=repr(list(spec.tiny.kinds)),
        n_layers=len(spec.tiny.kinds) or 2,
        kind_attribute=told.attribute if told else "",
        unknown_kind=_other_than({*kinds, *former}),
        unknown_message=".*".join(f"'{name}'" for name in (sorted(kinds) if told else kinds)),
        all_conditions=_all_set(conditions) if conditions else "",
        holds=repr(holds) if any(holds.values()) else "",
        blocks_path=plan.block.path,
        aliases=sorted(
            pair for pair in plan.block.aliases.items() if pair[0] not in plan.slot_aliases
        ),
        slot_aliases=sorted(plan.slot_aliases.items()),
        partial_aliases={
            kind.name: sorted(kind.slot_aliases.items())
            for kind in plan.kinds
            if plan.partial_aliases
        },
        conditional=repr({name: (c.field, c.is_set) for name, c in modules}) if modules else "",
        fields=repr(sorted({c.field for _, c in modules})),
        ambiguous_slot=plan.ambiguous_slot,
        one_path_a_name=_one_path_a_name(layers),
    )


def _class_name(node: Node) -> str:
    return f"Tapped{node.bridge}" if node.taps or node.fused_in_training else node.bridge


def _listing(nodes: tuple[Node, ...]) -> dict[str, str]:
    walked = (pair for top in nodes for pair in top.walk())
    return {name: f"{_class_name(node)} {node.path}" for name, node in walked}


def _model_listing(plan: Plan) -> dict[str, str]:
    tops = {node.key: f"{_class_name(node)} {node.path}" for node in plan.components}
    return tops | {"blocks": f"{plan.block_class} {plan.block.path}"}


def _former_names(plan: Plan) -> list[str]:
    """The kinds of the tiny model, the first of each by its oldest name."""
    names = list(plan.spec.tiny.kinds)
    for kind in plan.kinds:
        if kind.formerly:
            names[names.index(kind.name)] = kind.formerly[-1]
    return names


def _all_conditions(plan: Plan) -> list[tuple[str, str, Condition]]:
    """Kind, dotted name in the layer, and the condition of all that depends on the HF config."""
    shared = [
        (plan.kinds[0].name if plan.kinds else "", name, condition)
        for name, condition in plan.conditional.items()
    ]
    return shared + [
        (kind.name, f"{kind.slot}.{name}", condition)
        for kind in plan.kinds
        for name, condition in kind.node.conditional().items()
    ]


def _all_set(conditions: list[tuple[str, str, Condition]]) -> str:
    return repr(dict.fromkeys(sorted(c.field for _, _, c in conditions), 16))


def _other_than(names: set[str]) -> str:
    """A name of a kind that is none of these."""
    name = "window"
    while name in names:
        name += "ed"
    return name


def _one_path_a_name(layers: dict[str, dict[str, str]]) -> bool:
    """Whether a name leads to the same module of HF in every kind that has it."""
    found: dict[str, str] = {}
    return all(
        found.setdefault(name, path) == path
        for listing in layers.values()
        for name, path in ((name, line.split()[1]) for name, line in listing.items())
    )
