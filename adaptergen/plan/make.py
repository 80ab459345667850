"""From a checked spec to a plan, or to every problem that only the whole shows."""

from __future__ import annotations

from adaptergen.catalogue.model import Catalogue
from adaptergen.plan.checks import (
    derived_problems,
    layer_problems,
    promise_problems,
    replacement_problems,
    structure_problems,
)
from adaptergen.plan.expand import Expander
from adaptergen.plan.helpers import HelperChoice
from adaptergen.plan.model import KindPlan, Plan, absent_hooks, hook_rows
from adaptergen.plan.names import name_problems
from adaptergen.plan.node import Location, Node
from adaptergen.problems import Failed
from adaptergen.spec.architecture import Blocks, Kind
from adaptergen.spec.load import LoadedSpec


def make_plan(loaded: LoadedSpec, catalogue: Catalogue, header: str) -> Plan:
    """Decide everything; `header` is the line that says where generated files come from.

    `Failed` with all problems: those that were found before, and those of the parts that are whole.
    """
    spec, top = loaded.spec, Location(loaded.source)
    helpers = HelperChoice(catalogue)
    expander = Expander(loaded.shapes, loaded.shape_names, catalogue, helpers)
    components = expander.submodules(spec.components, top.at("components"))
    block = expander.expand("blocks", spec.blocks, top.at("blocks"))
    shared = expander.submodules(spec.blocks.submodules, top.at("blocks", "submodules"))
    kind_nodes = {
        name: expander.expand(kind.slot, kind, top.at("blocks", "kinds", name))
        for name, kind in spec.blocks.kinds.items()
    }
    nodes = {name: node for name, node in kind_nodes.items() if node is not None}
    slot_aliases = _slot_aliases(spec.blocks, block, shared)
    kinds = tuple(
        _kind(name, spec.blocks.kinds[name], node, block, shared, slot_aliases, spec.replaces)
        for name, node in nodes.items()
    )
    layer_hooks = hook_rows(shared, block)
    model_hooks = hook_rows(components, around=catalogue.bridge_aliases)
    trees = [*components, *([block] if block else []), *shared, *nodes.values()]
    problems = [*loaded.problems, *expander.problems]
    problems += name_problems(loaded, catalogue)
    problems += derived_problems(spec, top)
    problems += layer_problems(spec, top)
    problems += structure_problems(components, block, shared, nodes, catalogue)
    problems += promise_problems(kinds, top)
    # Of what is no block, the aliases say nothing.
    if block and block.complete and catalogue.components[block.bridge].is_list_item:
        tables = (model_hooks, layer_hooks, *(kind.hooks for kind in kinds))
        problems += replacement_problems(spec, tables, block, trees, top)
    if block is None or problems:
        raise Failed(problems)
    setter, flags_set = helpers.setter_of(spec.config.flags)
    return Plan(
        spec=spec,
        header=header,
        tl_version=catalogue.tl_version,
        capabilities=frozenset(catalogue.capabilities),
        cfg_fields=frozenset(catalogue.config_fields)
        | {*spec.config.from_hf, *spec.config.derived}
        | ({spec.blocks.kind.listed_in} if spec.blocks.kind else set()),
        components=components,
        block=block,
        shared=shared,
        kinds=kinds,
        model_hooks=model_hooks,
        layer_hooks=layer_hooks,
        passthrough=tuple(
            name for name in spec.config.from_hf if name not in catalogue.passthrough
        ),
        slot_aliases=slot_aliases,
        flag_setter=setter,
        flags_set=frozenset(flags_set),
        component_attributes=helpers.attributes,
    )


def _slot_aliases(blocks: Blocks, block: Node | None, shared: tuple[Node, ...]) -> dict[str, str]:
    """Aliases of the block into a slot that the kinds do not all take."""
    slots: set[str] = {kind.slot for kind in blocks.kinds.values()}
    bound = {node.key for node in shared} | (slots if len(slots) == 1 else set())
    aliases = block.aliases.items() if block and blocks.kinds else ()
    return {
        alias: target.partition(".")[2]
        for alias, target in aliases
        if "." in target and target.partition(".")[0] not in bound
    }


def _kind(
    name: str,
    kind: Kind,
    node: Node,
    block: Node | None,
    shared: tuple[Node, ...],
    slot_aliases: dict[str, str],
    replaces: dict[str, str | None],
) -> KindPlan:
    repointed = {alias: f"{kind.slot}.{target}" for alias, target in slot_aliases.items()}
    rows = hook_rows((*shared, node), block, repointed)
    names = {row.name for row in rows}
    found = {alias: slot_aliases[alias] for alias, name in repointed.items() if name in names}
    offered = {name for row in rows for name in (row.name, *row.aliases)}
    return KindPlan(
        name=name,
        formerly=kind.formerly,
        slot=kind.slot,
        node=node,
        hooks=rows,
        slot_aliases=found,
        absent=absent_hooks((*shared, node)),
        gone=tuple((old, new) for old, new in replaces.items() if old not in offered),
        has_submodule=kind.has_submodule,
    )
