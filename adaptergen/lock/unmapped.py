"""Modules of HF to which a spec binds nothing: their hooks would be missing without a word."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from adaptergen.lock.declared import nodes_of
from adaptergen.lock.entry import OUTSIDE, Module
from adaptergen.lock.found import Found, around, at, everything, within
from adaptergen.lock.store import Lock
from adaptergen.plan.model import Plan
from adaptergen.plan.node import Node
from adaptergen.problems import quote
from adaptergen.source.source import Source


def unmapped(plan: Plan, source: Callable[[], Source], lock: Lock, found: Found) -> None:
    """Modules with weights that HF runs and nothing is bound to: they would have no hooks."""
    for name in lock.releases:
        for kind in lock.entries[name].modules:
            nodes = nodes_of(plan, kind)
            known = everything(lock.entries[name], kind)
            # The layers are bound, each by itself.
            bound = [*nodes, plan.block.path] if kind == OUTSIDE else [*nodes]
            for path in dict.fromkeys(_topmost(path, bound) for path in _bare(known, nodes)):
                inside = next((outer for outer in around(path) if outer in nodes), "")
                relative = path.removeprefix(f"{inside}.")
                cls = known[path].cls.rpartition(".")[2] if path in known else ""
                message = f"nothing is bound to {quote(path)} of HF{f' ({cls})' if cls else ''}: "
                message += "it would have no hooks"
                hint = f"add a component with `path: {relative}` and a shape"
                if inside:
                    make = within(nodes[inside].where, "lock-unmapped", message, hint, key=True)
                else:
                    loc = ("components",) if kind == OUTSIDE else ("blocks",)
                    make = at(source, loc, "lock-unmapped", message, hint, key=True)
                found.add(("unmapped", path), name.partition("/")[0], make)


def _bare(known: Mapping[str, Module], nodes: Mapping[str, Node]) -> Iterator[str]:
    """Paths of modules whose weights HF uses and nothing is bound to or around as a whole."""
    for path, module in known.items():
        used = module.parameters and (module.called or module.used_by)
        if used and path not in nodes and not _inside_whole(path, nodes):
            yield path


def _inside_whole(path: str, nodes: Mapping[str, Node]) -> bool:
    """Whether what is around it is bound as a whole, without submodules."""
    outer = next((outer for outer in around(path) if outer in nodes), None)
    return outer is not None and not nodes[outer].submodules


def _topmost(path: str, bound: Iterable[str]) -> str:
    """The outermost of what is around a path, or the path itself, in which nothing is bound."""
    outside = {outer for name in bound for outer in (name, *around(name))}
    return next((outer for outer in reversed(around(path)) if outer not in outside), path)
