"""Runs the bridge where HF took the kernels beside this file, and prints what was seen as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import causal_conv1d

sys.path.insert(0, str(Path(__file__).parents[1]))
from nemotron_h_support import CONV, fresh, greedy, hf_greedy, make_hf, prompt, torch


def called() -> list[list[str | None]]:
    """The functions called since the last time, each with its activation, once."""
    seen = sorted({(name, str(activation)) for name, activation in causal_conv1d.CALLS})
    causal_conv1d.CALLS.clear()
    return [list(call) for call in seen]


@torch.no_grad()
def main() -> None:
    hf, bridge, tokens = make_hf(), fresh(), prompt(9)
    report = {"hf": (hf_greedy(hf, tokens, 4), called())[1]}
    expected, whole = hf(tokens).logits, hf_greedy(hf, tokens, 4)
    called()

    report["logits"] = torch.equal(bridge(tokens), expected)
    report["tokens"] = torch.equal(greedy(bridge, tokens, 4), whole)
    report["without_hooks"] = called()

    seen: dict[str, list[int]] = {}

    def note(states: torch.Tensor, hook: object) -> None:
        seen.setdefault(hook.name, []).append(states.shape[-1])

    for hook in CONV:
        bridge.add_hook(hook, note)
    report["tokens_hooked"] = torch.equal(greedy(bridge, tokens, 4), whole)
    report["with_hooks"] = called()
    report["lengths"] = seen
    bridge.reset_hooks()

    logits, cache = bridge.run_with_cache(tokens, use_cache=False)
    report["distance"] = (logits - expected).abs().max().item()
    conv1d = bridge.blocks[0].mixer.conv1d.original_component
    inputs, outputs = (cache[hook] for hook in CONV[:2])
    report["convolution"] = (conv1d(inputs)[..., :9] - outputs).abs().max().item()
    edited = bridge.run_with_hooks(tokens, fwd_hooks=[(CONV[1], lambda states, hook: 0 * states)])
    report["edit"] = (edited - expected).abs().max().item()
    print(json.dumps(report))


main()
