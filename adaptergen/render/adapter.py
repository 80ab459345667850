"""The adapter module."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from adaptergen.plan.model import KindPlan, Plan
from adaptergen.plan.node import Condition, HelperCall, Node
from adaptergen.prose import docstring
from adaptergen.render.templates import fill
from adaptergen.spec.shape import Tap

_ADAPTER_MODULE = "transformer_lens.model_bridge.architecture_adapter"
_DECLARATIVE = "DeclarativeAdapter"


def render_adapter(plan: Plan) -> str:
    """Source of the adapter module."""
    spec = plan.spec
    mapping = _mapping(plan)
    kinds = [(kind.name, _kind(plan, kind)) for kind in plan.kinds]
    flags = [
        f"self.cfg.{name} = {value!r}"
        for name, value in spec.config.flags.items()
        if name not in plan.flags_set
    ]
    if plan.flag_setter:
        flags.insert(0, _helper_code(plan.flag_setter).text)
    data = _data(plan)
    base = _DECLARATIVE if data or spec.config.derived else "ArchitectureAdapter"
    module = f"{plan.runtime}.declarative_adapter" if base == _DECLARATIVE else _ADAPTER_MODULE
    imports = {("typing", "Any"), (module, base)}
    imports = imports.union(mapping.imports, *(code.imports for _, code in kinds))
    classes = plan.component_attributes.items()
    imports |= {(module_of(node, plan.runtime), node.bridge) for _, node in classes}
    attributes = [(name, repr(value)) for name, value in spec.config.adapter.items()]
    attributes += [(name, node.bridge) for name, node in classes]
    return fill(
        "adapter.py.jinja",
        header=plan.header,
        docstring=_docstring(plan),
        imports=import_lines(imports),
        architecture=spec.architecture,
        title=spec.title,
        adapter_class=plan.adapter_class,
        base=base,
        class_attributes=[*attributes, *data],
        weights_by_head=plan.weights_by_head,
        derived=[
            (name, value.render(lambda field: f"cfg.{field}"))
            for name, value in spec.config.derived.items()
        ],
        flags=flags,
        kinds=[(name, code.text) for name, code in kinds],
        mapping=mapping.text,
    )


def _data(plan: Plan) -> list[tuple[str, str]]:
    """What the adapter's base class does by data: attributes of the class, as code."""
    kind_source, fields = plan.spec.blocks.kind, plan.spec.config.from_hf
    former = {old: kind.name for kind in plan.kinds for old in kind.formerly}
    heads = {f"{name}.{hook}": heads for name, hook, heads in plan.split_hooks}
    values = {
        "from_hf": fields,
        "kinds_field": kind_source.listed_in if kind_source else "",
        "former_kinds": former,
        "heads": heads,
        "stateful_cache": plan.spec.cache,
    }
    return [(name, repr(value)) for name, value in values.items() if value]


def _mapping(plan: Plan) -> Code:
    """The component mapping, with the blocks after what comes before them in the model."""
    first = [node for node in plan.components if not node.key.startswith(("ln_final", "unembed"))]
    last = [node for node in plan.components if node not in first]
    before, after = (components_code(nodes, plan.runtime) for nodes in (first, last))
    blocks = _blocks(plan)
    # The trailing comma makes black give each component a line.
    parts = (before.text[1:-1], f"'blocks': {blocks.text}", after.text[1:-1])
    text = f"{{{', '.join(filter(None, parts))}, }}"
    return Code(text, before.imports | blocks.imports | after.imports)


def _blocks(plan: Plan) -> Code:
    shared = components_code(plan.shared, plan.runtime)
    imports = shared.imports | {(module_of(plan.block, plan.runtime), plan.block.bridge)}
    arguments = [f"name={plan.block.path!r}"]
    if plan.block.takes_config or plan.kinds:
        arguments.append("config=self.cfg")
    arguments.append(f"submodules={shared.text}")
    if plan.block_class == plan.block.bridge:
        return Code(f"{plan.block.bridge}({', '.join(arguments)})", imports)
    imports |= {(f"{plan.runtime}.layer_kinds", "blocks_with_kinds")}
    if plan.kinds:
        imports |= {(f"{plan.runtime}.layer_kinds", "LayerKind")}
        arguments.append("kinds=kinds")
    kind_source = plan.spec.blocks.kind
    if kind_source:
        arguments.append(f"attribute={kind_source.attribute!r}")
        if any(kind.formerly for kind in plan.kinds):
            arguments.append("former=self.former_kinds")
    if plan.block_aliases:
        aliases = {name: list(targets) for name, targets in sorted(plan.block_aliases.items())}
        arguments.append(f"aliases={aliases!r}")
    if plan.conditional:
        arguments.append(f"conditional={_conditions(plan.conditional)}")
    text = f"blocks_with_kinds({plan.block.bridge}, {', '.join(arguments)})"
    return Code(text, imports)


