"""The width tier: the widths of real checkpoints, one layer of each kind, in bfloat16."""

from __future__ import annotations

import gc
from collections.abc import Sequence

import torch

from adaptergen.contract import ModelReport
from adaptergen.contract.checks import checks_of
from adaptergen.contract.models import Level
from adaptergen.contract.reference import Work, random_tokens
from adaptergen.verify.known import Known
from adaptergen.verify.models import config_of_file, random_model
from adaptergen.verify.target import Target
from adaptergen.verify.tiers.reduce import reduce_config
from adaptergen.verify.tiers.steps import guarded, look_and_wrap, run_checks, timed

POS, NEW_TOKENS = 5, 3


def width(target: Target, known: Sequence[Known]) -> list[ModelReport]:
    """A report for each configuration; a model at a time is in memory, and only once."""
    reports = []
    for one in known:
        report = ModelReport(one.name)
        with timed(report), torch.no_grad(), guarded(report, "width tier", target):
            _measure(target, one, report)
        reports.append(report)
        # A bridge and its model refer to each other.
        gc.collect()
    return reports


def _measure(target: Target, known: Known, report: ModelReport) -> None:
    config = config_of_file(target, known.fields)
    report.reduced.update(reduce_config(target, config))
    model = random_model(target, config, dtype="bfloat16")
    work = Work(random_tokens(config.vocab_size, 1, POS), lengths=(POS,), new_tokens=NEW_TOKENS)
    run = look_and_wrap(target, model, report, work)
    if run is not None:
        run_checks(target, report, checks_of(target.tables, Level.RUN), run)
