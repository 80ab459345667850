"""The tiny tier: the models of the spec with numbered weights, in float32.

All is measured on the first branch, and on the others what a branch may change. The checks are
those of the emitted unit and tiny tests, on the same tables.
"""

from __future__ import annotations

from typing import Any

import transformers

from adaptergen.contract import ModelReport, Spot
from adaptergen.contract.checks import checks_of_branch
from adaptergen.contract.checks_model import check_fields
from adaptergen.contract.models import tiny_model, undisturbed
from adaptergen.contract.reference import Work
from adaptergen.contract.structure import CHECKS, Structure
from adaptergen.verify.locate import located
from adaptergen.verify.target import Target
from adaptergen.verify.tiers.steps import guarded, look_and_wrap, run_checks, timed


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
            _measure(target, report)
        reports.append(report)
    return reports


def _measure(target: Target, report: ModelReport) -> None:
    branch, first = report.model, report.model == "default"
    loc = ("tiny", "config") if first else ("tiny", "branches", branch)
    model: Any = None
    with guarded(report, "tiny model", at=Spot(file=target.source.path, line=target.line(*loc))):
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
