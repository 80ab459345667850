"""What tiers have in common: a model is looked at, wrapped, and checked.

A check that fails to run does not end the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from adaptergen.contract import MODEL, Finding, ModelReport, Spot
from adaptergen.contract.models import ModelUnderTest
from adaptergen.contract.reference import Work
from adaptergen.plan.node import Node
from adaptergen.problems import listing, suggestion
from adaptergen.verify.locate import located, missing_field
from adaptergen.verify.target import Disagreement, Target, layer_kinds

_NOWHERE = Spot()

Subject = TypeVar("Subject")


@contextmanager
def timed(report: ModelReport) -> Iterator[None]:
    """Note how long it took."""
    began = time.perf_counter()
    try:
        yield
    finally:
        report.seconds += time.perf_counter() - began


@contextmanager
def guarded(
    report: ModelReport, check: str, target: Target | None = None, at: Spot = _NOWHERE
) -> Iterator[None]:
    """What a check cannot get through is a finding: an adapter may raise anything.

    It stands at `at`, or where the spec of the target names a field that HF's config lacks.
    """
    try:
        yield
    except Disagreement as error:
        report.findings.append(error.finding)
    except Exception as error:  # an adapter, and what it wraps, may raise anything
        text = " ".join(str(error).split())[:300]
        mend = "look at what this message names"
        if report.findings:
            mend = "mend what the other findings name"
        mend += ", or run the generated tests for a traceback"
        what, measured = f"{check} raises {type(error).__name__}: {text}", type(error).__name__
        field = missing_field(target, error) if target else None
        if field:
            at, mend = field
        report.findings.append(Finding(check, what, "runs", measured, mend, at))


def look_and_wrap(
    target: Target,
    model: Any,
    report: ModelReport,
    work: Work | None = None,
    keep_spare: bool = False,
) -> ModelUnderTest | None:
    """The model with the bridge around it; None if it lacks something, or cannot be wrapped."""
    report.parameters = sum(parameter.numel() for parameter in model.parameters())
    report.dtype = str(model.dtype).removeprefix("torch.")
    _check_paths(target, model, report)
    kinds: list[str] = []
    if not report.findings:
        with guarded(report, "kinds", target):
            kinds = layer_kinds(target, model)
    if not report.findings:
        _check_layer_paths(target, model, kinds, report)
    run: ModelUnderTest | None = None
    if not report.findings:
        with guarded(report, "wrapping", target):
            tables, adapter = target.tables, target.adapter
            run = ModelUnderTest.of(tables, adapter, model, report, work, keep_spare)
    return run


def run_checks(
    target: Target,
    report: ModelReport,
    checks: Mapping[str, Callable[[Subject], Iterator[Finding]]],
    subject: Subject,
) -> None:
    """Run each check, whatever came of those before."""
    for name, check in checks.items():
        with guarded(report, name):
            report.findings.extend(located(target, check(subject)))


def _check_paths(target: Target, model: Any, report: ModelReport) -> None:
    """Every path outside the layers, and that of the layers."""
    for top in (*target.plan.components, replace(target.plan.block, submodules=())):
        for name, node, around, found in _found_modules(top, model, model.config):
            report.count("paths")
            if found is None:
                report.findings.append(_missing(name, node, around, None, MODEL))


def _check_layer_paths(
    target: Target, model: Any, kinds: Sequence[str], report: ModelReport
) -> None:
    """Every path within each layer, and every layer's kind."""
    plan = target.plan
    blocks = model.get_submodule(plan.block.path)
    for layer, (block, kind) in enumerate(zip(blocks, kinds, strict=True)):
        if not target.tables.knows(kind):
            kind_source = plan.spec.blocks.kind
            measured = "none of them"
            if kind_source:
                measured = str(getattr(block, kind_source.attribute))
            place = plan.at("blocks", "kinds")
            spot = Spot(layer, measured, None, place.file, place.line)
            what, mend = "the layer's kind is not in the spec", "add it to kinds, or to formerly"
            expected = listing([one.name for one in plan.kinds], "or")
            report.findings.append(Finding("kinds", what, expected, measured, mend, spot))
        for top in plan.bound_in(kind):
            for name, node, around, found in _found_modules(top, block, model.config):
                report.count("paths")
                if found is None:
                    report.findings.append(_missing(name, node, around, layer, kind))


def _found_modules(
    node: Node, around: Any, config: Any, prefix: str = ""
) -> Iterator[tuple[str, Node, Any, Any | None]]:
    """Each component, with the module around it and HF's own, None if there is none."""
    condition = node.condition
    if condition and not condition.is_met(config):
        return
    found = around
    for part in node.path.split("."):
        found = getattr(found, part, None)
    name = prefix + node.key
    yield name, node, around, found
    if found is None:
        return
    for layer in found.children() if node.is_list else (found,):
        for child in node.submodules:
            yield from _found_modules(child, layer, config, f"{name}.")


def _missing(name: str, node: Node, around: Any, layer: int | None, kind: str) -> Finding:
    known = [path for path, _ in around.named_modules() if path]
    hint = suggestion(node.path, known) or "look the path up in transformers"
    what = f"HF has no module {node.path} for {name}"
    spot = Spot(layer, kind, name, node.where.file, node.where.line)
    return Finding("paths", what, node.path, "nothing", hint, spot)
