"""Whether HF has the modules that the spec names, looked up before anything is wrapped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from adaptergen.contract import MODEL, Finding, ModelReport, Spot
from adaptergen.plan.node import Condition, Node
from adaptergen.problems import listing, suggestion
from adaptergen.verify.target import Target


def check_paths(target: Target, model: Any, report: ModelReport) -> None:
    """Every path outside the layers, and that of the layers."""
    for top in (*target.plan.components, replace(target.plan.block, submodules=())):
        for name, node, around, found in _look_up(top, model, model.config):
            report.count("paths")
            if found is None:
                report.findings.append(_missing(name, node, around, None, MODEL))


def check_layer_paths(
    target: Target, model: Any, kinds: Sequence[str], report: ModelReport
) -> None:
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
            report.findings.append(Finding("kinds", what, expected, measured, mend, spot))
        for top in tops:
            for name, node, around, found in _look_up(top, block, model.config):
                report.count("paths")
                if found is None:
                    report.findings.append(_missing(name, node, around, layer, kind))


def _look_up(
    node: Node, around: Any, config: Any, prefix: str = ""
) -> Iterator[tuple[str, Node, Any, Any | None]]:
    """Each component, with the module around it and HF's own, None if there is none."""
    if not _is_met(node.condition, config):
        return
    found = around
    for part in node.path.split("."):
        found = getattr(found, part, None)
    name = prefix + node.key
    yield name, node, around, found
    if found is not None:
        for child in node.submodules:
            yield from _look_up(child, found, config, f"{name}.")


def _is_met(condition: Condition | None, config: Any) -> bool:
    if condition is None:
        return True
    return (getattr(config, condition.field, None) is not None) == condition.is_set


def _missing(name: str, node: Node, around: Any, layer: int | None, kind: str) -> Finding:
    known = [path for path, _ in around.named_modules() if path]
    hint = suggestion(node.path, known) or "look the path up in transformers"
    what = f"HF has no module {node.path} for {name}"
    spot = Spot(layer, kind, name, node.file, node.line)
    return Finding("paths", what, node.path, "nothing", hint, spot)
