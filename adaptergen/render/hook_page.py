"""`HOOKS.md`: every hook, what it holds, and what it promises."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from adaptergen.plan.model import HookRow, Plan, absent_hooks, layer_tables
from adaptergen.prose import markdown
from adaptergen.render.templates import fill
from adaptergen.spec.arithmetic import TOKEN_AXES

_HEAD = "| Hook | Shape | Tensor | Contract | Other names |\n| --- | --- | --- | --- | --- |"
_STATES = {
    "live": "live",
    "read_only": "read only",
    "no_gradient": "live; no gradient",
    "on_request": "on request",
    "silent": "silent",
    "silent_in_decode": "live; silent in decode steps",
}


def render_hook_page(plan: Plan) -> str:
    """The page, in Markdown."""
    spec = plan.spec
    kinds = [
        {
            "heading": f"Layers of kind `{kind.name}`",
            "about": f"{kind.node.title[0].upper()}{kind.node.title[1:]}, bound as `{kind.slot}`.",
            "rows": _rows(plan, kind.hooks),
            "absent": _reasons(absent_hooks((kind.node,))),
        }
        for kind in plan.kinds
    ]
    every = {
        "heading": "Every layer",
        "about": f"{plan.block.title[0].upper()}{plan.block.title[1:]}.",
        "rows": _rows(plan, plan.layer_hooks),
        "absent": _reasons(absent_hooks(plan.shared)),
    }
    return fill(
        "HOOKS.md.jinja",
        header=plan.header.removeprefix("# "),
        architecture=spec.architecture,
        tl_version=plan.tl_version,
        intro=markdown(" ".join((spec.description, *spec.notes))),
        hf_names=", ".join(f"`{name}`" for name in _hf_names(plan)),
        patterns=plan.has_patterns,
        listed_in=spec.blocks.kind.listed_in if spec.blocks.kind else None,
        token_hooks=any(node.token_hooks for top in plan.nodes for _, node in top.walk()),
        table_head=_HEAD,
        model_rows=_rows(plan, plan.model_hooks),
        kinds=[every, *kinds],
        several=any("+" in layer for layer in plan.layers),
        gone=_gone(plan),
    )


def hook_table(plan: Plan, rows: Iterable[HookRow]) -> str:
    """Some of its rows as a table of their own."""
    return "\n".join([_HEAD, *_rows(plan, rows)])


def _rows(plan: Plan, rows: Iterable[HookRow]) -> list[str]:
    newest = max(plan.spec.verified_with.transformers, key=Version)
    return [_row(row, newest) for row in rows]


def _row(row: HookRow, newest: str) -> str:
    shape = ", ".join(map(str, row.axes))
    names = ", ".join(f"`{alias}`" for alias in row.aliases)
    cells = (f"`{row.name}`", f"`[{shape}]`", markdown(row.tensor), _promise(row, newest), names)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _promise(row: HookRow, newest: str) -> str:
    """What holds with the newest release stands first."""
    contract = row.contract
    promise = _STATES[row.state]
    if contract is not None:
        if contract.switch:
            promise += f" ({_how(row.name.rpartition('.')[0], contract.switch)})"
        releases = contract.transformers
        if releases:
            promise += f" with transformers {releases}"
        promise += f": {markdown(contract.reason)}"
        if releases and row.state != "silent_in_decode":
            now = SpecifierSet(releases).contains(newest, prereleases=True)
            promise = f"{promise}; live otherwise" if now else f"live; {promise}"
    if row.silent_when_processed:
        promise += f"; silent in compatibility mode: {row.silent_when_processed}"
    if row.condition:
        value = row.condition.value
        told = "" if value is None else f" = {markdown(str(value))}"
        word = "with" if row.condition.holds else "without"
        promise += f"; only {word} `{row.condition.field}`{told}"
    return promise


def _how(component: str, switch: str) -> str:
    if switch.startswith("set_"):
        return f"`bridge.{switch}(True)`"
    return f"`{component}.{switch} = True`, run with `use_cache=False`"


def _reasons(absent: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, markdown(reason)) for name, reason in absent]


def _hf_names(plan: Plan) -> list[str]:
    """Names in shapes that are fields of the HF config, not of cfg."""
    names = {name for row in plan.rows_of_layers for axis in row.axes for name in axis.names}
    return sorted(names - plan.cfg_fields - TOKEN_AXES)


def _gone(plan: Plan) -> list[tuple[str, str, str]]:
    """Hooks of the adapter TransformerLens has, the kinds that lose them, and the replacement."""
    of_model = {row.name for row in plan.model_hooks}
    lost: dict[tuple[str, str | None], list[str]] = {}
    for layer, rows in layer_tables(plan) if plan.kinds else ():
        offered = {name for row in rows for name in (row.name, *row.aliases)}
        for old, new in plan.spec.replaces.items():
            if old not in offered:
                lost.setdefault((old, new), []).append(layer)

    def serves(new: str | None) -> str:
        if new is None:
            return "nothing; it never fired there"
        return f"`{new}`" if new in of_model else f"`blocks.{{i}}.{new}`"

    return [
        (old, ", ".join(f"`{name}`" for name in names), serves(new))
        for (old, new), names in lost.items()
    ]
