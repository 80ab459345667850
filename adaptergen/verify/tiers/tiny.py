"""The tiny tier: the models of the spec with random weights, in float32.

All is measured on the first branch, and on the others what a branch may change.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
import transformers
from accelerate import cpu_offload
from transformer_lens.model_bridge.sources import _bridge_builder

from adaptergen.verify.checks.analyses import check_norms, check_patterns, check_slices
from adaptergen.verify.checks.components import check_components
from adaptergen.verify.checks.decode import check_decode
from adaptergen.verify.checks.dimensions import (
    check_copies,
    check_dimensions,
    check_early_dimensions,
)
from adaptergen.verify.checks.edits import check_edits
from adaptergen.verify.checks.flags import check_flags
from adaptergen.verify.checks.generation import check_generation
from adaptergen.verify.checks.hooks import check_fired, check_offered
from adaptergen.verify.checks.on_request import check_on_request
from adaptergen.verify.checks.parity import check_parity
from adaptergen.verify.checks.processing import check_processing
from adaptergen.verify.checks.residuals import check_residuals
from adaptergen.verify.checks.state_space import (
    check_offloaded_state_space,
    check_state_space,
)
from adaptergen.verify.checks.tiny_fields import check_tiny_fields
from adaptergen.verify.checks.weights import (
    check_round_trip,
    check_weight_shapes,
    collect_weights,
)
from adaptergen.verify.findings import Finding, Sheet, Spot
from adaptergen.verify.models import hf_config, random_model, wrap
from adaptergen.verify.promises import Promise, holds
from adaptergen.verify.reference import Reference, Work, random_tokens, take_reference
from adaptergen.verify.subject import Subject, allowed, difference
from adaptergen.verify.target import Target
from adaptergen.verify.tiers.steps import (
    guarded,
    look_at,
    one_thread,
    run_checks,
    timed,
    wrap_model,
)

BATCH, POS, NEW_TOKENS = 2, 9, 16
#: Shorter than the window of a causal convolution, as long, and longer.
LENGTHS = (1, 2, 3, 4, POS)


def tiny(target: Target) -> list[Sheet]:
    """A sheet for each branch of the spec's tiny model."""
    spec = target.plan.spec
    branches = {
        name: changes
        for name, changes in {"default": {}, **spec.tiny.branches}.items()
        if holds(spec.tiny.releases.get(name), transformers.__version__)
    }
    sheet = Sheet("default")
    check_tiny_fields(target, sheet)
    if sheet.findings:
        # What a model without these fields is would only mislead.
        return [sheet]
    sheets = []
    for number, (name, changes) in enumerate(branches.items()):
        sheet = Sheet(name)
        with timed(sheet), torch.no_grad(), one_thread():
            _measure(target, sheet, changes, number == 0)
        sheets.append(sheet)
    return sheets


def _check_kinds(target: Target, sheet: Sheet, kinds: list[str]) -> None:
    """The tests rest on the kinds that the spec names, layer by layer."""
    stated = target.plan.spec.tiny.kinds
    if stated and list(stated) != kinds:
        what = f"the tiny model has layers {', '.join(kinds)}"
        mend = "mend `kinds` here, or the fields that the model is made with"
        at = Spot(file=target.source.path, line=target.line("tiny", "kinds"))
        sheet.findings.append(Finding("kinds", what, ", ".join(stated), ", ".join(kinds), mend, at))


def _measure(target: Target, sheet: Sheet, changes: Mapping[str, Any], first: bool) -> None:
    loc = ("tiny", "branches", sheet.model) if changes else ("tiny", "config")
    at = Spot(file=target.source.path, line=target.line(*loc))
    model: Any = None
    with guarded(sheet, "tiny model", at=at):
        config = hf_config(target, {**target.plan.spec.tiny.config, **changes})
        model = random_model(target, config)
    if model is None:
        return
    kinds = look_at(target, model, sheet)
    if kinds is None:
        return
    _check_kinds(target, sheet, kinds)
    if sheet.findings:
        return
    weights = collect_weights(target, model, kinds)
    work = _work(config.vocab_size, first)
    state_lengths = LENGTHS if first and target.plan.state_space_kinds else ()
    reference = take_reference(target, model, work, state_lengths)
    offloaded = copy.deepcopy(model) if first else None
    processed = copy.deepcopy(model) if first else None
    subject = wrap_model(target, model, kinds, sheet)
    if subject is None:
        return
    _check(subject, reference, weights, changes if not first else None)
    if first:
        run_checks(
            sheet,
            hooks_on_request=lambda: check_on_request(subject, reference),
            state_space=lambda: check_state_space(subject, reference),
            round_trip=lambda: check_round_trip(subject),
            components_alone=lambda: check_components(subject, processed),
            processed_weights=lambda: check_processing(target, processed, work.tokens, sheet),
            offloaded_weights=lambda: _check_offloaded(subject, offloaded, reference),
        )


