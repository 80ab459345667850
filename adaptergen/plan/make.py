"""From a checked spec to a plan, or to every problem that only the whole shows."""

from __future__ import annotations

from adaptergen.catalogue import Catalogue
from adaptergen.plan.expand import Expander
from adaptergen.plan.hooks import absent_hooks, hook_rows
from adaptergen.plan.model import FunctionalPlan, KindPlan, Plan
from adaptergen.plan.node import Node
from adaptergen.plan.where import Where
from adaptergen.problems import Failed, Problem, quote, suggestion
from adaptergen.spec.architecture import Kind
from adaptergen.spec.load import LoadedSpec
from adaptergen.spec.shape import Functional


def make_plan(loaded: LoadedSpec, catalogue: Catalogue, header: str) -> Plan:
    """Decide everything; `header` is the line that says where generated files come from."""
    spec, top = loaded.spec, Where(loaded.source)
    expander = Expander(loaded.shapes, catalogue)
    components = expander.submodules(spec.components, top.at("components"))
    block = expander.expand("blocks", spec.blocks, top.at("blocks"))
    shared = expander.submodules(spec.blocks.submodules, top.at("blocks", "submodules"))
    kind_nodes = {
        name: expander.expand(kind.slot, kind, top.at("blocks", "kinds", name))
        for name, kind in spec.blocks.kinds.items()
    }
    problems = expander.problems + _flag_problems(loaded, catalogue)
    if block is None or problems:
        raise Failed(problems)
    nodes = [node for node in kind_nodes.values() if node is not None]
    functional = _functional([*components, block, *shared, *nodes], top, problems)
    if problems:
        raise Failed(problems)
    bound = {node.key for node in shared}
    slot_aliases = {
        alias: target.partition(".")[2]
        for alias, target in block.aliases.items()
        if spec.blocks.kinds and "." in target and target.partition(".")[0] not in bound
    }
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
        kinds=tuple(
            _kind(name, spec.blocks.kinds[name], node, block, shared, slot_aliases, spec.replaces)
            for name, node in kind_nodes.items()
            if node is not None
        ),
        model_hooks=hook_rows(components),
        layer_hooks=hook_rows(shared, block),
        functional=functional,
        passthrough=tuple(
            name for name in spec.config.from_hf if name not in catalogue.passthrough
        ),
        slot_aliases=slot_aliases,
    )


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
    )


def _functional(nodes: list[Node], top: Where, problems: list[Problem]) -> FunctionalPlan | None:
    """The one convolution used in functions, if there is one."""
    found: dict[tuple[str, str, Functional], Node] = {}
    for tree in nodes:
        for _, node in tree.walk():
            for child in node.submodules:
                if child.functional:
                    found[node.bridge, child.key, child.functional] = node
    if len(found) > 1:
        keys = " and ".join(quote(key) for _, key, _ in found)
        message = f"{keys} are used in functions in different ways"
        hint = "let all layers use one shape for it"
        problems.append(top.at("blocks").problem("functional-twice", message, hint, key=True))
    for (parent, key, functions), node in found.items():
        return FunctionalPlan(parent, node.module, key, functions)
    return None


def _flag_problems(loaded: LoadedSpec, catalogue: Catalogue) -> list[Problem]:
    """Flags that the config of TransformerLens does not have."""
    top = Where(loaded.source)
    problems = []
    for name in loaded.spec.config.flags:
        if name not in catalogue.config_fields:
            message = f"the config of TransformerLens has no field {quote(name)}"
            hint = suggestion(name, catalogue.config_fields) or "delete it"
            place = top.at("config", "flags", name)
            problems.append(place.problem("unknown-flag", message, hint, key=True))
    return problems
