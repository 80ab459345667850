"""Verification fails where it should, and names layer, kind, hook, and the line to mend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from verify_support import Project, Result, read

from adaptergen.generate import plan
from adaptergen.render.adapter import render_adapter
from adaptergen.render.templates import format_python

pytestmark = pytest.mark.heavy

ATTENTION = "shapes/grouped_query_attention.yaml"
MIXER = "shapes/mamba2_mixer.yaml"
MOE = "shapes/moe.yaml"
ROUTER = "shapes/router.yaml"
SPEC = "nemotron_h.yaml"
Q_OUT = ("submodules", "q", "hooks", "hook_out")
CONV_OUT = ("submodules", "conv1d", "hooks", "hook_out")


@dataclass(frozen=True)
class Break:
    """A mistake in a spec or shape, and what has to come of it.

    The finding is of a check, layer, kind and hook, and blames a line that has this text.
    """

    file: str
    keys: tuple[str | int, ...]
    to: object
    found: tuple[str, int, str, str | None]
    blamed: str
    line: str


BREAKS = {
    "a wrong HF path": Break(
        MIXER,
        ("submodules", "in_proj", "path"),
        "input_proj",
        ("paths", 0, "linear_attention", "mixer.in_proj"),
        MIXER,
        "in_proj:",
    ),
    "a kind that the spec lacks": Break(
        SPEC,
        ("blocks", "kinds", "mlp"),
        None,
        ("kinds", 3, "mlp", None),
        SPEC,
        "kinds:",
    ),
    "a live hook that is silent": Break(
        ATTENTION,
        ("hooks", "hook_result", "contract"),
        None,
        ("hooks", 1, "full_attention", "attn.hook_result"),
        ATTENTION,
        "hook_result:",
    ),
    "a silent hook that fires": Break(
        ROUTER,
        ("hooks", "hook_expert_indices", "contract"),
        {"is": "silent", "reason": "a guess"},
        ("hooks", 2, "moe", "mlp.gate.hook_expert_indices"),
        ROUTER,
        "hook_expert_indices:",
    ),
    "a hook on request without its switch": Break(
        MIXER,
        ("hooks", "hook_ssm_state", "contract"),
        None,
        ("hooks", 0, "linear_attention", "mixer.hook_ssm_state"),
        MIXER,
        "hook_ssm_state:",
    ),
    "a wrong shape": Break(
        ATTENTION,
        (*Q_OUT, "shape"),
        ["batch", "pos", "n_key_value_heads", "d_head"],
        ("shapes", 1, "full_attention", "attn.q.hook_out"),
        ATTENTION,
        "hook_out:",
    ),
    "a wrong formula": Break(
        SPEC,
        ("config", "derived", "conv_dim"),
        "mamba_intermediate_size + n_groups * ssm_state_size",
        ("shapes", 0, "linear_attention", "mixer.conv1d.hook_in"),
        MIXER,
        "hook_in:",
    ),
    "read_only that is not": Break(
        ATTENTION,
        (*Q_OUT, "contract"),
        {"is": "read_only", "reason": "a guess"},
        ("edits", 1, "full_attention", "attn.q.hook_out"),
        ATTENTION,
        "hook_out:",
    ),
    "silent_in_decode that is not": Break(
        MIXER,
        (*CONV_OUT, "contract"),
        {"is": "silent_in_decode", "reason": "a guess"},
        ("decode", 0, "linear_attention", "mixer.conv1d.hook_out"),
        MIXER,
        "hook_out:",
    ),
    "an alias left out": Break(
        MOE,
        ("aliases", "hook_expert_weights"),
        None,
        ("aliases", 2, "moe", "mlp.hook_expert_weights"),
        SPEC,
        "moe:",
    ),
}


@pytest.mark.parametrize("case", BREAKS.values(), ids=BREAKS)
def test_a_mistake_in_a_spec(
    case: Break, project: Project, run: Callable[..., Result], tmp_path: Path
) -> None:
    # One model shows it.
    project.change(SPEC, "tiny", "branches")
    project.change(case.file, *case.keys, to=case.to)
    if case.found[0] == "kinds":
        # The spec has to have every kind of its tiny model; HF's model has another one.
        kinds = ["linear_attention", "full_attention", "moe", "linear_attention"]
        project.change(SPEC, "tiny", "kinds", to=kinds)
    file = tmp_path / "found.json"
    result = run(project.spec, "--json", file)
    assert result.code == 1, result.err
    found = read(file)
    assert (found["outcome"], found["exit_code"]) == ("differs", 1)
    places = [(f["check"], f["layer"], f["kind"], f["hook"]) for f in found["failures"]]
    assert case.found in places
    failure = found["failures"][places.index(case.found)]
    assert failure["file"].endswith(case.blamed)
    assert case.line in project.line(case.blamed, failure["spec_line"])
    for key in ("what", "expected", "measured", "mend"):
        assert failure[key]
    assert f"{failure['file']}:{failure['spec_line']}: {case.found[0]}: " in result.out


def subclass(name: str, **members: str) -> tuple[str, str]:
    """The use of a class in the adapter, and that of a subclass with these members, as code."""
    body = ", ".join(f'"{member}": {code}' for member, code in members.items())
    return f"{name}(", f'type("Broken", ({name},), {{{body}}})('


MIXER_FORWARD = "StateSpaceMixerBridge.forward(self, *args, **kwargs)"
ATTENTION_INIT = "HFAttentionBridge.__init__(self, *args, **kwargs)"


def mixer(forward: str) -> tuple[str, str]:
    """A mixer whose forward is this code."""
    return subclass("StateSpaceMixerBridge", forward=f"lambda self, *args, **kwargs: {forward}")


def attention(statement: str) -> tuple[str, str]:
    """Attention that evaluates this code when it has been made."""
    code = f"lambda self, *args, **kwargs: ({ATTENTION_INIT}, {statement})[0]"
    return subclass("HFAttentionBridge", __init__=code)


def method(code: str) -> tuple[str, str]:
    """The adapter with one more method."""
    return "    def derive(self", f"{code}\n\n    def derive(self"


#: What is wrong in the adapter's text: replaced by what, and check, layer, kind, hook found.
ADAPTERS = {
    "a wrong formula": (
        ("2 * cfg.n_groups", "3 * cfg.n_groups"),
        ("dimensions", None, None, None), "conv_dim:",
    ),
    "a hook not taken off": (
        attention('setattr(self, "hook_hidden_states", type(self.hook_in)())'),
        ("hooks", 1, "full_attention", "attn.hook_hidden_states"), "full_attention:",
    ),
    "a hook taken off": (
        attention('(self._hook_registry.pop("hook_pattern"), delattr(self, "hook_pattern"))'),
        ("hooks", 1, "full_attention", "attn.hook_pattern"), "hook_pattern:",
    ),
    "an edit that is lost": (
        subclass(
            "HFAttentionBridge",
            taps='{"hook_attn_scores": HFAttentionBridge.taps["hook_attn_scores"]}',
        ),
        ("edits", 1, "full_attention", "attn.hook_pattern"), "hook_pattern:",
    ),
    "another tensor in a hook": (
        mixer(f"1.01 * {MIXER_FORWARD}"),
        ("parity", 0, "linear_attention", "hook_out"), "linear_attention:",
    ),
    "an alias of another hook": (
        ('"hook_mixer_in": ["mixer.hook_in"', '"hook_mixer_in": ["mixer.hook_out"'),
        ("aliases", 0, "linear_attention", "hook_mixer_in"), "hook_in:",
    ),
    "a wrong path": (
        ('LinearBridge(name="o_proj")', 'LinearBridge(name="out_projection")'),
        ("wrapping", None, None, None), "",
    ),
    "a cache that is not kept": (
        ('stateful_cache = "DynamicCache"', 'stateful_cache = "NoCache"'),
        ("generation", None, None, None), "",
    ),
    "a cache that says it is empty": (
        method(
            "    def create_stateful_cache(self, *args, **kwargs):\n"
            "        cache = super().create_stateful_cache(*args, **kwargs)\n"
            "        cache.get_seq_length = lambda *_, **__: 0\n"
            "        return cache"
        ),
        ("generation", None, None, None), "cache:",
    ),
    "tokens looked for in another axis": (
        ('with_pos_dim(MoERouterBridge(name="gate"), 0)', 'MoERouterBridge(name="gate")'),
        ("slices", 2, "moe", "mlp.gate.hook_expert_indices"), "hook_expert_indices:",
    ),
    "a component that rests on what its layer passes": (
        mixer(f"{MIXER_FORWARD} * (1 if 'cache_params' in kwargs else 2)"),
        ("components", 0, "linear_attention", None), "linear_attention:",
    ),
    "offloaded weights that nothing loads": (
        subclass("StateSpaceMixerBridge", _read_modules="lambda self: ()"),
        ("parity", None, None, None), "",
    ),
    "offloaded weights that no analysis loads": (
        subclass(
            "StateSpaceMixerBridge",
            compute_ssm_state="lambda self, *args, **kwargs: "
            "super(StateSpaceMixerBridge, self).compute_ssm_state(*args, **kwargs)",
        ),
        ("state space", 0, "linear_attention", None), "linear_attention:",
    ),
    "a tensor without gradients": (
        mixer(f"{MIXER_FORWARD}.detach()"),
        ("training", 0, "linear_attention", "mixer.conv1d.hook_in"), "hook_in:",
    ),
    "a module that a run changes": (
        mixer(f"(setattr(self.original_component, 'seen', args), {MIXER_FORWARD})[1]"),
        ("isolation", None, None, None), "",
    ),
    "padding that an analysis sees": (
        subclass("StateSpaceMixerBridge", _without_padding="lambda self, cache, layer: cache"),
        ("state space", 0, "linear_attention", None), "linear_attention:",
    ),
    "copies of cfg that are not kept up": (
        method(
            "    def setup_hook_compatibility(self, bridge):\n"
            "        self._take_kinds(self.cfg, bridge.original_model.config)\n"
            "        self._take_fields(self.cfg, bridge.original_model.config)"
        ),
        ("dimensions", 0, None, None), "from_hf:",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_mistake_in_the_adapter(name: str, project: Project) -> None:
    from adaptergen.verify.target import load_target
    from adaptergen.verify.tiers import tiny

    (old, new), wanted, line = ADAPTERS[name]
    project.change(SPEC, "tiny", "branches")
    text = format_python(render_adapter(plan(project.spec)))
    assert text.count(old) == 1
    findings = [
        f for s in tiny(load_target(project.spec, text.replace(old, new))) for f in s.findings
    ]
    places = [(f.check, f.at.layer, f.at.kind, f.at.hook) for f in findings]
    assert wanted in places, findings
    finding: Any = findings[places.index(wanted)]
    if line:
        file = Path(finding.at.file).relative_to(project.folder).as_posix()
        assert line in project.line(file, finding.at.line)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ("ln_final.hook_scale", (None, "model", "ln_final.hook_normalized")),
        ("blocks.1.attn.hook_pattern", (1, "full_attention", "attn.hook_pattern")),
    ],
)
def test_recorded_tensors_that_do_not_fit(
    changed: str,
    told: tuple[int | None, str, str],
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from adaptergen.contract.models import ModelUnderTest
    from adaptergen.verify.target import load_target
    from adaptergen.verify.tiers import tiny

    measure = ModelUnderTest.of

    def measure_and_change(*args: Any, **options: Any) -> Any:
        run = measure(*args, **options)
        run.activations[changed].mul_(2)
        return run

    monkeypatch.setattr(ModelUnderTest, "of", measure_and_change)
    project.change(SPEC, "tiny", "branches")
    (report,) = tiny(load_target(project.spec))
    (found,) = (one for one in report.findings if one.check == "analyses")
    assert (found.check, found.at.layer, found.at.kind, found.at.hook) == ("analyses", *told)


def test_whole_configurations_show_a_wrong_formula(
    project: Project, run: Callable[..., Result], tmp_path: Path
) -> None:
    formula = "mamba_intermediate_size + n_groups * ssm_state_size"
    project.change(SPEC, "config", "derived", "conv_dim", to=formula)
    file = tmp_path / "found.json"
    assert run(project.spec, "--tier", "full", "--json", file).code == 1
    failures = read(file)["failures"]
    assert {failure["model"] for failure in failures} == set(plan(project.spec).spec.checkpoints)
    assert {(failure["check"], failure["hook"]) for failure in failures} >= {
        ("weights", "mixer.conv1d.hook_in"),
        ("weights", "mixer.in_proj.hook_out"),
    }


def test_another_shape_is_blamed_where_it_is_used(
    project: Project, run: Callable[..., Result], tmp_path: Path
) -> None:
    project.change(SPEC, "blocks", "kinds", "full_attention", "slot", to="mixer")
    file = tmp_path / "found.json"
    assert run(project.spec, "--json", file).code == 1
    mends = [f["mend"] for f in read(file)["failures"] if f["hook"] == "mixer.q.hook_out"]
    assert mends and all("use another shape or slot" in mend for mend in mends)
    for mend in mends:
        line = int(mend.partition("nemotron_h.yaml:")[2].split(" ")[0])
        assert "full_attention:" in project.line(SPEC, line)


def test_a_condition_that_was_left_out(
    project: Project, run: Callable[..., Result], tmp_path: Path
) -> None:
    project.change(SPEC, "blocks", "kinds", "moe", "add", "latent_in", "when", to=None)
    file = tmp_path / "found.json"
    assert run(project.spec, "--json", file).code == 1
    mends = [f["mend"] for f in read(file)["failures"] if f["hook"] == "mlp.latent_in.hook_out"]
    assert mends and all("add `when:`" in mend for mend in mends)


def test_kinds_of_the_tiny_model(
    project: Project, run: Callable[..., Result], tmp_path: Path
) -> None:
    """The emitted tests rest on them, layer by layer."""
    kinds = ["linear_attention", "full_attention", "moe", "mlp"]
    project.change(SPEC, "tiny", "kinds", to=kinds)
    file = tmp_path / "found.json"
    assert run(project.spec, "--json", file).code == 1
    failure, *_ = read(file)["failures"]
    assert (failure["check"], failure["expected"]) == ("kinds", ", ".join(kinds))
    assert "kinds:" in project.line(SPEC, failure["spec_line"])
