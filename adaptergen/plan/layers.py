"""Kinds of layer: told apart, each with its slot, and each in the tiny model."""

from __future__ import annotations

from collections.abc import Iterator

from adaptergen.plan.where import Where
from adaptergen.problems import Problem, listing, quote, suggestion
from adaptergen.source import ANY
from adaptergen.spec.architecture import Blocks, Spec


def layer_problems(spec: Spec, top: Where) -> list[Problem]:
    """Everything about the kinds that only shows where all are seen at once."""
    here, problems = top.at("blocks"), list[Problem]()
    if "blocks" in spec.components:
        message = "blocks are not among the components"
        place = top.at("components", "blocks")
        problems.append(place.problem("blocks-twice", message, "delete it"))
    problems += _told_apart(spec.blocks, here)
    problems += _names(spec.blocks, here)
    problems += _slots(spec.blocks, here)
    problems += _in_tiny(spec, top)
    return problems


def _told_apart(blocks: Blocks, here: Where) -> Iterator[Problem]:
    told = [name for name, kind in blocks.kinds.items() if kind.holds]
    lacking = not blocks.kinds and here.known("kinds", ANY)
    if blocks.kind and (told or lacking):
        message = "kind names an attribute, so kinds must be there and must not have holds"
        yield here.at("kind").problem("ambiguous-kinds", message, "delete kind, or holds")
    untold = [name for name in blocks.kinds if name not in told]
    lacking = all(here.known("kinds", name, "holds") for name in untold) and here.known("kind")
    if not blocks.kind and untold and lacking:
        message = "the kinds of layer cannot be told apart"
        yield here.problem("ambiguous-kinds", message, "add kind, or holds to every kind")


def _names(blocks: Blocks, here: Where) -> Iterator[Problem]:
    seen = set(blocks.kinds)
    for name, kind in blocks.kinds.items():
        place = here.at("kinds", name, "formerly")
        for index, former in enumerate(kind.formerly):
            if not place.known(index):
                continue
            if former in seen:
                message = f"two kinds of layer are called {quote(former)}"
                hint = "delete one of the two names"
                yield place.at(index).problem("kind-twice", message, hint)
            seen.add(former)


def _slots(blocks: Blocks, here: Where) -> Iterator[Problem]:
    paths: dict[str, str] = {}
    for name, kind in blocks.kinds.items():
        place = here.at("kinds", name)
        if not place.known("slot"):
            continue
        if kind.slot in blocks.submodules:
            message = f"the slot {quote(kind.slot)} is a submodule of every layer already"
            yield place.at("slot").problem("slot-taken", message, "choose another")
        if blocks.kind or not kind.holds or not here.known("kind") or not place.known("path"):
            continue
        slot = paths.setdefault(str(kind.path), kind.slot)
        if slot != kind.slot:
            message = f"kinds at one path are in the slots {listing([slot, kind.slot])}"
            hint = "say by kind: where the kinds are listed, to translate names of weights"
            yield place.at("slot").problem("ambiguous-slot", message, hint)


def _in_tiny(spec: Spec, top: Where) -> Iterator[Problem]:
    here, kinds = top.at("tiny", "kinds"), spec.blocks.kinds
    unknown = [(i, kind) for i, kind in enumerate(spec.tiny.kinds) if kind not in kinds]
    for index, kind in unknown:
        if here.known(index) and top.known("blocks", "kinds", kind):
            message = f"{quote(kind)} is not a kind of layer"
            yield here.at(index).problem("unknown-kind", message, suggestion(kind, kinds))
    missing = [kind for kind in kinds if kind not in spec.tiny.kinds]
    # What is not a kind may stand for one that is missing.
    if missing and not unknown and here.whole():
        message = f"the tiny model has no layer of kind {listing(missing)}"
        hint = "add one" if len(missing) == 1 else "add one of each"
        yield here.problem("kind-untested", message, hint)
