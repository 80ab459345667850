"""What is found in the registries of TransformerLens 4.3.0, and in registries with mistakes."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from conftest_export import Result, content, git

from adaptergen import resources
from adaptergen.audit.audit import audit, fixed
from adaptergen.audit.findings import Finding
from adaptergen.error_codes import error_codes

Run = Callable[..., Result]
PACKAGE = "transformer_lens/model_bridge/supported_architectures"
INIT = f"{PACKAGE}/__init__.py"
REPORT = "transformer_lens/tools/model_registry/generate_report.py"
FACTORY = "transformer_lens/factories/architecture_adapter_factory.py"
REGISTRY = "transformer_lens/tools/model_registry/__init__.py"
GAPS = "transformer_lens/tools/model_registry/data/architecture_gaps.json"
MODELS = "transformer_lens/tools/model_registry/data/supported_models.json"


def counts(findings: tuple[Finding, ...]) -> dict[str, int]:
    return dict(Counter(finding.code for finding in findings))


def test_what_is_found_in_the_release(base: Path) -> None:
    found = audit(base)
    assert (found.version, found.exit_code) == ("4.3.0", 1)
    assert counts(found.findings) == {
        "double-entry": 3, "missing-description": 30, "supported-in-gaps": 27,
        "unreached-attribute": 14,
    }  # fmt: skip
    subjects = {finding.subject for finding in found.findings}
    assert {
        "RavenArchitectureAdapter", "NemotronHForCausalLM", "Lfm2ForCausalLM",
        "NemotronHArchitectureAdapter.mamba_num_heads",
    } <= subjects  # fmt: skip
    for finding in found.findings:
        place = finding.problem.location
        assert place is not None
        lines = (base / place.path).read_text(encoding="utf-8").split("\n")[place.line - 1 :]
        assert finding.subject.rpartition(".")[2] in "".join(lines[:2])


def test_the_page_has_every_attribute_and_how_it_was_confirmed(base: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| `(\w+)` \|.*\| (yes|\*\*no\*\*) \|", page, re.MULTILINE)
    assert {f"{name}ArchitectureAdapter.{attribute}" for name, attribute, _ in rows} == {
        finding.subject for finding in audit(base).findings
        if finding.code == "unreached-attribute"
    }, "stale: run `python tests/audit/confirm.py`"  # fmt: skip
    assert {said for _, _, said in rows} == {"yes"}


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("subject", "effect"),
    [
        ("NemotronHArchitectureAdapter.mamba_num_heads", "`cfg.conv_dim`: 8704 instead of 896"),
        ("NemotronHArchitectureAdapter.ssm_state_size", "`cfg.conv_dim`: 8704 instead of 8256"),
        ("HubertArchitectureAdapter.do_stable_layer_norm",
         "`adapter.supports_fold_ln`: False instead of True"),
        ("RecurrentGemmaArchitectureAdapter.logits_soft_cap", "nothing"),
    ],
)  # fmt: skip
def test_an_adapter_that_runs_lacks_the_attribute(subject: str, effect: str, base: Path) -> None:
    from confirm import confirm_finding

    (finding,) = [one for one in audit(base).findings if one.subject == subject]
    true, _, measured = confirm_finding(finding)
    assert true and effect in measured


def test_what_can_be_fixed_is_fixed(upstream: Path, run: Run) -> None:
    before = content(upstream)
    done = run("audit", upstream, "--fix")
    assert done.code == 1 and "Fixed " in done.err
    left = audit(upstream)
    assert all(finding.fix is None for finding in left.findings)
    assert counts(left.findings) == {"missing-description": 5, "unreached-attribute": 7}
    after = content(upstream)
    changed = {path for path in after if after[path] != before[path]}
    assert changed == {
        INIT, GAPS, REPORT,
        "transformer_lens/model_bridge/sources/_bridge_builder.py",
    }  # fmt: skip
    gaps, old = json.loads(after[GAPS]), json.loads(before[GAPS])
    assert [gap for gap in old["gaps"] if gap in gaps["gaps"]] == gaps["gaps"]
    assert gaps["total_unsupported_architectures"] == len(gaps["gaps"]) == 484 - 27
    assert gaps["total_unsupported_models"] == sum(gap["total_models"] for gap in gaps["gaps"])
    # Only lines that go, or that come: none is changed.
    added = git(upstream, "diff", "--numstat", "--", INIT, REPORT).split()
    assert [added[0], added[1], added[3], added[4]] == ["0", "3", "25", "0"]
    assert not fixed(left)


#: What only a person can fix, fixed.
BY_HAND = {
    "gemma2": {"final_logit_softcapping": "output_logits_soft_cap",
               "attn_logit_softcapping": "attn_scores_soft_cap"},
    "nanochat": {"final_logit_softcapping": "output_logits_soft_cap",
                 '"logits_soft_cap"': '"output_logits_soft_cap"'},
    "hrm_text": {"num_key_value_heads": "n_key_value_heads", "num_attention_heads": "n_heads"},
    "recurrent_gemma": {'"logits_soft_cap"': '"output_logits_soft_cap"'},
    "nemotron_h": {"adapter for NemotronHForCausalLM.": "adapter for hybrids."},
    "zamba2": {"adapter for Zamba2ForCausalLM.": "adapter for hybrids."},
    "mamba": {"Wraps HF's MambaForCausalLM.": "Mamba."},
    "mamba2": {"Wraps HF's Mamba2ForCausalLM.": "Mamba-2."},
    "jetmoe": {"adapter for JetMoeForCausalLM models.": "adapter for JetMoe models."},
}  # fmt: skip


def test_a_fixed_checkout_says_so(upstream: Path, run: Run) -> None:
    for module, replacements in BY_HAND.items():
        for old, new in replacements.items():
            replace(upstream / PACKAGE / f"{module}.py", old, new)
    done = run("audit", upstream, "--fix")
    assert (done.code, done.out) == (0, "")
    assert done.err.endswith("Fine: no findings in TransformerLens 4.3.0.\n")


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text, f"{old!r} is not in {file}"
    file.write_text(text.replace(old, new), encoding="utf-8")


#: What is replaced in which file; what then is found, of what, and whether it can be fixed.
MISTAKES: tuple[tuple[str, str, str, str, str, bool], ...] = (
    (REGISTRY, '    "OPTForCausalLM",\n', "", "missing-entry", "OPTForCausalLM", True),
    (REGISTRY, '    "Phi3ForCausalLM": [', '    "Phi9ForCausalLM": [', "missing-entry",
     "Phi3ForCausalLM", False),
    (REGISTRY, '    "Phi9ForCausalLM": [', '    "Phi9ForCausalLM": [', "extra-entry",
     "Phi9ForCausalLM", False),
    (INIT, '    "LlamaArchitectureAdapter",\n', "", "missing-entry", "LlamaArchitectureAdapter",
     True),
    (INIT, '    "OptArchitectureAdapter",\n', '    "OptAdapter",\n', "wrong-class", "OptAdapter",
     False),
    (FACTORY, '    "FalconForCausalLM": FalconArchitectureAdapter,\n', "", "extra-entry",
     "FalconForCausalLM", False),
    (FACTORY, '"BloomModel": BloomArchitectureAdapter', '"BloomModel": BloomAdapter',
     "wrong-class", "BloomModel", False),
    (FACTORY, '"BertLMHeadModel": BertArchitectureAdapter',
     '"BertLMHeadModel": ArchitectureAdapter', "wrong-class", "BertLMHeadModel", False),
    (FACTORY, '    "PhiForCausalLM": PhiArchitectureAdapter,\n',
     '    "PhiForCausalLM": PhiArchitectureAdapter,\n    "PhiForCausalLM": OptAdapter,\n',
     "double-entry", "PhiForCausalLM", False),
    (REGISTRY, '    "ViTModel",\n', '    "ViTModel",\n    "ViTModel",\n', "double-entry",
     "ViTModel", True),
    (f"{PACKAGE}/llama.py", "class LlamaArchitectureAdapter(",
     "class OtherArchitectureAdapter(ArchitectureAdapter):\n    pass\n\n\n"
     "class LlamaArchitectureAdapter(", "never-registered", "OtherArchitectureAdapter", False),
    (REPORT, '    "GPTJForCausalLM": ', '    "GPTJForNothing": ', "missing-description",
     "GPTJForCausalLM", True),
    (GAPS, '"architecture_id": "DFlashDraftModel"', '"architecture_id": "LlamaForCausalLM"',
     "supported-in-gaps", "LlamaForCausalLM", True),
    (MODELS, '"architecture_id": "RobertaForMaskedLM"', '"architecture_id": "NoneForCausalLM"',
     "extra-entry", "NoneForCausalLM", False),
    (f"{PACKAGE}/llama.py", "        super().__init__(cfg)\n",
     "        super().__init__(cfg)\n        width = getattr(self.cfg, \"odd_width\", 7)\n",
     "unreached-attribute", "LlamaArchitectureAdapter.odd_width", True),
)  # fmt: skip


def test_mistakes_are_found(base: Path, upstream: Path) -> None:
    for path, old, new, *_ in MISTAKES:
        replace(upstream / path, old, new)
    known = {(finding.code, finding.subject) for finding in audit(base).findings}
    found = {
        (finding.code, finding.subject): finding.fix is not None
        for finding in audit(upstream).findings
    }
    for *_, code, subject, fixable in MISTAKES:
        assert found.get((code, subject)) is fixable, (code, subject)
    more = found.keys() - known - {(code, subject) for *_, code, subject, _ in MISTAKES}
    # What follows from them.
    assert more == {
        ("wrong-class", "PhiForCausalLM"),
        ("never-registered", "FalconArchitectureAdapter"),
        ("missing-entry", "OptArchitectureAdapter"),
    }


def test_every_code_is_provoked() -> None:
    assert {code for *_, code, _, _ in MISTAKES} == set(
        error_codes("Registries of TransformerLens")
    )


def test_an_export_leaves_nothing_to_find(upstream: Path, new_spec: Path, run: Run) -> None:
    before = audit(upstream).findings
    assert run("export", new_spec, "--into", upstream, "--no-check").code == 0
    after = audit(upstream).findings
    assert counts(after) == counts(before)
    assert not [finding for finding in after if "Heron" in finding.subject]


def test_for_programs(base: Path, run: Run) -> None:
    schema = json.loads(resources.schema("audit").read_text(encoding="utf-8"))
    done = run("audit", base, "--json", "-")
    data = json.loads(done.out)
    jsonschema.validate(data, schema)
    assert data["counts"]["supported-in-gaps"] == 27 and data["exit_code"] == done.code == 1
    assert set(schema["$defs"]["AuditFinding"]["properties"]["code"]["enum"]) == set(
        error_codes("Registries of TransformerLens")
    )


def test_for_github(base: Path, run: Run) -> None:
    done = run("audit", base, "--format", "github")
    lines = done.out.splitlines()
    assert done.code == 1 and len(lines) == 74
    assert all(re.match(r"::error file=[\w/.]+,line=\d+,title=[a-z-]+::\S", one) for one in lines)


def test_only_a_named_checkout_is_changed(run: Run, tmp_path: Path) -> None:
    done = run("audit", "--fix")
    assert done.code == 2 and "audit PATH --fix" in done.err
    done = run("audit", tmp_path)
    assert done.code == 2 and "is not TransformerLens" in done.err


@pytest.mark.heavy
def test_the_installed_one_is_audited_without_a_path(run: Run) -> None:
    done = run("audit")
    assert done.code == 1 and "findings in TransformerLens" in done.err
    assert "NemotronHArchitectureAdapter reads cfg.mamba_num_heads" in done.out
