"""From a checked spec to a plan, or to every problem that only the whole shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from adaptergen.catalogue.model import Catalogue
from adaptergen.plan.checks import (
    Doubt,
    block_alias_problems,
    derived_problems,
    layer_problems,
    promise_problems,
    replacement_problems,
    structure_problems,
)
from adaptergen.plan.expand import Expander
from adaptergen.plan.helpers import HelperChoice
from adaptergen.plan.model import HookRow, KindPlan, Plan, called, hook_rows
from adaptergen.plan.names import name_problems
from adaptergen.plan.node import Location, Node
from adaptergen.problems import Failed
from adaptergen.spec.architecture import Kind
from adaptergen.spec.load import LoadedSpec


def make_plan(loaded: LoadedSpec, catalogue: Catalogue, header: str) -> Plan:
    """Decide everything; `header` is the line that says where generated files come from.

    `Failed` with all problems: those that were found before, and those of the parts that are whole.
    """
    spec, top = loaded.spec, Location(loaded.source)
    helpers = HelperChoice(catalogue)
    expander = Expander(loaded.shapes, loaded.shape_names, catalogue, helpers)
    components = tuple(
        replace(node, is_list=catalogue.components[node.bridge].is_list_item)
        for node in expander.submodules(spec.components, top.at("components"))
    )
    block = expander.expand("blocks", spec.blocks, top.at("blocks"))
    shared = expander.submodules(spec.blocks.submodules, top.at("blocks", "submodules"))
    kind_nodes = {
        name: expander.expand(kind.slot, kind, top.at("blocks", "kinds", name))
        for name, kind in spec.blocks.kinds.items()
    }
    nodes = {name: node for name, node in kind_nodes.items() if node is not None}
    kinds = tuple(
        _kind(name, spec.blocks.kinds[name], node, block, shared) for name, node in nodes.items()
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
        layers = (layer_hooks, *(kind.hooks for kind in kinds))
        doubt = Doubt.of(spec, trees, top)
        problems += block_alias_problems(block, layers, doubt)
        problems += replacement_problems(spec, (model_hooks, *layers), block, doubt, top)
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
        layers=tuple(
            called(
                [
                    kind
                    for kind in spec.blocks.kinds
                    if kind in ((of,) if isinstance(of, str) else of)
                ]
            )
            for of in spec.tiny.kinds
        ),
        passthrough=tuple(
            name for name in spec.config.from_hf if name not in catalogue.passthrough
        ),
        block_aliases=_block_aliases(
            block,
            [layer_hooks, *(kind.hooks for kind in kinds)],
            catalogue.components[block.bridge].hook_aliases,
        ),
        flag_setter=setter,
        flags_set=frozenset(flags_set),
        component_attributes=helpers.attributes,
    )


def _block_aliases(
    block: Node, tables: Iterable[Iterable[HookRow]], known: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Aliases that the block's class, which has the `known` ones, does not have so."""
    names = {row.name for table in tables for row in table}
    # A name that leads nowhere is left out by itself.
    off = {name: () for name, _ in block.absent if not names.isdisjoint(known.get(name, ()))}
    return {**{name: block.aliases[name] for name in block.added_aliases}, **off}


def _kind(
    name: str,
    kind: Kind,
    node: Node,
    block: Node | None,
    shared: tuple[Node, ...],
) -> KindPlan:
    shared_names = {row.name for row in hook_rows(shared, block)}
    return KindPlan(
        name=name,
        formerly=kind.formerly,
        slot=kind.slot,
        node=node,
        hooks=tuple(
            row for row in hook_rows((*shared, node), block) if row.name not in shared_names
        ),
        has_submodule=kind.has_submodule,
    )
