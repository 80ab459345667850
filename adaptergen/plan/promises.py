"""What hooks promise, compared over all kinds of layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from adaptergen.plan.model import HookRow, KindPlan
from adaptergen.plan.node import Node
from adaptergen.plan.where import Where
from adaptergen.problems import Problem, listing, quote, suggestion
from adaptergen.source import ANY
from adaptergen.spec.architecture import SLOTS, Spec


def promise_problems(kinds: Iterable[KindPlan], top: Where) -> Iterator[Problem]:
    """Hooks of one name that promise different things."""
    first: dict[str, tuple[str, HookRow]] = {}
    for kind in kinds:
        # Of what is broken, nothing is known that could differ.
        for row in kind.hooks if kind.node.whole else ():
            other, known = first.setdefault(row.name, (kind.name, row))
            if (known.contract, known.condition) != (row.contract, row.condition):
                differ = listing([other, kind.name])
                message = f"{quote(row.name)} does not promise the same on {differ}"
                hint = "give one of the two another slot, or both the same contract"
                place = top.at("blocks", "kinds", kind.name)
                yield place.problem("conflicting-contracts", message, hint, key=True)
                break


def replacement_problems(
    spec: Spec,
    tables: Iterable[Iterable[HookRow]],
    block: Node,
    nodes: Iterable[Node],
    top: Where,
) -> Iterator[Problem]:
    """Replacements that are no hook in any table; `nodes` are the tops of all components."""
    blocks, slots = spec.blocks, [kind.slot for kind in spec.blocks.kinds.values()]
    told = Counter([*spec.components, *blocks.submodules, *slots])
    # What may have hooks that are not known: none of those is missed.
    doubtful = set(told - Counter(node.key for node in nodes if node.complete))
    places = [top.at("blocks", "kinds", name, "slot") for name in blocks.kinds]
    if not all(place.known() for place in places):
        doubtful |= SLOTS
    lists = ("components",), ("blocks", "submodules"), ("blocks", "kinds")
    all_told = all(top.known(*loc, ANY) for loc in lists)
    reached = {
        alias
        for alias, target in block.aliases.items()
        if not all_told or target.partition(".")[0] in doubtful
    }
    offered = {name for table in tables for row in table for name in (row.name, *row.aliases)}
    for old, new in spec.replaces.items():
        place = top.at("replaces", old)
        if new is None or new in offered or new in reached or not place.known():
            continue
        first, dot, _ = new.partition(".")
        if not dot or (all_told and first not in doubtful):
            message = f"neither a layer nor the model has a hook {quote(new)}"
            yield place.problem("unknown-hook", message, suggestion(new, offered))
