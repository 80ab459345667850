"""The tests that go with an adapter."""

from __future__ import annotations

from collections.abc import Mapping

from adaptergen.plan.code import (
    CONVOLUTION_CLASS,
    arithmetic_code,
    class_name,
    dimension_code,
    import_lines,
)
from adaptergen.plan.model import HookRow, Plan
from adaptergen.plan.node import Condition, Node
from adaptergen.plan.table import layer_tables, shared_hooks
from adaptergen.render.environment import fill
from adaptergen.render.formatting import format_python

ADAPTER_PACKAGE = "transformer_lens.model_bridge.supported_architectures"

#: What the templates use; a name that a branch left out does not use is dropped below.
_UNIT_IMPORTS = {("pytest", "")}
_UNIT_KINDS = {("copy", ""), ("torch", ""), ("types", "SimpleNamespace")}
_TINY_IMPORTS = {
    *((name, "") for name in ("copy", "pytest", "torch", "transformers")),
    ("accelerate", "cpu_offload"),
    ("packaging.specifiers", "SpecifierSet"),
    ("transformers", "DynamicCache"),
}
_EXCEPTIONS = (
    ("Releases of transformers in which an edit of a hook does not reach the logits.", "read_only"),
    ("Releases in which a hook does not fire.", "silent"),
    ("Releases in which a hook does not fire in a decode step.", "silent_in_decode"),
)


def common_values(plan: Plan) -> dict[str, object]:
    """What every template is told."""
    spec = plan.spec
    return {
        "header": plan.header,
        "title": spec.title,
        "architecture": spec.architecture,
        "module": spec.module,
        "adapter_class": plan.adapter_class,
        "adapter_module": f"{ADAPTER_PACKAGE}.{spec.module}",
        "checkpoint": spec.checkpoints[0],
        "env": spec.module.upper(),
    }


def render_unit_test(plan: Plan) -> str:
    """Source of the structural test."""
    spec = plan.spec
    told = spec.blocks.kind
    values = _sample_values(plan)
    derived = dict(values)
    for name, expression in spec.config.derived.items():
        derived[name] = expression.value(derived)
    kinds = [kind.name for kind in plan.kinds]
    former = {old: kind.name for kind in plan.kinds for old in kind.formerly}
    kinds_field: dict[str, object] = {told.listed_in: _former_names(plan)} if told else {}
    conditions = _all_conditions(plan)
    listed = {name for kind in plan.kinds for name in _listing((*plan.shared, kind.node))}
    listed |= set(_listing(plan.shared))
    modules = [(name, c) for _, name, c in conditions if name in listed]
    holds = {kind.name: kind.holds for kind in plan.kinds}
    layers = {kind.name: _listing((*plan.shared, kind.node)) for kind in plan.kinds}
    text = fill(
        "unit_test.py.jinja",
        **common_values(plan),
        imports=import_lines(_UNIT_IMPORTS | (_UNIT_KINDS if kinds else set())),
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
        all_conditions=repr(dict.fromkeys(sorted(c.field for _, _, c in conditions), 16)),
        holds=repr(holds) if any(holds.values()) else "",
        blocks_path=plan.block.path,
        slot_aliases=sorted(plan.slot_aliases.items()),
        conditional=repr({name: (c.field, c.is_set) for name, c in modules}) if modules else "",
        fields=repr(sorted({c.field for _, c in modules})),
        ambiguous_slot=plan.ambiguous_slot,
        weight_names=repr(_weight_names(plan)),
        shared=plan.shared,
    )
    return format_python(text)


def render_tiny_test(plan: Plan) -> str:
    """Source of the test on tiny random models."""
    spec = plan.spec
    told = spec.blocks.kind
    tables = layer_tables(plan)
    rows = [*plan.model_hooks, *(row for _, table in tables for row in table)]
    shared = shared_hooks(plan)
    functional_kind = next(
        (kind for kind in plan.kinds if class_name(kind.node) == CONVOLUTION_CLASS), None
    )
    state_space = plan.state_space_kinds
    text = fill(
        "tiny_test.py.jinja",
        **common_values(plan),
        imports=import_lines(_TINY_IMPORTS | {("transformers", spec.architecture)}),
        config=_literal(spec.tiny.config),
        branches=_branches(plan),
        branch_releases=sorted(spec.tiny.releases.items()),
        parity=spec.parity,
        kinds=repr(list(spec.tiny.kinds)) if spec.tiny.kinds else "",
        n_layers=spec.tiny.config.get("num_hidden_layers", 2),
        exceptions=[
            *((comment, state.upper(), _releases(rows, state)) for comment, state in _EXCEPTIONS),
            ("Hooks that fire on request only.", "ON_REQUEST", _on_request(rows)),
            (
                "Hooks that depend on a field of the HF config, and whether it has to be set.",
                "CONDITIONAL",
                repr(
                    {
                        row.name: (row.condition.field, row.condition.is_set)
                        for row in _by_name(rows)
                        if row.condition
                    }
                ),
            ),
        ],
        aliases=repr({name: _aliases(table) for name, table in tables}),
        model_rows=_shapes(plan, plan.model_hooks),
        shared_rows=_shapes(plan, shared),
        kind_rows=[
            (name, _shapes(plan, [row for row in table if row not in shared]))
            for name, table in tables
        ],
        sums=repr(sums) if (sums := _sums(plan)) else "",
        setters=repr(setters) if (setters := _setters(rows)) else "",
        patterns=any(row.name == "attn.hook_pattern" for row in rows),
        functional=plan.functional and {"key": plan.functional.key},
        functional_layer=spec.tiny.kinds.index(functional_kind.name) if functional_kind else 0,
        functional_slot=functional_kind.slot if functional_kind else "",
        continues=plan.functional.functions.continues if plan.functional else "",
        state_space={"kind": state_space[0]} if state_space else None,
        from_hf=repr(list(spec.config.from_hf)) if spec.config.from_hf else "",
        passthrough=repr(list(plan.passthrough)),
        kinds_field=told.listed_in if told else "",
        derived=[
            (name, arithmetic_code(value, "cfg")) for name, value in spec.config.derived.items()
        ],
    )
    return format_python(text)


