"""Analyses of TransformerLens, held against what the model computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from adaptergen.contract.models import SUMMED, quiet, relative
from adaptergen.inspection.fault_isolation import attempted, reason
from adaptergen.inspection.runs import cached_states
from adaptergen.survey.expected import Expected
from adaptergen.survey.hooks import Subject
from adaptergen.survey.runs import Runner, Runs, options_of

_FOLDED = 1e-4
#: Of what an analysis raises, so much is told.
_LONGEST = 120


def analyses(subject: Subject, runner: Runner, expected: Expected, runs: Runs) -> dict[str, str]:
    """What is wrong with each that applies; empty for one that gives what the model computes.

    `runner` runs the model that nothing wraps. The bridge is changed by the last, and is not to be
    used again.
    """
    with quiet():
        _, cache = subject.bridge.run_with_cache(subject.tokens, **subject.options)
    streams = [tensor for layer in expected.layers[-1:] for tensor in layer.after]
    last = streams[-1] if streams else torch.zeros(0)

    def accumulated() -> float:
        return relative(cache.accumulated_resid()[-1], last)

    def decomposed() -> float:
        return relative(cache.decompose_resid().sum(0), last)

    def heads() -> float:
        found = cache.stack_head_results().sum(0) + _biases(subject.bridge)
        written = [cache["attn_out", layer] for layer in range(subject.bridge.cfg.n_layers)]
        return relative(found, torch.stack(written).sum(0))

    def processed() -> float:
        subject.bridge.enable_compatibility_mode()
        logits = subject.run([])
        return relative(logits.log_softmax(-1), runs.logits["plain"].log_softmax(-1))

    def states() -> float:
        return max(_state_apart(cache, layer, kept) for layer in cache.ssm_layers())

    kept = _kept_states(runner, subject.tokens) if _has_states(cache) else []
    ways: dict[str, tuple[Callable[[], float], float]] = {
        "accumulated_resid": (accumulated, SUMMED),
        "decompose_resid": (decomposed, SUMMED),
        "stack_head_results": (heads, SUMMED),
        **({"compute_ssm_state": (states, SUMMED)} if kept else {}),
        "compatibility_mode": (processed, _FOLDED),
    }
    found = {}
    for name, (way, allowed) in ways.items():
        try:
            with quiet():
                apart = way()
            found[name] = "" if apart <= allowed else f"{apart:.1g} apart"
        except Exception as error:  # an analysis that does not apply raises anything
            found[name] = reason(error)[:_LONGEST]
    return found


def _biases(bridge: Any) -> Any:
    """What all outputs of attention add beside the heads."""
    try:
        return bridge.b_O.sum(0)
    except AttributeError:  # there are none
        return 0.0


def _has_states(cache: Any) -> bool:
    """Whether TransformerLens finds layers with a state."""
    return bool(attempted(cache.ssm_layers))


def _kept_states(runner: Runner, tokens: Any) -> list[list[Any]]:
    """The tensors that the model's own cache keeps after these tokens, layer by layer."""
    runner(tokens, **options_of(runner.model, use_cache=True))
    cache = next(iter(runner.cache().values()), None)
    layers = range(len(getattr(cache, "layers", ())))
    return [list(cached_states(cache, layer)[1].values()) for layer in layers]


def _state_apart(cache: Any, layer: int, kept: list[list[Any]]) -> float:
    """How far the state of a layer is from the nearest tensor that the model keeps of it."""
    state = cache.compute_ssm_state(layer=layer, time_step=-1)
    forms = (state, state.transpose(-1, -2))
    held = [each.reshape(form.shape) for each in kept[layer] for form in forms
            if each.numel() == form.numel()]  # fmt: skip
    return min((relative(form, each) for form in forms for each in held), default=float("inf"))
