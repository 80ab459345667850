"""The tiers with models of their own: of the tiny configs of a spec, and of real configs."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import Any

import torch
import transformers

from adaptergen.behaviours import reducible
from adaptergen.contract import ModelReport, Spot
from adaptergen.contract.checks import checks_of, checks_of_branch
from adaptergen.contract.checks_model import check_fields
from adaptergen.contract.models import Level, random_model, tiny_model, undisturbed
from adaptergen.contract.reference import Work, random_tokens
from adaptergen.contract.structure import CHECKS, Structure
from adaptergen.spec.arithmetic import Name
from adaptergen.verify.environment import Known
from adaptergen.verify.locate import located
from adaptergen.verify.steps import guarded, look_and_wrap, run_checks, timed
from adaptergen.verify.target import Target, layer_kinds

_VOCABULARY, _POS, _NEW_TOKENS = 512, 5, 3


def tiny(target: Target) -> list[ModelReport]:
    """A report for each branch of the spec's tiny model."""
    report = ModelReport("default")
    report.findings.extend(located(target, check_fields(target.tables)))
    report.count("fields", len(target.tables.config))
    if report.findings:
        # What a model without these fields is would only mislead.
        return [report]
    reports = []
    for branch in target.tables.configs(transformers.__version__):
        report = ModelReport(branch)
        with timed(report), undisturbed():
            _measure_tiny(target, report)
        reports.append(report)
    return reports


def _measure_tiny(target: Target, report: ModelReport) -> None:
    branch, first = report.model, report.model == "default"
    loc = ("tiny", "config") if first else ("tiny", "branches", branch)
    model: Any = None
    place = target.plan.at(*loc)
    with guarded(report, "tiny model", at=Spot(file=place.file, line=place.line)):
        model = tiny_model(target.tables, branch)
    if model is None:
        return
    work = Work.of_tiny(model.config.vocab_size, first)
    run = look_and_wrap(target, model, report, work, keep_spare=True)
    if run is not None:
        run.changes = None if first else target.tables.branches[branch]
        run_checks(target, report, checks_of_branch(target.tables, branch), run)
    if first and run is not None:
        run_checks(target, report, CHECKS, Structure(target.tables, target.adapter))


def full(target: Target, known: Sequence[Known]) -> list[ModelReport]:
    """The full tier: whole configurations of real checkpoints, on the meta device, with no weights.

    A report for each. Nothing is run: what a model has is looked at.
    """

    def measure(config: Any, report: ModelReport) -> None:
        model = random_model(target.architecture, config, device="meta")
        run = look_and_wrap(target, model, report)
        if run is not None:
            run_checks(target, report, checks_of(target.tables, Level.LOOK), run)

    return [_of_checkpoint(target, one, "full tier", measure) for one in known]


def width(target: Target, known: Sequence[Known]) -> list[ModelReport]:
    """The width tier: the widths of real checkpoints, one layer of each kind, in bfloat16.

    A report for each configuration; a model at a time is in memory, and only once.
    """

    def measure(config: Any, report: ModelReport) -> None:
        report.reduced.update(reduce_config(target, config))
        model = random_model(target.architecture, config, dtype="bfloat16")
        tokens = random_tokens(config.vocab_size, 1, _POS)
        work = Work(tokens, lengths=(_POS,), new_tokens=_NEW_TOKENS)
        run = look_and_wrap(target, model, report, work)
        if run is not None:
            run_checks(target, report, checks_of(target.tables, Level.RUN), run)

    return [_of_checkpoint(target, one, "width tier", measure) for one in known]


def _of_checkpoint(
    target: Target, known: Known, tier: str, measure: Callable[[Any, ModelReport], None]
) -> ModelReport:
    report = ModelReport(known.name)
    with timed(report), torch.no_grad(), guarded(report, tier, target):
        measure(target.config_of_file(known.fields), report)
    # A bridge and its model refer to each other.
    gc.collect()
    return report


def reduce_config(target: Target, config: Any) -> dict[str, str]:
    """Leave one layer of each kind, a small vocabulary, few experts; say what was reduced."""
    reduced = {"layers": _reduce_layers(target, config)}
    for field, number in {"vocab_size": _VOCABULARY, **_sizes(target, config)}.items():
        before = getattr(config, field)
        if before > number:
            setattr(config, field, number)
            reduced[field] = f"{number} of {before}"
    for field in ("pad_token_id", "bos_token_id", "eos_token_id"):
        token = getattr(config, field, None)
        if isinstance(token, int) and token >= config.vocab_size:
            setattr(config, field, None)
    return reduced


def _reduce_layers(target: Target, config: Any) -> str:
    kinds = layer_kinds(target, random_model(target.architecture, config, device="meta"))
    kind_source = target.plan.spec.blocks.kind
    first = {kind: kinds.index(kind) for kind in kinds}
    if kind_source:
        listing = getattr(config, kind_source.listed_in)
        setattr(config, kind_source.listed_in, [listing[layer] for layer in first.values()])
        left = len(first)
    else:
        left = max(first.values()) + 1
        config.num_hidden_layers = left
    return f"{left} of {len(kinds)}"


def _sizes(target: Target, config: Any) -> dict[str, int]:
    """Fields of the config that behaviours let be smaller, and what is left of each."""
    nodes = [node for top in target.plan.nodes for _, node in top.walk()]
    sizes = {}
    for rule in reducible():
        least = max(rule.least, rule.in_group * (getattr(config, rule.groups, None) or 1))
        for hook in (h for node in nodes if node.bridge == rule.component for h in node.hooks):
            term = hook.axes[-1].alternatives[0].term
            if hook.name == rule.hook and isinstance(term, Name):
                sizes[term.name] = least
    known = {name for name in sizes if isinstance(getattr(config, name, None), int)}
    return {name: sizes[name] for name in known}
