"""Each check of the contract finds what it is there for; HF's own faults are told as HF's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from ruamel.yaml import YAML

from adaptergen.cli import main

pytestmark = pytest.mark.heavy

ROOT = Path(__file__).parents[2]
MODULES = ("deepseek_v2", "deepseek_v3", "helium", "nemotron_h")
DEFAULT = "default"

Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    """The specs without further branches: one model shows each fault."""
    folder = tmp_path / "specs"
    copytree(ROOT / "specs", folder)
    for module in MODULES:
        (folder / f"{module}.lock.json").unlink()
        change(folder / f"{module}.yaml", without_branches)
    return folder


def change(path: Path, edit: Change) -> None:
    """Edit a YAML file as data."""
    yaml = YAML()
    data = yaml.load(path)
    edit(data)
    yaml.dump(data, path)


def without_branches(spec: dict[str, Any]) -> None:
    """Leave one tiny model."""
    for key in ("branches", "releases"):
        spec["tiny"].pop(key, None)


def findings(spec: Path, text: str | None = None) -> list[Any]:
    """What verification finds on the first tiny model."""
    from adaptergen.verify.target import load_target
    from adaptergen.verify.tiers import tiny

    return [one for report in tiny(load_target(spec, text)) for one in report.findings]


def swap(parts: dict[str, Any], one: str, other: str) -> None:
    """Give each of two submodules the path of the other."""
    parts[one]["path"], parts[other]["path"] = parts[other]["path"], parts[one]["path"]


#: Two projections of one shape in each other's place: file, parts, module, and what is told.
SWAPPED = {
    "keys and values": (
        "grouped_query_attention", ("k", "v"), "nemotron_h", "the pattern by hook_v is not",
    ),
    "gate and up": ("gated_mlp", ("gate", "in"), "helium", "mlp.hook_post is not the activation"),
}  # fmt: skip


@pytest.mark.parametrize("name", SWAPPED)
def test_projections_in_each_others_place(name: str, specs: Path) -> None:
    shape, parts, module, told = SWAPPED[name]
    change(specs / "shapes" / f"{shape}.yaml", lambda data: swap(data["submodules"], *parts))
    found = [one for one in findings(specs / f"{module}.yaml") if one.check == "identities"]
    assert any(told in one.what for one in found)
    if module == "helium" and "gate" in parts:
        assert all("are swapped" in one.mend for one in found)


def test_emitted_tests_find_what_verify_finds(specs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here a fault that changes no shape; the same objects are checked by the same code."""
    shape = specs / "shapes" / "gated_mlp.yaml"
    change(shape, lambda data: swap(data["submodules"], "gate", "in"))
    monkeypatch.chdir(specs.parent)
    assert main(["verify", "specs/helium.yaml"]) == 1
    assert main(["build", "specs/helium.yaml"]) == 0
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "generated/helium"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert failed and all("default-mlps" in line or "processed" in line for line in failed)
    assert "mlp.hook_post is not the activation of hook_pre" in done.stdout


def test_a_hook_that_compatibility_mode_silences_is_named(specs: Path) -> None:
    def edit(data: dict[str, Any]) -> None:
        del data["submodules"]["in"]["hooks"]["hook_in"]["silent_in_compatibility_mode"]

    change(specs / "shapes" / "gated_mlp.yaml", edit)
    (found,) = findings(specs / "helium.yaml")
    assert (found.check, found.at.hook) == ("compatibility", "mlp.in.hook_in")
    assert (found.expected, found.measured) == ("live", "silent")
    assert Path(found.at.file).name == "gated_mlp.yaml"
    assert "silent_in_compatibility_mode" in found.mend