def _kind(plan: Plan, kind: KindPlan) -> Code:
    component = component_code(kind.node, plan.runtime)
    submodule = f", has_submodule={kind.has_submodule!r}" if kind.has_submodule else ""
    conditions = kind.node.conditional()
    conditional = f", conditional={_conditions(conditions)}" if conditions else ""
    text = f"LayerKind({kind.slot!r}, {component.text}{submodule}{conditional})"
    return Code(text, component.imports)


def _conditions(conditions: dict[str, Condition]) -> str:
    return repr({
        name: (c.field, c.holds) if c.value is None else (c.field, c.holds, c.value)
        for name, c in conditions.items()
    })  # fmt: skip


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


@dataclass(frozen=True)
class Code:
    """Source text, and the (module, name) pairs it imports."""

    text: str
    imports: frozenset[tuple[str, str]] = frozenset()


def component_code(node: Node, runtime: str) -> Code:
    """The call that makes a component, in a method of the adapter.

    `runtime` is the package of what adapters share.
    """
    made = _helper_code(node.helper) if node.helper else _constructor_code(node, runtime)
    text, imports = made.text, set(made.imports)
    for axis in sorted(set(node.pos_dims.values())):
        imports.add((f"{runtime}.layer_kinds", "with_pos_dim"))
        hooks = sorted(name for name, at in node.pos_dims.items() if at == axis)
        names = f", {', '.join(map(repr, hooks))}" if len(hooks) < len(node.hooks) else ""
        text = f"with_pos_dim({text}, {axis}{names})"
    overwritten = [repr(hook.name) for hook in node.hooks if hook.overwritten]
    if overwritten:
        imports.add((f"{runtime}.layer_kinds", "with_copies"))
        text = f"with_copies({text}, {', '.join(overwritten)})"
    if node.absent:
        imports.add((f"{runtime}.layer_kinds", "without_hooks"))
        names = ", ".join(repr(name) for name in sorted(name for name, _ in node.absent))
        text = f"without_hooks({text}, {names})"
    return Code(text, frozenset(imports))


def _helper_code(call: HelperCall) -> Code:
    arguments = ", ".join(f"{name}={value!r}" for name, value in call.arguments)
    return Code(f"self.{call.method}({arguments})")


def _constructor_code(node: Node, runtime: str) -> Code:
    arguments = [f"name={node.path!r}"]
    imports = {(module_of(node, runtime), node.bridge)}
    if node.takes_config:
        arguments.append("config=self.cfg")
    if node.submodules:
        submodules = components_code(node.submodules, runtime)
        arguments.append(f"submodules={submodules.text}")
        imports |= submodules.imports
    arguments += [f"{name}={value!r}" for name, value in node.options]
    callee = node.bridge
    if node.taps or node.fused_in_training:
        callee = _tapped(node)
        imports |= {(f"{runtime}.taps", "tapped")}
        imports |= {(f"{runtime}.taps", "Tap")} if node.taps else set()
    return Code(f"{callee}({', '.join(arguments)})", frozenset(imports))


def module_of(node: Node, runtime: str) -> str:
    """The module that has the component's class."""
    return f"{runtime}{node.module}" if node.module.startswith(".") else node.module


def _tapped(node: Node) -> str:
    """The expression for the class of a component with taps."""
    taps = ", ".join(f"{name!r}: {_tap(tap)}" for name, tap in node.taps.items())
    fused = ", fused_in_training=True" if node.fused_in_training else ""
    return f"tapped({node.bridge}, {{{taps}}}{fused})"


def _tap(tap: Tap) -> str:
    given = {name: value for name, value in tap if value != type(tap).model_fields[name].default}
    if len(tap.function) == 1:
        given["function"] = tap.function[0]
    return f"Tap({', '.join(f'{name}={value!r}' for name, value in given.items())})"


def components_code(nodes: Iterable[Node], runtime: str) -> Code:
    """The dict of several components by their keys."""
    pairs = [(node.key, component_code(node, runtime)) for node in nodes]
    text = ", ".join(f"{key!r}: {code.text}" for key, code in pairs)
    return Code(f"{{{text}}}", frozenset().union(*(code.imports for _, code in pairs)))


def import_lines(imports: Iterable[tuple[str, str]]) -> str:
    """Import statements; a pair without a name imports the module itself."""
    lines = (
        f"from {module} import {name}" if name else f"import {module}" for module, name in imports
    )
    return "\n".join(sorted(set(lines)))
