"""Mutants are what they are said to be, and a few are judged; `make mutants` judges all."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from mutation import LEFT_OUT, SWAPPED, Mutant, mutants
from mutation_page import disagreements, page, reasons, score
from mutation_yaml import NOT_RUN, read, write, yaml_mutants

from adaptergen.generate import plan
from adaptergen.render.adapter import render_adapter
from adaptergen.resources import shipped

ROOT = Path(__file__).resolve().parents[2]
SPECS = ROOT / "specs"
ADAPTERS = sorted(
    ROOT.glob("generated/*/transformer_lens/model_bridge/supported_architectures/*.py")
)
YAML_FILES = sorted(SPECS.rglob("*.yaml"))
MODULES = [*ADAPTERS, *shipped().values()]

SMALL = '''\
"""About it."""
from transformer_lens.model_bridge.generalized_components import Bridge, MLPBridge

FORMER = {"mamba": "linear_attention"}


class Mixer(MLPBridge):
    """A class."""

    @decorator
    def forward(self, *args: int, limit: int = 4) -> int:
        with context(self):
            if args and len(args) == 2:
                return args[1:][0] * (2)
        for name in args:
            self.hook_in(f"{name}")
        while args:
            count |= -other


def build(cfg: Any) -> Any:
    cfg.flag = True
    kinds = {"a": LayerKind("mixer", Moe()), "b": LayerKind("mlp", with_pos_dim(Mlp(), 0))}
    return blocks(Bridge, Bridge(name="model.layers"), {"hook_mixer": "hook_in"})
'''

SPEC = """\
title: a spec
blocks:
  path: model.layers
  submodules:
    norm: {shape: rms_norm, path: norm, when: width}
    gate: {component: LinearBridge, path: gate, unless: other}
    hooks:
      hook_in: {shape: [batch, pos, 2 * width], contract: {is: silent, reason: it is}}
  kinds: {moe: {slot: mlp, shape: moe}}