@pytest.mark.parametrize(
    ("dropped", "told"),
    [
        ("past_key_values", "HF's own logits of a decode step are not those of its plain run"),
        ("attention_mask", "HF's own logits of a left-padded batch are not those"),
    ],
)
def test_what_hf_itself_ignores_is_told_as_hfs(
    dropped: str, told: str, specs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import HeliumForCausalLM

    forward = HeliumForCausalLM.forward

    def forgetful(self: Any, input_ids: Any = None, **options: Any) -> Any:
        options.pop(dropped, None)
        return forward(self, input_ids, **options)

    forgetful.__signature__ = __import__("inspect").signature(forward)  # type: ignore[attr-defined]
    monkeypatch.setattr(HeliumForCausalLM, "forward", forgetful)
    found = findings(specs / "helium.yaml")
    own = [one for one in found if one.check == "hf"]
    assert any(told in one.what for one in own)
    assert all("transformers' own" in one.mend for one in own)
    # The adapter does what HF does.
    assert not [one for one in found if one.check in ("parity", "generation")]


#: A recorded tensor that is doubled, and what no longer comes out.
DOUBLED = {
    "experts": ("nemotron_h", "blocks.2.mlp.gate.hook_expert_weights", "the sum of the experts"),
    "mixture": ("nemotron_h", "blocks.2.mlp.hook_out", "the mixture does not return the sum"),
    "values": ("nemotron_h", "blocks.1.attn.v.hook_out", "the pattern by hook_v is not"),
    "heads": ("nemotron_h", "blocks.1.attn.o.hook_out", "the sum over heads of z W_O is not"),
    "softmax": ("helium", "blocks.0.attn.hook_attn_scores", "is not the softmax"),
    "latent values": ("deepseek_v2", "blocks.0.attn.hook_v", "the pattern by hook_v is not"),
    "neurons": ("deepseek_v2", "blocks.0.mlp.dense_out.hook_in", "is not the activation"),
}


@pytest.mark.parametrize("name", DOUBLED)
def test_tensors_that_do_not_fit_each_other(
    name: str, specs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adaptergen.contract.models import ModelUnderTest

    module, hook, told = DOUBLED[name]
    make = ModelUnderTest.of

    def make_and_double(*args: Any, **options: Any) -> Any:
        run = make(*args, **options)
        run.activations[hook] = 2 * run.activations[hook]
        return run

    monkeypatch.setattr(ModelUnderTest, "of", make_and_double)
    found = [one for one in findings(specs / f"{module}.yaml") if one.check == "identities"]
    assert any(told in one.what for one in found)


@pytest.mark.parametrize("module", ["helium", "nemotron_h"])
def test_queries_and_keys_in_each_others_place(module: str, specs: Path) -> None:
    """As many heads of one as of the other: no shape shows it."""
    for shape in ("rotary_attention", "grouped_query_attention"):
        path = specs / "shapes" / f"{shape}.yaml"
        change(path, lambda data: swap(data["submodules"], "q", "k"))
    change(
        specs / f"{module}.yaml", lambda data: data["tiny"]["config"].update(num_key_value_heads=4)
    )
    assert findings(specs / f"{module}.yaml")


@pytest.mark.parametrize("module", MODULES)
def test_no_weight_stands_at_a_value_that_hides_a_fault(module: str) -> None:
    from adaptergen.contract.models import tiny_model
    from adaptergen.generate import plan
    from adaptergen.render.tables import adapter_tables

    model = tiny_model(adapter_tables(plan(ROOT / "specs" / f"{module}.yaml")))
    saved = model.state_dict(keep_vars=True)
    weights = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    for name in saved:
        weight = weights[name]
        assert not (weight == 0).any(), name
        if weight.dim() == 1:
            assert not (weight == 1).any(), name
            assert len(weight.unique()) == len(weight), name


def test_the_cache_is_handed_over_by_the_name_that_hf_reads() -> None:
    import transformers

    from adaptergen.contract.reference import cache_argument

    found = {
        name: cache_argument(object.__new__(getattr(transformers, name)))
        for name in ("HeliumForCausalLM", "Mamba2ForCausalLM", "RwkvForCausalLM")
    }
    assert found == {
        "HeliumForCausalLM": "past_key_values",
        "Mamba2ForCausalLM": "cache_params",
        "RwkvForCausalLM": "state",
    }


def test_tables_need_no_torch() -> None:
    code = (
        "import sys\n"
        "import adaptergen.render.tables\n"
        "assert not {'torch', 'transformers', 'pytest'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", MODULES)
def test_every_check_looks_at_something(module: str) -> None:
    """One that looks at nothing is no check, and an emitted test of it could not fail."""
    from adaptergen.contract.checks import checks_of_branch
    from adaptergen.contract.findings import ModelReport
    from adaptergen.contract.models import ModelUnderTest, undisturbed
    from adaptergen.verify.target import load_target

    target = load_target(ROOT / "specs" / f"{module}.yaml")
    report = ModelReport(DEFAULT)
    with undisturbed():
        run = ModelUnderTest.tiny(target.tables, target.adapter, DEFAULT, report)
        for name, check in checks_of_branch(target.tables, DEFAULT).items():
            before = dict(report.measured), dict(report.parity)
            assert list(check(run)) == []
            assert (report.measured, report.parity) != before, name


def test_no_check_of_what_no_layer_has() -> None:
    from adaptergen.contract.checks import CHECKS, checks_of_branch
    from adaptergen.verify.target import load_target

    left_out = {
        module: {check.name for check in CHECKS}
        - checks_of_branch(load_target(ROOT / "specs" / f"{module}.yaml").tables, DEFAULT).keys()
        for module in MODULES
    }
    recurrent = {"state space", "padded state space", "offloaded state space", "delta rule"}
    of_helium = {"kinds", "components alone", "dimensions", "copied dimensions", "experts"}
    assert left_out == {
        "deepseek_v2": recurrent,
        "deepseek_v3": recurrent,
        "helium": recurrent | of_helium,
        "nemotron_h": {"delta rule"},
    }
