"""Checkpoints whose weights are not those of the model: each is named, and nothing is fine."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from verify_support import ROOT, Result, read

pytestmark = pytest.mark.heavy

Run = Callable[..., Result]
Weights = dict[str, Any]
OFFLOADED = ("--device-map", "auto", "--max-memory", "cpu=60KB")


def without(end: str) -> Callable[[Weights], None]:
    """Takes the weights out whose names end so; there have to be some."""

    def edit(weights: Weights) -> None:
        names = [name for name in weights if name.endswith(end)]
        assert names
        for name in names:
            del weights[name]

    return edit


def renamed(old: str, new: str) -> Callable[[Weights], None]:
    def edit(weights: Weights) -> None:
        weights[new] = weights.pop(old)

    return edit


def cut(name: str) -> Callable[[Weights], None]:
    """Takes the last row of a weight away."""

    def edit(weights: Weights) -> None:
        weights[name] = weights[name][:-1].clone()

    return edit


def copied(old: str, new: str) -> Callable[[Weights], None]:
    """Stores all that begins with one name under another, too."""

    def edit(weights: Weights) -> None:
        names = [name for name in weights if name.startswith(old)]
        assert names
        weights |= {new + name.removeprefix(old): weights[name].clone() for name in names}

    return edit


def fp8(scale: str, *shape: int) -> Callable[[Weights], None]:
    """Quantizes the MLP of the first layer, a scale a weight, as tools other than HF's do."""

    def edit(weights: Weights) -> None:
        import torch

        names = [name for name in weights if ".layers.0.mlp." in name]
        assert names
        for name in names:
            factor = weights[name].abs().max() / 448
            weights[name] = (weights[name] / factor).to(torch.float8_e4m3fn)
            weights[name.replace(".weight", scale)] = factor.expand(shape).clone()

    return edit


@dataclass(frozen=True)
class Case:
    """What is done to a saved model, and what is said of each weight for it."""

    spec: str
    edit: Callable[[Weights], None]
    said: dict[str, str]
    tiny: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)


MLP = [f"model.layers.0.mlp.{name}_proj" for name in ("down", "gate", "up")]
HF_FP8 = {"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}}
UNEXPECTED = "unexpected: the model has no such weight"

FAULTY = {
    "no_decay": Case(
        "nemotron_h", without(".A_log"),
        {f"model.layers.{n}.mixer.A_log": "missing in the checkpoint" for n in (0, 4)},
    ),
    "no_queries": Case(
        "deepseek_v3", without(".q_b_proj.weight"),
        {f"model.layers.{n}.self_attn.q_b_proj.weight": "missing in the checkpoint"
         for n in (0, 1, 2)},
    ),
    "no_unembedding": Case(
        "helium", without("lm_head.weight"), {"lm_head.weight": "missing in the checkpoint"},
    ),
    "embeddings_renamed": Case(
        "deepseek_v2", renamed("model.embed_tokens.weight", "model.tok_embeddings.weight"),
        {"model.embed_tokens.weight": "missing in the checkpoint",
         "model.tok_embeddings.weight": UNEXPECTED},
    ),
    "another_shape": Case(
        "nemotron_h", cut("backbone.layers.0.mixer.A_log"),
        {"model.layers.0.mixer.A_log": "mismatched: [5] in the checkpoint, [6] in the model"},
    ),
    "an_expert_too_few": Case(
        "nemotron_h", without(".experts.0.up_proj.weight"),
        {"model.layers.2.mixer.experts.up_proj":
         "mismatched: [7, 24, 32] in the checkpoint, [8, 24, 32] in the model"},
    ),
    "experts_that_differ": Case(
        "nemotron_h", cut("backbone.layers.2.mixer.experts.0.up_proj.weight"),
        {"model.layers.2.mixer.experts.up_proj": "not converted: "},
    ),
    "fp8_of_another_tool": Case(
        "deepseek_v3", fp8(".weight_scale", 1), {f"{n}.weight_scale": UNEXPECTED for n in MLP},
    ),
    "fp8_of_another_tool_that_says_so": Case(
        "deepseek_v3", fp8(".weight_scale", 1), {f"{n}.weight_scale": UNEXPECTED for n in MLP},
        config={"quantization_config": {"quant_method": "modelopt", "quant_algo": "FP8"}},
    ),
    "fp8_as_if_of_hf": Case(
        "deepseek_v3", fp8(".weight_scale", 1), {f"{n}.weight_scale": UNEXPECTED for n in MLP},
        config=HF_FP8,
    ),
    "fp8_in_other_blocks": Case(
        "deepseek_v3", fp8(".weight_scale_inv", 7, 1),
        {f"{n}.weight": "not converted: Weight shape (" for n in MLP}, config=HF_FP8,
    ),
    "a_layer_too_many": Case(
        "helium", copied("model.layers.1.mlp.", "model.layers.2.mlp."),
        {f"model.layers.2.mlp.{name}_proj.{end}": UNEXPECTED
         for name in ("down", "gate", "up") for end in ("weight", "bias")},
    ),
}  # fmt: skip

#: What HF forgives by its own rules: the last needs no edit, for tied weights are stored once.
FORGIVEN = {
    "further_predictions": Case("nemotron_h", copied("backbone.layers.4.", "mtp.layers.0."), {}),
    "a_layer_for_predictions": Case(
        "deepseek_v3", copied("model.layers.2.", "model.layers.61."), {}
    ),
    "tied_embeddings": Case("helium", lambda weights: None, {}, {"tie_word_embeddings": True}),
    "fp8_of_hf": Case("deepseek_v3", fp8(".weight_scale_inv", 1, 1), {}, config=HF_FP8),
}


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[Case], Path]:
    """Saves the tiny model of a case, and edits what was saved."""

    def save(case: Case) -> Path:
        from safetensors.torch import load_file, save_file

        from adaptergen.contract.models import hf_config, random_model
        from adaptergen.verify.target import load_target

        folder = tmp_path / "checkpoint"
        target = load_target(ROOT / "specs" / f"{case.spec}.yaml")
        config = hf_config(target.architecture, {**target.plan.spec.tiny.config, **case.tiny})
        random_model(target.architecture, config).save_pretrained(folder)
        weights = load_file(folder / "model.safetensors")
        assert ("lm_head.weight" in weights) != config.tie_word_embeddings
        case.edit(weights)
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        file = folder / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **case.config}))
        return folder

    return save