def _work(vocabulary: int, first: bool) -> Work:
    """Prompts of every length up to `POS`: without a cache, and in one padded batch with it.

    Alone and with a cache, where each costs a generation of its own, some of them.
    """
    return Work(
        random_tokens(vocabulary, BATCH, POS),
        lengths=(1, POS) if first else (POS,),
        new_tokens=NEW_TOKENS if first else NEW_TOKENS // 2,
        chained=True,
        uncached=first,
        padded=range(1, POS + 1) if first else (),
    )


def _check(
    subject: Subject, reference: Reference, weights: Any, changes: Mapping[str, Any] | None
) -> None:
    # A field that has no part in any hook may have one in all that is computed.
    concerned = {p.name for p in subject.promised if changes is None or _concerns(changes, p)}
    concerned = concerned or {promise.name for promise in subject.promised}

    def recorded() -> None:
        cache = check_parity(subject, reference)
        check_fired(subject, cache, *reference.work.tokens.shape)
        check_residuals(subject, cache)
        check_norms(subject, cache)
        check_patterns(subject, cache)
        check_slices(subject, reference.work.tokens, cache)

    config, kinds, target = subject.hf_config, list(subject.kinds), subject.target
    run_checks(
        subject.sheet,
        dimensions=lambda: check_dimensions(
            target, subject.bridge.cfg, config, kinds, subject.sheet
        ),
        copied_dimensions=lambda: check_copies(subject),
        early_dimensions=lambda: _check_early(target, config, kinds, subject.sheet),
        weights=lambda: check_weight_shapes(subject, weights),
        flags=lambda: check_flags(subject),
        offered_hooks=lambda: check_offered(subject),
        parity=recorded,
        decode=lambda: check_decode(subject, reference),
        generation=lambda: check_generation(subject, reference),
        edits=lambda: check_edits(subject, reference, lambda p: p.name in concerned),
    )


def _concerns(changes: Mapping[str, Any], promise: Promise) -> bool:
    """Whether a field that changes has a part in a hook's shape, or in whether it is there."""
    fields = {name for axis in promise.row.axes for name in axis.names}
    condition = promise.row.condition
    return bool(changes.keys() & (fields | ({condition.field} if condition else set())))


def _check_early(target: Target, config: Any, kinds: list[str], sheet: Sheet) -> None:
    cfg = _bridge_builder.build_bridge_config_from_hf(
        config, target.plan.spec.architecture, sheet.model, torch.float32
    )
    check_early_dimensions(target, cfg, config, kinds, sheet)


def _check_offloaded(subject: Subject, model: Any, reference: Reference) -> None:
    """Weights that accelerate loads for each call of a module."""
    target, sheet, tokens = subject.target, subject.sheet, reference.work.tokens
    bridge = wrap(target, cpu_offload(model, execution_device="cpu"), sheet.model)
    within = allowed(target, model.dtype, reference.logits)
    # Hooks that are attached may lead through other code.
    logits, cache = bridge.run_with_cache(tokens)
    runs = {"offloaded": bridge(tokens), "offloaded_run_with_cache": logits}
    for name, actual in runs.items():
        apart = difference(actual, reference.logits)
        sheet.parity[name] = apart
        if not apart <= within:
            what, mend = "logits with offloaded weights differ from HF's", "load what no call loads"
            sheet.findings.append(Finding("parity", what, f"<= {within:g}", f"{apart:g}", mend))
    if target.plan.offloaded_analyses:
        check_offloaded_state_space(subject, tokens, cache)