def render_checkpoint_test(plan: Plan) -> str:
    """Source of the test on a real checkpoint."""
    return format_python(fill("checkpoint_test.py.jinja", **common_values(plan)))


def render_conftest(plan: Plan) -> str:
    """Source of the conftest that puts the generated module in the place of the installed one."""
    return format_python(fill("conftest.py.jinja", **common_values(plan)))


def render_register(plan: Plan) -> str:
    """Source of `register.py`."""
    return format_python(fill("register.py.jinja", **common_values(plan)))


def _listing(nodes: tuple[Node, ...]) -> dict[str, str]:
    walked = (pair for top in nodes for pair in top.walk())
    return {name: f"{class_name(node)} {node.path}" for name, node in walked}


def _model_listing(plan: Plan) -> dict[str, str]:
    tops = {node.key: f"{class_name(node)} {node.path}" for node in plan.components}
    return tops | {"blocks": f"{plan.block_class} {plan.block.path}"}


def _former_names(plan: Plan) -> list[str]:
    """The kinds of the tiny model, the first of each by its oldest name."""
    names = list(plan.spec.tiny.kinds)
    for kind in plan.kinds:
        if kind.formerly:
            names[names.index(kind.name)] = kind.formerly[-1]
    return names


def _sample_values(plan: Plan) -> dict[str, int]:
    """Values that no config has by default, no two alike."""
    return {name: 6 + 4 * i for i, name in enumerate(plan.spec.config.from_hf)}


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


def _branches(plan: Plan) -> str:
    """The default configuration, and one for each branch that the config opens."""
    branches: dict[str, Mapping[str, object]] = {"default": {}, **plan.spec.tiny.branches}
    return f"{{{', '.join(f'{k!r}: {_branch(v)}' for k, v in branches.items())}}}"


def _branch(changes: Mapping[str, object]) -> str:
    return f"CONFIG | {_literal(dict(changes))}" if changes else "CONFIG"


def _weight_names(plan: Plan) -> list[tuple[int, str]]:
    """A layer of each kind, and the name of a weight in it."""
    first = {kind: plan.spec.tiny.kinds.index(kind) for kind in dict.fromkeys(plan.spec.tiny.kinds)}
    return [
        (first[kind.name], f"{kind.slot}.{kind.node.submodules[0].key}.weight")
        for kind in plan.kinds
        if kind.node.submodules
    ]


def _literal(value: object) -> str:
    """A literal, with lists where the spec has them."""
    if isinstance(value, dict):
        entries = ", ".join(f"{key!r}: {_inline(item)}" for key, item in value.items())
        return f"{{{entries}}}"
    return repr(value)


def _inline(value: object) -> str:
    return repr(list(value) if isinstance(value, tuple) else value)


def _by_name(rows: list[HookRow]) -> list[HookRow]:
    return sorted({row.name: row for row in rows}.values(), key=lambda row: row.name)


def _releases(rows: list[HookRow], state: str) -> str:
    named = [row for row in _by_name(rows) if row.state == state]
    return repr({row.name: (row.contract and row.contract.transformers) or ">=0" for row in named})


def _on_request(rows: list[HookRow]) -> str:
    names = [repr(row.name) for row in _by_name(rows) if row.state == "on_request"]
    return f"{{{', '.join(names)}}}" if names else "set()"


def _setters(rows: list[HookRow]) -> dict[str, list[str]]:
    """Setters of the bridge that make hooks of every layer fire, and the hooks."""
    setters: dict[str, list[str]] = {}
    for row in _by_name(rows):
        if row.contract and row.contract.switch and row.contract.switch.startswith("set_"):
            setters.setdefault(row.contract.switch, []).append(row.name)
    return setters


def _sums(plan: Plan) -> list[tuple[str, str, str]]:
    """Hooks of the residual stream: one, what is added to it, and the one after."""
    if "hook_mixer_out" in plan.block.aliases:
        return [("hook_resid_pre", "hook_mixer_out", "hook_resid_post")]
    if "hook_resid_mid" in plan.block.aliases:
        return [
            ("hook_resid_pre", "hook_attn_out", "hook_resid_mid"),
            ("hook_resid_mid", "hook_mlp_out", "hook_resid_post"),
        ]
    return []


def _aliases(table: tuple[HookRow, ...]) -> dict[str, str]:
    pairs = sorted((alias, row.name) for row in table for alias in row.aliases)
    return dict(pairs)


def _shapes(plan: Plan, rows: list[HookRow] | tuple[HookRow, ...]) -> list[tuple[str, str]]:
    """Name and shape, as code, of each hook that a plain run fires."""
    names = {"batch": "BATCH", "pos": "SEQ"}
    shapes = []
    for row in sorted(rows, key=lambda row: row.name):
        axes = [dimension_code(axis, names, plan.cfg_fields) for axis in row.axes]
        if row.state != "on_request":
            shapes.append((row.name, f"({', '.join(axes)}{',' if len(axes) == 1 else ''})"))
    return shapes