config: {flags: {is_small: true}, from_hf: [width, other], derived: {double: 2 * width}}
taps: {hook_in: {function: rotate, argument: 1}}
tiny: {config: {width: 8}}
"""


def changes(operator: str) -> list[tuple[str, str]]:
    return [(one.before, one.after) for one in mutants("a.py", SMALL) if one.operator == operator]


def yaml_changes(operator: str) -> list[tuple[str, str, str]]:
    found = yaml_mutants("specs/a.yaml", SPEC)
    return [(one.where, one.before, one.after) for one in found if one.operator == operator]


@pytest.mark.parametrize(
    "operator, change",
    [
        ("entry dropped", ('"mamba": "linear_attention"', "")),
        ("string", ('"linear_attention"', "'linear_attentionx'")),
        ("decorator dropped", ("@decorator", "")),
        ("context dropped", ("with context(self)", "if True")),
        ("condition", ("args and len(args) == 2", "False")),
        ("logic", ("and", "or")),
        ("logic", ("-other", "other")),
        ("comparison", ("==", "!=")),
        ("arithmetic", ("* (", "+ (")),
        ("arithmetic", ("|=", "=")),
        ("slice", ("1", "")),
        ("constant", ("2", "3")),
        ("constant", ("4", "5")),
        ("loop", ("args", "()")),
        ("loop", ("args", "False")),
        ("hook", ("hook_in", "hook_out")),
        ("hook", ('"hook_in"', "'hook_out'")),
        ("statement dropped", ("cfg.flag = True", "pass")),
        ("constant", ("True", "False")),
        ("slot", ('"mixer"', "'attn'")),
        ("builder", ("Moe()", "with_pos_dim(Mlp(), 0)")),
        ("call dropped", ("with_pos_dim(Mlp(), 0)", "Mlp()")),
        ("bridge class", ("Bridge", "MLPBridge")),
        ("bridge class", ("MLPBridge", "GeneralizedComponent")),
        ("argument dropped", ('name="model.layers"', "")),
        ("HF path", ('"model.layers"', "'model'")),
    ],
)
def test_operator(operator: str, change: tuple[str, str]) -> None:
    assert change in changes(operator)


def test_annotations_and_docstrings_are_left_alone() -> None:
    for one in mutants("a.py", SMALL):
        assert '"""About it."""' in one.source
        assert "-> int:" in one.source


@pytest.mark.parametrize(
    "operator, change",
    [
        ("HF path", ("blocks.path", '"model.layers"', '"model"')),
        ("HF path", ("blocks.submodules.norm.path", '"norm"', '"gate"')),
        ("value", ("blocks.submodules.norm.shape", '"rms_norm"', '"moe"')),
        ("condition", ("blocks.submodules.norm.when", '"when"', '"unless"')),
        ("condition", ("blocks.submodules.norm.when", '"width"', '"other"')),
        ("condition", ("blocks.submodules.gate.unless", '"other"', '"otherx"')),
        ("bridge class", ("blocks.submodules.gate.component", '"LinearBridge"',
          '"GeneralizedComponent"')),
        ("dimension", ("blocks.submodules.hooks.hook_in.shape.2", '"2 * width"', '"2 + width"')),
        ("dimension", ("blocks.submodules.hooks.hook_in.shape.2", '"2 * width"', '"3 * width"')),
        ("dimension", ("blocks.submodules.hooks.hook_in.shape.1", '"pos"', '"2 * width"')),
        ("contract", ("blocks.submodules.hooks.hook_in.contract.is", '"silent"', '"absent"')),
        ("slot", ("blocks.kinds.moe.slot", '"mlp"', '"attn"')),
        ("flag", ("config.flags.is_small", "true", "false")),
        ("arithmetic", ("config.derived.double", '"2 * width"', '"2 + width"')),
        ("tap", ("taps.hook_in.function", '"rotate"', '"rotatex"')),
        ("tap", ("taps.hook_in.argument", "1", "2")),
        ("tiny model", ("tiny.config.width", "8", "9")),
        ("entry dropped", ("config.from_hf.0", '"width"', "")),
        ("order", ("config.from_hf.0", "", '["other", "width"]')),
    ],
)  # fmt: skip
def test_operator_of_yaml(operator: str, change: tuple[str, str, str]) -> None:
    assert change in yaml_changes(operator)


def test_what_only_people_read_is_left_alone() -> None:
    for one in yaml_mutants("specs/a.yaml", SPEC):
        assert NOT_RUN.isdisjoint(one.where.split("."))
        assert json.loads(one.source)["title"] == "a spec"


@cache
def of_module(path: Path) -> list[Mutant]:
    return mutants(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))


@cache
def of_yaml(path: Path) -> list[Mutant]:
    return yaml_mutants(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_mutants_are_all_different(path: Path) -> None:
    found = of_module(path)
    assert len(found) > 10
    assert len({one.identity for one in found}) == len({one.source for one in found}) == len(found)


@pytest.mark.parametrize("path", YAML_FILES, ids=lambda path: path.stem)
def test_mutants_of_yaml_are_all_different(path: Path) -> None:
    found = of_yaml(path)
    assert len({one.identity for one in found}) == len({one.source for one in found}) == len(found)
    assert write(read(path.read_text("utf-8"))) not in {one.source for one in found}


def test_every_operator_of_the_runtime_has_mutants() -> None:
    """No operator of Python that a shipped module uses is one that mutants leave alone."""
    for path in shipped().values():
        tree = ast.parse(path.read_text("utf-8"))
        kinds = (ast.operator, ast.cmpop, ast.boolop, ast.unaryop)
        used = {type(node) for node in ast.walk(tree) if isinstance(node, kinds)}
        assert used <= SWAPPED.keys() | set(LEFT_OUT), path


def test_a_spec_as_json_is_the_same_spec(tmp_path: Path) -> None:
    """So that a mutant differs from its spec in the mistake alone."""
    for path in YAML_FILES:
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(write(read(path.read_text("utf-8"))), "utf-8")
    for path in SPECS.glob("*.yaml"):
        same = plan(tmp_path / "specs" / path.name)
        assert render_adapter(same) == render_adapter(plan(path))


def test_listed_survivors_are_mutants_and_have_a_reason() -> None:
    known = {one.identity[:5] for path in ADAPTERS for one in mutants(path.name, path.read_text())}
    known |= {one.identity[:5] for path in shipped().values() for one in of_module(path)}
    for identity, reason in reasons().items():
        assert identity in known, f"no such mutant any more: {identity}"
        assert reason.endswith(".")


def test_page_counts_survivors_and_names_disagreements() -> None:
    killed, survivor, *_ = mutants("a.py", SMALL)
    apart, refused, same, *_ = yaml_mutants("specs/shapes/a.yaml", SPEC)
    outcomes = [
        (killed, {"emitted": "tiny: parity", "verify": "parity: logits differ"}),
        (survivor, {"emitted": "", "verify": ""}),
        (apart, {"emitted": "", "verify": "paths: there is none"}),
        (refused, {"refused": "unknown-key"}),
        (same, {"same": "the adapter and its tests"}),
    ]
    judged = [mutant for mutant, _ in outcomes]
    text = page({"helium": outcomes}, {"helium": []}, {"helium": judged})
    assert "were judged" not in text
    assert disagreements(outcomes) == [outcomes[2]]
    assert score(outcomes[:2]) == 0.5
    assert "| `helium` | adapter | 2 | 0 | 0 | 1 | 1 | 0 |" in text
    assert "| `helium` | shapes | 3 | 1 | 1 | 0 | 0 | 1 |" in text
    assert "kill **1 of 2 mutants (50.0 %)**" in text
    assert f"- {survivor.operator} in `a.py`, `{survivor.where}`" in text
    assert "there is none" in text.split("### Disagreements")[1].split("##")[0]
    sample = page({"helium": outcomes}, {"helium": []}, {"helium": [*judged, *judged[:2]]})
    assert "Not all mutants were judged" in sample
    assert "| `helium` | adapter | 2 of 4 | 0 | 0 | 1 | 1 | 0 |" in sample
    assert "kill **1 of 2 mutants (50.0 %)** that were judged, of 4 in all" in sample


def run(*arguments: str) -> str:
    command = [sys.executable, str(Path(__file__).with_name("mutation_run.py")), "--verbose"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.heavy
@pytest.mark.long
def test_a_sample_of_a_family_is_killed_and_agreed_upon(tmp_path: Path) -> None:
    output = run("--suite", "helium", "--sample", "12", "--results", str(tmp_path))
    assert "helium: 100.0 % killed, 0 disagreements" in output


@pytest.mark.heavy
@pytest.mark.long
def test_a_sample_of_the_runtime_is_killed(tmp_path: Path) -> None:
    output = run("--suite", "runtime", "--only", "comparison adaptergen/runtime/layer_kinds.py",
                 "--sample", "6", "--results", str(tmp_path))  # fmt: skip
    assert "runtime: 100.0 % killed" in output
