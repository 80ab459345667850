"""Whether HF has the modules that the spec names, looked up before anything is wrapped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from adaptergen.plan.node import Node
from adaptergen.problems import listing, suggestion
from adaptergen.verify.findings import MODEL, Finding, Sheet, Spot
from adaptergen.verify.promises import is_met
from adaptergen.verify.target import Target


def check_paths(target: Target, model: Any, sheet: Sheet) -> None:
    """Every path outside the layers, and that of the layers."""
    for top in (*target.plan.components, replace(target.plan.block, submodules=())):
        for name, node, around, found in _look_up(top, model, model.config):
            sheet.count("paths")
            if found is None:
                sheet.findings.append(_missing(name, node, around, None, MODEL))


def check_layer_paths(target: Target, model: Any, kinds: Sequence[str], sheet: Sheet) -> None:
    """Every path within each layer, and every layer's kind."""
    plan = target.plan
    nodes = {kind.name: kind.node for kind in plan.kinds}
    blocks = model.get_submodule(plan.block.path)
    for layer, (block, kind) in enumerate(zip(blocks, kinds, strict=True)):
        tops = [*plan.shared]
        if kind in nodes:
            tops.append(nodes[kind])
        elif nodes:
            told = plan.spec.blocks.kind
            measured = str(getattr(block, told.attribute)) if told else "none of them"
            spot = Spot(layer, measured, None, target.source.path, target.line("blocks", "kinds"))
            what, mend = "the layer's kind is not in the spec", "add it to kinds, or to formerly"
            expected = listing(nodes, "or")
            sheet.findings.append(Finding("kinds", what, expected, measured, mend, spot))
        for top in tops:
            for name, node, around, found in _look_up(top, block, model.config):
                sheet.count("paths")
                if found is None:
                    sheet.findings.append(_missing(name, node, around, layer, kind))


def modules(top: Node, around: Any, config: Any) -> Iterator[tuple[str, Node, Any]]:
    """Each component below `top` that this config has, by its dotted name, with HF's module."""
    walked = _look_up(top, around, config)
    return ((name, node, found) for name, node, _, found in walked if found is not None)


def _look_up(
    node: Node, around: Any, config: Any, prefix: str = ""
) -> Iterator[tuple[str, Node, Any, Any | None]]:
    """Each component, with the module around it and HF's own, None if there is none."""
    if not is_met(node.condition, config):
        return
    found = around
    for part in node.path.split("."):
        found = getattr(found, part, None)
    name = prefix + node.key
    yield name, node, around, found
    if found is not None:
        for child in node.submodules:
            yield from _look_up(child, found, config, f"{name}.")


def _missing(name: str, node: Node, around: Any, layer: int | None, kind: str) -> Finding:
    known = [path for path, _ in around.named_modules() if path]
    hint = suggestion(node.path, known) or "look the path up in transformers"
    what, spot = f"HF has no module {node.path} for {name}", Spot.of(node, layer, kind, name)
    return Finding("paths", what, node.path, "nothing", hint, spot)
