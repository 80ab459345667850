"""The width tier: the widths of real checkpoints, one layer of each kind, in bfloat16."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

import torch

from adaptergen.verify.checks.decode import check_decode
from adaptergen.verify.checks.dimensions import check_dimensions
from adaptergen.verify.checks.edits import check_edits
from adaptergen.verify.checks.flags import check_flags
from adaptergen.verify.checks.generation import check_generation
from adaptergen.verify.checks.hooks import check_fired, check_offered
from adaptergen.verify.checks.parity import check_parity
from adaptergen.verify.checks.residuals import check_residuals
from adaptergen.verify.checks.weights import Weight, check_weight_shapes, collect_weights
from adaptergen.verify.findings import Sheet
from adaptergen.verify.known import Known
from adaptergen.verify.models import config_of_file, random_model
from adaptergen.verify.reference import Reference, Work, random_tokens, take_reference
from adaptergen.verify.subject import Subject
from adaptergen.verify.target import Target
from adaptergen.verify.tiers.reduce import reduce_config
from adaptergen.verify.tiers.steps import guarded, look_at, run_checks, timed, wrap_model

POS, NEW_TOKENS = 5, 3


def width(target: Target, known: Sequence[Known]) -> list[Sheet]:
    """A sheet for each configuration; a model at a time is in memory, and only once."""
    sheets = []
    for one in known:
        sheet = Sheet(one.name)
        with timed(sheet), torch.no_grad(), guarded(sheet, "width tier", target):
            _measure(target, one, sheet)
        sheets.append(sheet)
        # A bridge and its model refer to each other.
        gc.collect()
    return sheets


def _measure(target: Target, known: Known, sheet: Sheet) -> None:
    config = config_of_file(target, known.fields)
    sheet.reduced.update(reduce_config(target, config))
    model = random_model(target, config, dtype="bfloat16")
    kinds = look_at(target, model, sheet)
    if kinds is None:
        return
    weights = collect_weights(target, model, kinds)
    work = Work(random_tokens(config.vocab_size, 1, POS), lengths=(POS,), new_tokens=NEW_TOKENS)
    reference = take_reference(target, model, work)
    subject = wrap_model(target, model, kinds, sheet)
    if subject is not None:
        _check(subject, reference, weights)


def _check(subject: Subject, reference: Reference, weights: Sequence[Weight]) -> None:
    def recorded() -> None:
        cache: Any = check_parity(subject, reference)
        check_fired(subject, cache, *reference.work.tokens.shape)
        check_residuals(subject, cache)

    cfg, config = subject.bridge.cfg, subject.hf_config
    run_checks(
        subject.sheet,
        dimensions=lambda: check_dimensions(
            subject.target, cfg, config, list(subject.kinds), subject.sheet
        ),
        flags=lambda: check_flags(subject),
        weights=lambda: check_weight_shapes(subject, weights),
        offered_hooks=lambda: check_offered(subject),
        parity=recorded,
        decode=lambda: check_decode(subject, reference),
        generation=lambda: check_generation(subject, reference),
        edits=lambda: check_edits(subject, reference, lambda promise: True),
    )
