"""The adapter module."""

from __future__ import annotations

from adaptergen.plan.code import (
    CONVOLUTION_CLASS,
    ROUTER_CLASS,
    Code,
    arithmetic_code,
    component_code,
    components_code,
    import_lines,
    with_renamed_arguments,
)
from adaptergen.plan.model import Plan
from adaptergen.plan.node import Condition
from adaptergen.prose import docstring
from adaptergen.render.environment import fill

_BRIDGE = "transformer_lens.model_bridge"
_BASE = (f"{_BRIDGE}.generalized_components.base", "GeneralizedComponent")
#: What the parts of the template import.
_ALWAYS = {("typing", "Any"), (f"{_BRIDGE}.architecture_adapter", "ArchitectureAdapter")}
_KINDS = {("collections.abc", "Callable"), ("typing", "NamedTuple")}
_ROUTER = {("copy", ""), ("torch", ""), ("accelerate.utils", "align_module_device")}
_ACTIVATION_CACHE = ("transformer_lens.ActivationCache", "ActivationCache")
_SPLIT = (
    "transformer_lens.conversion_utils.conversion_steps.rearrange_tensor_conversion",
    "RearrangeTensorConversion",
)
_FUNCTIONAL = {
    *(((name, "")) for name in ("copy", "functools", "inspect", "types", "torch")),
    ("collections", "ChainMap"),
    ("collections.abc", "Callable"),
    ("accelerate.utils", "align_module_device"),
    ("transformer_lens.hook_points", "HookPoint"),
}


def render_adapter(plan: Plan) -> str:
    """Source of the adapter module."""
    spec = plan.spec
    builders = [(kind, component_code(kind.node, "cfg")) for kind in plan.kinds]
    mapping = _mapping(plan)
    kinds_conditional = {kind.name: kind.node.conditional() for kind in plan.kinds}
    leaves_out = bool(plan.conditional or any(kinds_conditional.values()))
    left_out = [
        *plan.conditional,
        *(name for names in kinds_conditional.values() for name in names),
    ]
    leaves_out_hooks = bool(_hooks(plan, left_out))
    takes_hooks_off = leaves_out_hooks or any(
        node.absent for top in plan.nodes if top is not plan.block for _, node in top.walk()
    )
    own_block = plan.block_class != plan.block.bridge
    imports = set(_ALWAYS) | mapping.imports
    for _, code in builders:
        imports |= code.imports
    if own_block:
        imports |= {("torch", ""), _BASE, (plan.block.module, plan.block.bridge)}
    if plan.kinds:
        imports |= _KINDS
    if plan.functional:
        imports |= _FUNCTIONAL | {(plan.functional.module, plan.functional.parent)}
    if plan.offloaded_analyses:
        imports.add(_ACTIVATION_CACHE)
    if plan.router:
        imports |= _ROUTER | {(plan.router.module, plan.router.parent)}
    if takes_hooks_off:
        imports.add(_BASE)
    if plan.split_hooks:
        imports.add(_SPLIT)
    former = {old: kind.name for kind in plan.kinds for old in kind.formerly}
    told = spec.blocks.kind
    has_token_hooks = any(node.token_hooks for top in plan.nodes for _, node in top.walk())
    if has_token_hooks:
        imports.add(_BASE)
    renames_arguments = any(n.renamed_arguments for top in plan.nodes for _, n in top.walk())
    if renames_arguments:
        imports |= {("functools", ""), _BASE}
    flags = list(spec.config.flags.items()) + ([("is_stateful", True)] if spec.cache else [])
    block_type = f"hf_block.{told.attribute}" if told else ""
    text = fill(
        "adapter.py.jinja",
        header=plan.header,
        docstring=_docstring(plan),
        imports=import_lines(imports),
        architecture=spec.architecture,
        title=spec.title,
        adapter_class=plan.adapter_class,
        block_class=plan.block_class,
        block_parent=plan.block.bridge,
        former_kinds=repr(former) if former else "",
        kind_of_block=f"_FORMER_KINDS.get({block_type}, {block_type})" if former else block_type,
        canonical_kind="_FORMER_KINDS.get(kind, kind)" if former else "kind",
        kinds_field=told.listed_in if told else "",
        own_block=own_block,
        several_slots=len({kind.slot for kind in plan.kinds}) > 1,
        split_hooks=plan.split_hooks,
        split_attention=any(name.startswith("attn.") for name, _, _ in plan.split_hooks),
        leaves_out=leaves_out,
        leaves_out_hooks=leaves_out_hooks,
        leaves_out_nested=any("." in name for name in left_out),
        told_by_submodule=any(kind.holds for kind in plan.kinds),
        has_conditional_kinds=any(kinds_conditional.values()),
        conditional=_conditions(plan.conditional) if plan.conditional else "",
        class_attributes=[(name, repr(value)) for name, value in spec.config.adapter.items()],
        kinds=[{"builder": kind.builder, "component": code.text} for kind, code in builders],
        slot_aliases=sorted(plan.slot_aliases.items()),
        partial_aliases=plan.partial_aliases,
        ambiguous_slot=plan.ambiguous_slot,
        router=plan.router,
        router_class=ROUTER_CLASS,
        functional=plan.functional
        and {
            "parent": plan.functional.parent,
            "key": plan.functional.key,
            "class_name": CONVOLUTION_CLASS,
            "offloaded_analyses": plan.offloaded_analyses,
            **plan.functional.functions.model_dump(),
        },
        takes_hooks_off=takes_hooks_off,
        takes_aliases_off=leaves_out_hooks
        or any(node.loses_aliases for top in plan.nodes for _, node in top.walk()),
        weights_by_head=plan.weights_by_head,
        hf_fields=_tuple(list(spec.config.from_hf)),
        has_token_hooks=has_token_hooks,
        renames_arguments=renames_arguments,
        from_hf=spec.config.from_hf,
        derived=[
            (name, arithmetic_code(value, "cfg")) for name, value in spec.config.derived.items()
        ],
        flags=[(name, repr(value)) for name, value in flags],
        mapping=mapping.text,
        cache=spec.cache,
    )
    return text


