"""TransformerLens' analyses of state-space layers, held against HF's states and outputs."""

from __future__ import annotations

from typing import Any

import torch
import transformers

from adaptergen.verify.findings import Finding, Spot
from adaptergen.verify.promises import holds
from adaptergen.verify.reference import Reference
from adaptergen.verify.subject import Subject, difference

#: Before, HF clamps dt at time_step_min, which TransformerLens does not know.
CLAMPS = "<5.17"

#: Sums in another order: what float32 rounds.
CLOSE = 1e-5

#: Hooks that the analyses read, and the one that tells what HF made of them.
USED = ("in_proj.hook_out", "conv1d.hook_out", "inner_norm.hook_in")


def check_state_space(subject: Subject, reference: Reference) -> None:
    """The recurrent state after each prompt, and the scan as a matrix."""
    layers = [i for i, k in enumerate(subject.kinds) if k in subject.plan.state_space_kinds]
    if not layers:
        return
    allowed = 1e-3 if holds(CLAMPS, transformers.__version__) else CLOSE
    for length, states in reference.states.items():
        _, cache = subject.bridge.run_with_cache(
            reference.work.tokens[:, :length], names_filter=lambda name: name.endswith(USED)
        )
        found = cache.ssm_layers()
        if found != layers:
            mend = "mend the shapes of these kinds"
            subject.find(
                Finding("state space", "state-space layers", f"{layers}", f"{found}", mend)
            )
            return
        for layer in layers:
            for name, compute in (("states", _state_apart), ("effective attention", _scan_apart)):
                try:
                    apart = compute(subject, cache, layer, states[layer])
                except (RuntimeError, KeyError) as error:
                    _note(subject, layer, f"{name}, {length} tokens", allowed, str(error))
                    continue
                subject.sheet.count("state-space analyses")
                if not apart <= allowed:
                    _note(subject, layer, f"{name}, {length} tokens", allowed, f"{apart:g}")


def check_offloaded_state_space(subject: Subject, tokens: Any, offloaded: Any) -> None:
    """The analyses of a run with offloaded weights are those of a run with the others."""
    _, cache = subject.bridge.run_with_cache(tokens, names_filter=lambda name: name.endswith(USED))
    for layer in cache.ssm_layers():
        for name in ("compute_ssm_state", "compute_ssm_effective_attention"):
            try:
                apart = difference(getattr(offloaded, name)(layer), getattr(cache, name)(layer))
            except (RuntimeError, KeyError) as error:
                _note(subject, layer, f"{name} with offloaded weights", CLOSE, str(error))
                continue
            subject.sheet.count("state-space analyses")
            if not apart <= CLOSE:
                _note(subject, layer, f"{name} with offloaded weights", CLOSE, f"{apart:g}")


def _state_apart(_subject: Subject, cache: Any, layer: int, expected: Any) -> float:
    return difference(cache.compute_ssm_state(layer=layer, time_step=-1), expected)


def _scan_apart(subject: Subject, cache: Any, layer: int, _state: Any) -> float:
    """How far the matrix times its input is from what HF hands to the norm after the scan."""
    cfg, mixer = subject.bridge.cfg, subject.bridge.blocks[layer].mixer
    x = mixer.act(cache[f"blocks.{layer}.mixer.conv1d.hook_out"])
    x = x[:, : cfg.mamba_intermediate_size].transpose(1, 2)
    x = x.unflatten(-1, (cfg.mamba_num_heads, cfg.mamba_head_dim))
    matrix = cache.compute_ssm_effective_attention(layer=layer, include_dt_scaling=True)
    mixed = torch.einsum("bhij,bjhd->bihd", matrix, x) + mixer.D[:, None] * x
    return difference(mixed.flatten(2), cache[f"blocks.{layer}.mixer.inner_norm.hook_in"])


def _note(subject: Subject, layer: int, what: str, allowed: float, measured: str) -> None:
    kind = subject.kinds[layer]
    what, mend = f"analysis differs from HF: {what}", "mend what the hooks of the mixer hold"
    spot = Spot.of(subject.node(kind), layer, kind)
    subject.find(Finding("state space", what, f"<= {allowed:g}", measured, mend, spot))
