"""Many mistakes in the committed specs and shapes: one call tells each, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adaptergen.cli import main
from adaptergen.generate import plan
from adaptergen.problems import Failed, every
from adaptergen.spec.load import load_shape

COMMITTED = Path(__file__).parents[2] / "specs"
SPECS = ("deepseek_v2", "deepseek_v3", "nemotron_h")


@dataclass(frozen=True)
class Fault:
    """Text of a file replaced; the problem is in the line with `mark`, as it is after that."""

    file: str
    old: str
    new: str
    code: str
    mark: str

    def __str__(self) -> str:
        return f"{self.code} in {self.file}"


def _of(file: str, *faults: tuple[str, str, str, str]) -> list[Fault]:
    return [Fault(file, *fault) for fault in faults]


#: Each is of its own, whichever others there are.
FAULTS = [
    *_of(
        "nemotron_h",
        ("title: Nemotron-H\n", "", "missing-key", "spec: 1"),
        (" final_rms:", " finall_rms:", "unknown-flag", "finall_rms"),
        ("2 * n_groups *", "2 * n_grups *", "unknown-name", "n_grups"),
        ("shape: embedding,", "shape: embeding,", "unknown-shape", "embeding,"),
        ("path: model.norm_f", "path: 5", "wrong-type", "ln_final"),
        ("path: model.layers", "path: model/layers", "bad-path", "model/layers"),
        ("slot: attn", "slot: norm", "slot-taken", "slot: norm"),
        ("formerly: [mamba]", "formerly: [class]", "reserved-name", "[class]"),
        ("with: {in: moe_latent_size", "with: {inn: moe_latent_size", "unknown-parameter", "inn:"),
        ("moe, mlp, linear", "moe, mpl, linear", "unknown-kind", "mpl"),
        ("vocab_size: 64", "vocab_size: many", "tiny-config", "many"),
        ("hook_in: hook_mixer_in", "hook_in: hook_mixed_in", "unknown-hook", "hook_mixed_in"),
        ("cache: DynamicCache", "cache: StaticCache", "unknown-choice", "StaticCache"),
        ("branches: {latent_experts", "branches: {default", "name-taken", "{default"),
    ),
    *_of(
        "deepseek_v2",
        ("supports_fold_ln", "support_fold_ln", "unknown-attribute", "support_fold_ln"),
        ("      has_submodule: mlp.gate\n", "", "ambiguous-kinds", "blocks:"),
        ("kv_lora_rank: 16", "kv_lora_rank: 9007199254740993", "bad-value", "740993"),
        ("[deepseek-ai]", "[deepseek-ai, deepseek-ai]", "listed-twice", "deepseek-ai, deepseek"),
        ("topk_group: 1,", "topk_group: 1, topk_group: 2,", "duplicate-key", "topk_group: 2"),
        ("rope_head_dim // 2],", "rope_head_dim / 2],", "arithmetic-operator", "dim / 2"),
        ("ln1: {shape: rms_norm, path", "ln1: {shape: rms_norm, pth", "unknown-key", "pth"),
        ("  hook_cos: {contract", "  hook_coss: {contract", "unknown-hook", "hook_coss"),
    ),
    *_of(
        "deepseek_v3",
        ("module: deepseek_v3", "module: deepseek_v4", "module-not-file", "deepseek_v4"),
        ("verified_with:", "verified_wiht:", "unknown-key", "verified_wiht"),
    ),
    *_of(
        "shapes/rms_norm",
        ("RMSNormalizationBridge", "RMSNormalisationBridge", "unknown-component", "isationBridge"),
    ),
    *_of(
        "shapes/router",
        ("tensor: router logits", "tensr: router logits", "unknown-key", "tensr"),
    ),
    *_of(
        "shapes/mamba2_mixer",
        ("component: DepthwiseConv1DBridge", "component: DepthwiseConv2DBridge",
         "unknown-component", "Conv2DBridge"),
        ("hook_gate: {shape: [batch, pos", "hook_gate: {shape: [batch, pos.",
         "arithmetic-operator", "pos."),
        ("Bridge\nconfig: true\n", "Bridge\nconfig: true\ntaps: {conv1d.hook_in: {argument: 0}}\n",
         "bad-tap", "taps:"),
    ),
    *_of(
        "shapes/dense_mlp",
        ("title: gated MLP", "taps: {dense_in.hook_in: {weight: gate.weight}}\ntitle: gated MLP",
         "unknown-submodule", "taps:"),
    ),
    *_of(
        "shapes/ungated_mlp",
        ("{parameter: down}", "{parameter: dwon}", "unknown-parameter", "dwon"),
    ),
    *_of(
        "shapes/grouped_query_attention",
        ("contract: {is: on_request", "contract: {is: gone", "unknown-choice", "gone"),
        ("Bridge\nconfig: true\n", "Bridge\n", "missing-keyword", "component: HFAttentionBridge"),
        ("path: k_proj", "path: k_proj\n    options: {bias: true}", "unknown-keyword", "bias"),
    ),
    *_of(
        "shapes/embedding",
        ("title: token embedding", "title: token: embedding", "yaml-syntax", "token: embedding"),
    ),
    *_of(
        "shapes/moe",
        ("gate.hook_expert_weights", "gate.hook_expert_wights", "unknown-hook", "wights"),
    ),
    *_of(
        "shapes/latent_attention",
        ("hook_rot_q:", "hook_rot_qq:", "unknown-hook", "hook_rot_qq:"),
    ),
    *_of(
        "shapes/unembedding",
        ("  hook_in: {shape: [batch, pos, d_model], tensor: output of the final norm}\n", "",
         "undescribed-hook", "component: UnembeddingBridge"),
    ),
    *_of(
        "shapes/token_linear",
        ("title: linear map", "title: a <linear> map", "bad-text", "<linear>"),
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project")


def write(project: Path, faults: Iterable[Fault]) -> list[tuple[str, int, str]]:
    """The specs and shapes with these faults; path, line and code of each."""
    shutil.rmtree(project / "specs", ignore_errors=True)
    shutil.copytree(COMMITTED, project / "specs")
    load_shape.cache_clear()
    where = {fault: project / "specs" / f"{fault.file}.yaml" for fault in faults}
    for fault, path in where.items():
        text = path.read_text("utf-8")
        assert text.count(fault.old) == 1, f"{fault.old!r} is not in {fault.file} just once"
        path.write_text(text.replace(fault.old, fault.new), "utf-8")
    expected = []
    for fault, path in where.items():
        lines = path.read_text("utf-8").splitlines()
        at = [number for number, line in enumerate(lines, 1) if fault.mark in line]
        assert len(at) == 1, f"{fault.mark!r} is not in one line of {fault.file}"
        expected.append((f"specs/{fault.file}.yaml", at[0], fault.code))
    return sorted(expected)


def told() -> list[tuple[str, int, str]]:
    """Path, line and code of what a call over all specs tells, in its order."""
    with pytest.raises(Failed) as caught:
        every(plan, [Path(f"specs/{name}.yaml") for name in SPECS])
    places = [(problem.location, problem.code) for problem in caught.value.problems]
    return [(place.path, place.line, code) for place, code in places if place]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_one(fault: Fault, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    expected = write(project, [fault])
    assert told() == expected


@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.sets(st.sampled_from(FAULTS), min_size=2, max_size=12))
def test_several(project: Path, faults: set[Fault]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        expected = write(project, faults)
        assert told() == expected


def test_all_of_them(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    expected = write(project, FAULTS)
    assert told() == expected
    assert main(["build", *(f"specs/{name}.yaml" for name in SPECS)]) == 2
    shown = capsys.readouterr()
    assert not shown.out
    assert f"{len(FAULTS)} problems." in shown.err
    assert not Path("generated").exists()
