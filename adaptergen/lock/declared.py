"""What a spec declares, in the terms in which a lock observes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from packaging.specifiers import SpecifierSet

from adaptergen.lock.entry import OUTSIDE, Entry, Hook
from adaptergen.plan.model import HookRow, Plan, hook_rows
from adaptergen.plan.node import Node
from adaptergen.spec.arithmetic import parse_dimension
from adaptergen.spec.shape import Contract


def nodes_of(plan: Plan, kind: str) -> dict[str, Node]:
    """Components by the HF path they are bound to, outside the layers or in those of a kind."""
    return {path: node for path, _, node in _walk(_tops(plan, kind))}


def component_names(plan: Plan, kind: str) -> dict[str, str]:
    """The same by their dotted names in the adapter."""
    return {path: name for path, name, _ in _walk(_tops(plan, kind))}


def _tops(plan: Plan, kind: str) -> Iterable[Node]:
    if kind == OUTSIDE:
        return plan.components
    return plan.bound_in(kind)


def _walk(
    nodes: Iterable[Node], around: str = "", name: str = ""
) -> Iterator[tuple[str, str, Node]]:
    for node in nodes:
        layer = ".*" if node.is_list else ""
        path, key = around + node.path + layer, name + node.key + layer
        yield path, key, node
        yield from _walk(node.submodules, f"{path}.", f"{key}.")


def outer_paths(path: str) -> list[str]:
    """The paths around a path, the nearest first."""
    parts = path.split(".")
    return [".".join(parts[:number]) for number in range(len(parts) - 1, 0, -1)]


def hook_rows_of(plan: Plan, kind: str) -> dict[str, HookRow]:
    """Hooks by name, outside the layers or of a kind."""
    if kind == OUTSIDE:
        return {row.name: row for row in plan.model_hooks}
    return {row.name: row for row in hook_rows(plan.bound_in(kind), plan.block)}


def declared_state(contract: Contract | None, transformers: str) -> str:
    """live, read_only, silent or silent_in_decode, as a hook's contract says for a release."""
    if contract is None:
        return "live"
    releases = contract.transformers
    if releases and not SpecifierSet(releases).contains(transformers, prereleases=True):
        return "live"
    return {"on_request": "silent", "no_gradient": "live"}.get(contract.state, contract.state)


def observed_state(hook: Hook) -> str:
    """The same as it was observed."""
    return hook.state if hook.state != "live" or hook.in_decode else "silent_in_decode"


def fires(hooks: Mapping[str, Hook], component: str) -> bool:
    """Whether a hook of a component was seen to fire, by the component's dotted name, if any."""
    return component != "" and any(
        hook.state != "silent" and name.rpartition(".")[0] == component
        for name, hook in hooks.items()
    )


def sizes_of(entry: Entry) -> dict[str, int]:
    """Sizes of the tiny model by the names that axes have."""
    values = {name: found.value for name, found in entry.config.items()} | entry.cfg
    return {name: int(value) for name, value in values.items() if value.isdecimal()}


def sized(shape: str, sizes: Mapping[str, int]) -> list[str]:
    """The axes as numbers, where the sizes of their names are known."""
    axes = []
    for text in shape.strip("[]").split(", "):
        alternatives = parse_dimension(text).alternatives if text else ()
        known = (one for one in alternatives if set(one.names) <= sizes.keys())
        axes.append(next((str(one.value(sizes)) for one in known), text))
    return axes