def verified(run: Run, folder: Path, case: Case, *options: str) -> tuple[Result, dict[str, Any]]:
    file = folder / "found.json"
    where = ("--tier", "checkpoint", "--checkpoint", folder, "--device", "cpu", "--json", file)
    return run(ROOT / "specs" / f"{case.spec}.yaml", *where, *options), read(file)


@pytest.mark.parametrize("name", FAULTY)
def test_a_weight_that_did_not_load_is_a_finding(
    run: Run, saved: Callable[[Case], Path], name: str
) -> None:
    case = FAULTY[name]
    result, found = verified(run, saved(case), case)
    assert result.code == 1, result.out + result.err
    said = {one["weight"]: one["measured"] for one in found["failures"]}
    assert said.keys() == case.said.keys()
    for weight, start in case.said.items():
        assert said[weight].startswith(start)
        assert weight in result.out
    assert {(one["check"], one["expected"]) for one in found["failures"]} == {("weights", "loaded")}
    assert all(one["layer"] == layer_of(one["weight"]) for one in found["failures"])
    assert "hint: compare names and shapes" in result.out
    # Of weights that HF made up, nothing is measured.
    assert found["parity"] == {case.spec: {str(found["specs"][0]["models"][0]["model"]): {}}}


def layer_of(weight: str) -> int | None:
    _, found, rest = weight.partition(".layers.")
    return int(rest.partition(".")[0]) if found else None


@pytest.mark.parametrize("name", FORGIVEN)
def test_what_transformers_forgives_is_none(
    run: Run, saved: Callable[[Case], Path], name: str
) -> None:
    case = FORGIVEN[name]
    result, found = verified(run, saved(case), case)
    assert result.code == 0, result.out + result.err
    assert found["specs"][0]["models"][0]["measured"]["weights"] > 10


@pytest.mark.parametrize("name", ["no_decay", "experts_that_differ"])
def test_a_weight_that_did_not_load_beside_others_on_disk(
    run: Run, saved: Callable[[Case], Path], name: str
) -> None:
    case = FAULTY[name]
    result, found = verified(run, saved(case), case, *OFFLOADED)
    assert result.code == 1, result.out + result.err
    assert case.said.keys() <= {one["weight"] for one in found["failures"]}


def test_another_shape_on_disk_shows_when_it_is_read(
    run: Run, saved: Callable[[Case], Path]
) -> None:
    """HF's report does not have it: it compares what it reads, and leaves this to accelerate."""
    case = FAULTY["another_shape"]
    result, found = verified(run, saved(case), case, *OFFLOADED)
    assert result.code == 1, result.out + result.err
    (one,) = found["failures"]
    assert "A_log" in one["what"] and "shape" in one["what"]


def test_one_weight_of_many_layers_is_told_once(run: Run, saved: Callable[[Case], Path]) -> None:
    layers = 14
    tiny = {"num_hidden_layers": layers}
    case = Case("helium", without(".self_attn.o_proj.weight"), {}, tiny)
    result, found = verified(run, saved(case), case)
    assert result.code == 1
    assert len(found["failures"]) == layers
    assert result.out.count("\n  weights: ") == 1
    assert "`model.layers.*.self_attn.o_proj.weight` did not load" in result.out
    assert "model.layers.5.self_attn.o_proj.weight and 4 more" in result.out
    assert "1 finding on 1 model" in result.out


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 99), "cannot be loaded"),
        (lambda folder: (folder / "config.json").write_text("[]"), "cannot be loaded"),
    ],
    ids=["weights", "config"],
)
def test_a_checkpoint_that_cannot_be_read(
    run: Run, saved: Callable[[Case], Path], broken: Callable[[Path], object], said: str
) -> None:
    folder = saved(FORGIVEN["tied_embeddings"])
    broken(folder)
    result = run(ROOT / "specs/helium.yaml", "--tier", "checkpoint", "--checkpoint", folder)
    assert result.code == 2
    assert said in result.err and "hint: " in result.err
    assert "mistake in adaptergen" not in result.err and "Traceback" not in result.err
