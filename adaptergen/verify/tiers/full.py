"""The full tier: whole configurations of real checkpoints, on the meta device, with no weights."""

from __future__ import annotations

import gc
from collections.abc import Sequence

import torch

from adaptergen.contract import ModelReport
from adaptergen.contract.checks import checks_of
from adaptergen.contract.models import Level
from adaptergen.verify.known import Known
from adaptergen.verify.models import config_of_file, random_model
from adaptergen.verify.target import Target
from adaptergen.verify.tiers.steps import guarded, look_and_wrap, run_checks, timed


def full(target: Target, known: Sequence[Known]) -> list[ModelReport]:
    """A report for each configuration. Nothing is run: what a model has is looked at."""
    reports = []
    for one in known:
        report = ModelReport(one.name)
        with timed(report), torch.no_grad(), guarded(report, "full tier", target):
            model = random_model(target, config_of_file(target, one.fields), device="meta")
            run = look_and_wrap(target, model, report)
            if run is not None:
                run_checks(target, report, checks_of(target.tables, Level.LOOK), run)
        reports.append(report)
        # A bridge and its model refer to each other.
        gc.collect()
    return reports
