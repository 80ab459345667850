"""Measures one adapter of Nemotron-H with the transformers of this environment; prints JSON.

    python tests/matrix/measure.py ours|theirs

`ours` is the generated adapter, `theirs` the one that TransformerLens ships. What a run of hooks
should be is what the tables of the spec state; the shipped adapter states nothing.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from typing import Any

import torch
import transformers
from environments import ADAPTER, PROJECT

from adaptergen.contract import models
from adaptergen.contract.tables import hooks_of_model
from adaptergen.verify.target import load_target

TARGET = load_target(PROJECT / "specs" / "nemotron_h.yaml")
BRANCHES = ("default", "latent_experts")
LENGTHS, NEW = range(1, 10), 16


def adapter_class(whose: str) -> Any:
    """The generated adapter, or the one that TransformerLens ships."""
    if whose == "ours":
        return TARGET.adapter
    name = ".".join(ADAPTER.with_suffix("").parts)
    return importlib.import_module(name).NemotronHArchitectureAdapter


class Measurement:
    """One tiny model of every kind of layer, bare and bridged."""

    def __init__(self, branch: str, whose: str) -> None:
        self.states_hooks = whose == "ours"
        self.hf, model = (models.tiny_model(TARGET.tables, branch) for _ in range(2))
        self.bridge = models.wrap(TARGET.architecture, adapter_class(whose), model)

    def parity(self) -> float:
        """The greatest distance of any logit, with and without a cache."""
        tokens = self._prompt(9)
        expected = self.hf(tokens).logits
        runs = [self.bridge(tokens, use_cache=use_cache) for use_cache in (True, False)]
        runs.append(self.bridge.run_with_cache(tokens)[0])
        return max((run - expected).abs().max().item() for run in runs)

    def generation(self) -> int:
        """How many prompts are continued with HF's greedy tokens."""
        return sum(torch.equal(*self._continued(self._prompt(length))) for length in LENGTHS)

    def hooks(self) -> dict[str, int]:
        """Hooks by what a plain run does with them; undeclared is what no contract states."""
        _, cache = self.bridge.run_with_cache(self._prompt(9))
        points = {point.name for point in self.bridge.hook_dict.values()}
        live = {name for name in points if name in cache}
        expected_live, expected_silent = self._stated(points)
        wrong = live ^ expected_live | (points - live) ^ expected_silent
        return {"live": len(live), "silent": len(points - live), "undeclared": len(wrong)}

    def analyses(self) -> int:
        """How many state-space layers have an analysis after a plain run."""
        _, cache = self.bridge.run_with_cache(self._prompt(9))
        blocks = enumerate(self.hf.model.layers)
        layers = [layer for layer, block in blocks if hasattr(block.mixer, "A_log")]
        return sum(cache.compute_ssm_state(layer=layer).isfinite().all().item() for layer in layers)

    def dimensions(self) -> bool:
        """Whether cfg has the widths that the weights have."""
        cfg, mixer = self.bridge.cfg, self.hf.model.layers[0].mixer
        widths = (mixer.conv1d.weight.shape[0], mixer.out_proj.weight.shape[1])
        return (cfg.conv_dim, cfg.mamba_intermediate_size) == widths

    def _stated(self, points: set[str]) -> tuple[set[str], set[str]]:
        if not self.states_hooks:
            # Nothing is said: every live hook is as it should be, every silent one is not.
            return {name for name in points if name in self._plain()}, set()
        kinds = models.layer_kinds(TARGET.tables, self.hf)
        hooks = hooks_of_model(TARGET.tables, kinds, self.hf.config, transformers.__version__, {})
        live = {hook.name for hook in hooks if hook.fires}
        return live, {hook.name for hook in hooks if not hook.fires}

    def _plain(self) -> Any:
        return self.bridge.run_with_cache(self._prompt(9))[1]

    def _continued(self, tokens: Any) -> tuple[Any, Any]:
        options = {"max_new_tokens": NEW, "do_sample": False}
        mask = torch.ones_like(tokens)
        expected = self.hf.generate(tokens, attention_mask=mask, eos_token_id=None, **options)
        return self.bridge.generate(tokens, stop_at_eos=False, verbose=False, **options), expected

    @staticmethod
    def _prompt(length: int) -> Any:
        return torch.randint(3, 64, (2, length), generator=torch.Generator().manual_seed(1))


def attempt(function: Callable[[], Any]) -> Any:
    """What a measurement gives, or how it ends."""
    try:
        return function()
    except Exception as error:
        return {"error": type(error).__name__, "says": str(error)[:200]}


@torch.no_grad()
def main() -> None:
    whose = sys.argv[1]
    report: dict[str, Any] = {"transformers": transformers.__version__, "whose": whose}
    for branch in BRANCHES:
        made = attempt(lambda branch=branch: Measurement(branch, whose))
        report[branch] = {"boots": isinstance(made, Measurement)}
        if not isinstance(made, Measurement):
            report[branch]["error"] = made
            continue
        for name in ("parity", "generation", "hooks", "analyses", "dimensions"):
            report[branch][name] = attempt(getattr(made, name))
    print(json.dumps(report))


main()
