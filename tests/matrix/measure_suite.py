"""Runs the benchmark suite of TransformerLens on the tiny model of one spec; prints JSON.

    python tests/matrix/measure_suite.py MODULE ours|theirs

`ours` is the generated adapter, `theirs` the one that TransformerLens ships. The model, with a
tokenizer of characters, is saved to a folder and loaded from there, so nothing is fetched. Phases 1
to 3 are run; those after them need models of the Hub.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
import tempfile
from typing import Any

import tokenizers
import torch
from environments import PROJECT
from transformers import PreTrainedTokenizerFast

from adaptergen.contract import models
from adaptergen.verify.target import load_target
from transformer_lens.benchmarks import run_benchmark_suite

PHASES = [1, 2, 3]
END = "<end>"
CHARACTERS = "abcdefghijklmnopqrstuvwxyz ,.TNHM"


def character_tokenizer() -> Any:
    """Each character is a token; all that are unknown are one."""
    vocabulary = {END: 0} | {character: index for index, character in enumerate(CHARACTERS, 1)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token=END))
    every = tokenizers.Regex(".")
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Split(every, "isolated")
    tokenizer.decoder = tokenizers.decoders.Fuse()
    special = dict.fromkeys(("bos_token", "eos_token", "pad_token", "unk_token"), END)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


@torch.no_grad()
def tiny_model(module: str) -> Any:
    """The tiny model of a spec, with matrices as the suite wants them of trained models.

    It takes the mean of what a matrix writes to the residual stream for nearly 0, also where a norm
    by RMS forbids TransformerLens to make it so.
    """
    model = models.tiny_model(load_target(PROJECT / "specs" / f"{module}.yaml").tables)
    for weight in model.parameters():
        if weight.dim() == 2:
            weight -= weight.mean(0)
    return model


def run_suite(module: str, whose: str) -> list[dict[str, Any]]:
    """Each check of the suite: its phase, its name, whether it passed, what failed."""
    with tempfile.TemporaryDirectory() as folder:
        tiny_model(module).save_pretrained(folder)
        character_tokenizer().save_pretrained(folder)
        if whose == "ours":
            sys.path.insert(0, str(PROJECT))
            importlib.import_module(f"generated.{module}.register").register()
        torch.manual_seed(0)
        with contextlib.redirect_stdout(sys.stderr):
            results = run_benchmark_suite(folder, phases=PHASES)
    return [
        {
            "phase": result.phase,
            "name": result.name,
            "passed": result.passed,
            "failures": [] if result.passed else failures(result),
        }
        for result in results
    ]


def failures(result: Any) -> list[str]:
    """Each failing component with its error, or what the check says."""
    components = (result.details or {}).get("failures", {})
    told = [f"{name}: {found['error'] or 'another output'}" for name, found in components.items()]
    return told or [result.message]


if __name__ == "__main__":
    print(json.dumps(run_suite(sys.argv[1], sys.argv[2])))