def _mapping(plan: Plan) -> Code:
    """The component mapping, with the blocks after what comes before them in the model."""
    first = [node for node in plan.components if not node.key.startswith(("ln_final", "unembed"))]
    last = [node for node in plan.components if node not in first]
    before, after = (components_code(nodes, "self.cfg") for nodes in (first, last))
    blocks = _blocks(plan)
    text = f"{before.text[:-1]}'blocks': {blocks.text}, {after.text[1:]}"
    return Code(text, before.imports | blocks.imports | after.imports)


def _blocks(plan: Plan) -> Code:
    shared = components_code(plan.shared, "self.cfg")
    arguments = [f"name={plan.block.path!r}"]
    if plan.block.takes_config or plan.kinds:
        arguments.append("config=self.cfg")
    arguments.append(f"submodules={shared.text}")
    imports = shared.imports
    if plan.kinds:
        arguments.append(f"kinds={{{''.join(_kind(plan, i) for i in range(len(plan.kinds)))}}}")
    else:
        imports |= {(plan.block.module, plan.block.bridge)}
    text = with_renamed_arguments(plan.block, f"{plan.block_class}({', '.join(arguments)})")
    return Code(text, imports)


def _kind(plan: Plan, index: int) -> str:
    kind = plan.kinds[index]
    holds = f", {kind.holds!r}" if kind.holds else ""
    conditions = kind.node.conditional()
    conditional = f", {_conditions(conditions)}" if conditions else ""
    return f"{kind.name!r}: _LayerKind({kind.slot!r}, {kind.builder}{holds}{conditional}), "


def _hooks(plan: Plan, names: list[str]) -> set[str]:
    """Which of these dotted names are hooks, not components."""
    tops = [*plan.shared, *(child for kind in plan.kinds for child in kind.node.submodules)]
    return set(names) - {name for top in tops for name, _ in top.walk()}


def _conditions(conditions: dict[str, Condition]) -> str:
    return repr({name: (c.field, c.is_set) for name, c in conditions.items()})


def _tuple(names: list[str]) -> str:
    return f"({''.join(f'{name!r}, ' for name in names)})"


def _docstring(plan: Plan) -> str:
    spec = plan.spec
    paragraphs = [
        f"{spec.title} architecture adapter.",
        docstring(f"Supports {spec.architecture}. {spec.description}"),
    ]
    if plan.kinds:
        paragraphs.append(
            "\n".join(
                f"- ``{kind.name}``: {kind.node.title}, bound as ``{kind.slot}``"
                for kind in plan.kinds
            )
        )
    paragraphs += [docstring(" ".join(spec.notes))] if spec.notes else []
    return "\n\n".join(paragraphs)
