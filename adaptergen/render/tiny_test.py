"""The test of an adapter on tiny random models."""

from __future__ import annotations

from collections.abc import Mapping

from adaptergen.plan.code import arithmetic_code, dimension_code, import_lines
from adaptergen.plan.model import HookRow, Plan
from adaptergen.plan.table import layer_tables, shared_hooks
from adaptergen.render.common import common_values
from adaptergen.render.environment import fill

_IMPORTS = {
    *((name, "") for name in ("copy", "pytest", "torch", "transformers")),
    ("packaging.specifiers", "SpecifierSet"),
    ("transformers", "DynamicCache"),
}
_EXCEPTIONS = (
    ("Releases of transformers in which an edit of a hook does not reach the logits.", "read_only"),
    ("Releases in which a hook does not fire.", "silent"),
    ("Releases in which a hook does not fire in a decode step.", "silent_in_decode"),
)


def render_tiny_test(plan: Plan) -> str:
    """Source of the test on tiny random models."""
    spec = plan.spec
    told = spec.blocks.kind
    tables = layer_tables(plan)
    rows = [*plan.model_hooks, *(row for _, table in tables for row in table)]
    shared = shared_hooks(plan)
    final_norm = any(row.name == "ln_final.hook_normalized" for row in plan.model_hooks)
    state_space = plan.state_space_kinds
    imports = _IMPORTS | {("transformers", spec.architecture)}
    if "offload" in plan.abilities:
        imports = imports | {("accelerate", "cpu_offload")}
    return fill(
        "tiny_test.py.jinja",
        **common_values(plan),
        imports=import_lines(imports),
        abilities=plan.abilities,
        config=literal(spec.tiny.config),
        branches=_branches(plan),
        branch_releases=sorted(spec.tiny.releases.items()),
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
        setters=_setters(plan),
        cache=spec.cache,
        keeps_norms=spec.config.adapter.get("supports_fold_ln") is False and final_norm,
        gated=spec.config.flags.get("gated_mlp") is True,
        says_rms=final_norm and {"uses_rms_norm", "final_rms"} <= set(spec.config.flags),
        slots=repr(sorted({kind.slot for kind in plan.kinds})) if plan.kinds else "",
        final_norm=final_norm,
        first_norm=any(row.name == "ln1.hook_normalized" for row in shared)
        and len(spec.tiny.kinds) > 1,
        rotary_kinds=list(plan.rotary_kinds),
        patterns=plan.has_patterns,
        not_by_token=sorted(
            {row.name for row in rows if row.state != "on_request" and not row.is_by_token}
        ),
        offloaded_analyses=plan.offloaded_analyses,
        state_space={"kind": state_space[0]} if state_space else None,
        from_hf=repr(list(spec.config.from_hf)) if spec.config.from_hf else "",
        kinds_field=told.listed_in if told else "",
        derived=[
            (name, arithmetic_code(value, "cfg")) for name, value in spec.config.derived.items()
        ],
    )


def _branches(plan: Plan) -> str:
    """The default configuration, and one for each branch that the config opens."""
    branches: dict[str, Mapping[str, object]] = {"default": {}, **plan.spec.tiny.branches}
    return f"{{{', '.join(f'{k!r}: {_branch(v)}' for k, v in branches.items())}}}"


def _branch(changes: Mapping[str, object]) -> str:
    return f"CONFIG | {literal(dict(changes))}" if changes else "CONFIG"


def literal(value: object) -> str:
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


def _setters(plan: Plan) -> dict[str, object]:
    """Setters of the bridge that make hooks fire: of every layer, or of those of some kinds."""
    by_kind: dict[str, dict[str, list[str]]] = {}
    for kind, table in layer_tables(plan):
        for row in _by_name([*table]):
            if row.contract and row.contract.switch and row.contract.switch.startswith("set_"):
                hooks = by_kind.setdefault(row.contract.switch, {})
                hooks.setdefault(kind, []).append(row.name)
    if not by_kind:
        return {}
    shared = {
        setter: next(iter(hooks.values()))
        for setter, hooks in by_kind.items()
        if len({(*names,) for names in hooks.values()}) == 1
        and len(hooks) == len(layer_tables(plan))
    }
    alike = shared.keys() == by_kind.keys()
    return {"code": repr(shared if alike else by_kind), "alike": alike}


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
