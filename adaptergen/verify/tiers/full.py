"""The full tier: whole configurations of real checkpoints, on the meta device, with no weights."""

from __future__ import annotations

import gc
from collections.abc import Sequence

import torch

from adaptergen.verify.checks.dimensions import check_dimensions
from adaptergen.verify.checks.flags import check_flags
from adaptergen.verify.checks.hooks import check_offered
from adaptergen.verify.checks.weights import check_weight_shapes, collect_weights
from adaptergen.verify.findings import Sheet
from adaptergen.verify.known import Known
from adaptergen.verify.models import config_of_file, random_model
from adaptergen.verify.target import Target
from adaptergen.verify.tiers.steps import guarded, look_at, run_checks, timed, wrap_model


def full(target: Target, known: Sequence[Known]) -> list[Sheet]:
    """A sheet for each configuration. Nothing is run: what a model has is looked at."""
    sheets = []
    for one in known:
        sheet = Sheet(one.name)
        with timed(sheet), torch.no_grad(), guarded(sheet, "full tier", target):
            _measure(target, one, sheet)
        sheets.append(sheet)
        # A bridge and its model refer to each other.
        gc.collect()
    return sheets


def _measure(target: Target, known: Known, sheet: Sheet) -> None:
    model = random_model(target, config_of_file(target, known.fields), device="meta")
    kinds = look_at(target, model, sheet)
    if kinds is None:
        return
    weights = collect_weights(target, model, kinds)
    subject = wrap_model(target, model, kinds, sheet)
    if subject is None:
        return
    cfg, config = subject.bridge.cfg, subject.hf_config
    run_checks(
        sheet,
        dimensions=lambda: check_dimensions(target, cfg, config, kinds, sheet),
        flags=lambda: check_flags(subject),
        weights=lambda: check_weight_shapes(subject, weights),
        offered_hooks=lambda: check_offered(subject),
    )
