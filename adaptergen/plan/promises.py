"""What hooks promise, compared over all kinds of layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from adaptergen.plan.model import HookRow, KindPlan
from adaptergen.plan.node import Node
from adaptergen.plan.where import Where
from adaptergen.problems import Problem, listing, quote, suggestion
from adaptergen.source import ANY
from adaptergen.spec.architecture import Spec


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
                yield place.problem("promises-differ", message, hint, key=True)
                break


def replacement_problems(
    spec: Spec,
    tables: Iterable[Iterable[HookRow]],
    block: Node | None,
    nodes: Iterable[Node],
    top: Where,
) -> Iterator[Problem]:
    """Replacements that are no hook in any table; `nodes` are the tops of all components."""
    blocks = spec.blocks
    lists = ("components",), ("blocks", "submodules"), ("blocks", "kinds")
    if not (block and block.complete and all(top.known(*loc, ANY) for loc in lists)):
        return
    places = [top.at("blocks", "kinds", name, "slot") for name in blocks.kinds]
    if not all(place.known() for place in places):
        return
    # What may have hooks that are not known: none of those is missed.
    told = Counter([*spec.components, *blocks.submodules, *(k.slot for k in blocks.kinds.values())])
    doubtful = told - Counter(node.key for node in nodes if node.complete)
    reached = {alias for alias, to in block.aliases.items() if to.partition(".")[0] in doubtful}
    offered = {name for table in tables for row in table for name in (row.name, *row.aliases)}
    for old, new in spec.replaces.items():
        place = top.at("replaces", old)
        if new is None or new in offered or new in reached or not place.known():
            continue
        if new.partition(".")[0] not in doubtful:
            message = f"neither a layer nor the model has a hook {quote(new)}"
            yield place.problem("unknown-hook", message, suggestion(new, offered))
