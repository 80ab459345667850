"""From a checked spec to a plan, or to every problem that only the whole shows."""

from __future__ import annotations

from adaptergen.catalogue import Catalogue
from adaptergen.plan.expand import Expander
from adaptergen.plan.hooks import absent_hooks, hook_rows
from adaptergen.plan.model import FunctionalPlan, KindPlan, Plan, RouterPlan
from adaptergen.plan.names import name_problems
from adaptergen.plan.node import Node
from adaptergen.plan.structure import promise_problems, structure_problems
from adaptergen.plan.where import Where
from adaptergen.problems import Failed, Problem, quote
from adaptergen.spec.architecture import Kind
from adaptergen.spec.load import LoadedSpec
from adaptergen.spec.shape import Convolution, Functional, RouterWeight


def make_plan(loaded: LoadedSpec, catalogue: Catalogue, header: str) -> Plan:
    """Decide everything; `header` is the line that says where generated files come from."""
    spec, top = loaded.spec, Where(loaded.source)
    expander = Expander(loaded.shapes, loaded.shape_names, catalogue)
    components = expander.submodules(spec.components, top.at("components"))
    block = expander.expand("blocks", spec.blocks, top.at("blocks"))
    shared = expander.submodules(spec.blocks.submodules, top.at("blocks", "submodules"))
    kind_nodes = {
        name: expander.expand(kind.slot, kind, top.at("blocks", "kinds", name))
        for name, kind in spec.blocks.kinds.items()
    }
    problems = expander.problems + name_problems(loaded, catalogue)
    if block is None or problems:
        raise Failed(problems)
    nodes = {name: node for name, node in kind_nodes.items() if node is not None}
    trees = [*components, block, *shared, *nodes.values()]
    functional, router = _used_in_functions(trees, top, problems)
    problems += structure_problems(components, block, shared, nodes, catalogue)
    if problems:
        raise Failed(problems)
    bound = {node.key for node in shared} | _only_slot(spec.blocks.kinds)
    slot_aliases = {
        alias: target.partition(".")[2]
        for alias, target in block.aliases.items()
        if spec.blocks.kinds and "." in target and target.partition(".")[0] not in bound
    }
    kinds = tuple(
        _kind(name, spec.blocks.kinds[name], node, block, shared, slot_aliases, spec.replaces)
        for name, node in nodes.items()
    )
    layer_hooks = hook_rows(shared, block)
    model_hooks = hook_rows(components)
    problems += promise_problems(kinds, layer_hooks, model_hooks, spec.replaces, top)
    if problems:
        raise Failed(problems)
    return Plan(
        spec=spec,
        header=header,
        tl_version=catalogue.tl_version,
        cfg_fields=frozenset(catalogue.config_fields)
        | {*spec.config.from_hf, *spec.config.derived}
        | ({spec.blocks.kind.listed_in} if spec.blocks.kind else set()),
        components=components,
        block=block,
        shared=shared,
        kinds=kinds,
        model_hooks=model_hooks,
        layer_hooks=layer_hooks,
        functional=functional,
        router=router,
        passthrough=tuple(
            name for name in spec.config.from_hf if name not in catalogue.passthrough
        ),
        slot_aliases=slot_aliases,
    )


def _only_slot(kinds: dict[str, Kind]) -> set[str]:
    """The slot that every kind takes, if it is one."""
    slots: set[str] = {kind.slot for kind in kinds.values()}
    return slots if len(slots) == 1 else set()


def _kind(
    name: str,
    kind: Kind,
    node: Node,
    block: Node,
    shared: tuple[Node, ...],
    slot_aliases: dict[str, str],
    replaces: dict[str, str | None],
) -> KindPlan:
    repointed = {alias: f"{kind.slot}.{target}" for alias, target in slot_aliases.items()}
    rows = hook_rows((*shared, node), block, **repointed)
    offered = {name for row in rows for name in (row.name, *row.aliases)}
    return KindPlan(
        name=name,
        formerly=kind.formerly,
        slot=kind.slot,
        node=node,
        hooks=rows,
        absent=absent_hooks((*shared, node)),
        gone=tuple((old, new) for old, new in replaces.items() if old not in offered),
        builder=f"_{name}",
        holds=kind.holds,
    )


def _used_in_functions(
    nodes: list[Node], top: Where, problems: list[Problem]
) -> tuple[FunctionalPlan | None, RouterPlan | None]:
    """The one convolution and the one router that HF uses without calling them, if any."""
    found: dict[tuple[str, str, Functional], Node] = {}
    for tree in nodes:
        for _, node in tree.walk():
            for child in node.submodules:
                if child.functional:
                    found[node.bridge, child.key, child.functional] = node
    convolution: FunctionalPlan | None = None
    router: RouterPlan | None = None
    for (parent, key, functional), node in found.items():
        if isinstance(functional, RouterWeight) and router is None:
            router = RouterPlan(parent, node.module, key, functional.method)
        elif isinstance(functional, Convolution) and convolution is None:
            convolution = FunctionalPlan(parent, node.module, key, functional)
        else:
            message = f"{quote(key)} is used in functions in different ways"
            hint = "let all layers use one shape for it"
            place = top.at("blocks")
            problems.append(place.problem("functional-twice", message, hint, key=True))
    return convolution, router
