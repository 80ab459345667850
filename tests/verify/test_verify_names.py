"""A name in a spec that HF does not have is one finding, at its line, with the name to write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from verify_support import Project, Result, read

pytestmark = pytest.mark.heavy

Run = Callable[..., Result]
SPEC = "nemotron_h.yaml"
KIND = ("blocks", "kind")
LATENT = ("blocks", "kinds", "moe", "add", "latent_in", "when")


def findings(run: Run, project: Project, tmp_path: Path, *options: str) -> list[dict[str, Any]]:
    """What is found, each once however many models have it, with the text of its line."""
    file = tmp_path / "found.json"
    result = run(project.spec, *options, "--json", file)
    assert result.code == 1, result.out + result.err
    assert "other findings" not in result.out
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for one in read(file)["failures"]:
        found.setdefault((one["what"], one["spec_line"]), one)
    return [
        {**one, "text": project.line(one["file"].rpartition("/specs/")[2], line)}
        for (_, line), one in found.items()
    ]


@pytest.mark.parametrize("tier", ["tiny", "width", "full"])
@pytest.mark.parametrize(
    ("keys", "wrong", "what", "hint"),
    [
        (
            (*KIND, "attribute"),
            "block_typ",
            "`NemotronHBlock` has no attribute `block_typ`",
            "did you mean `block_type`?",
        ),
        (
            (*KIND, "listed_in"),
            "layer_block_type",
            "object has no attribute 'layer_block_type'",
            "did you mean `layers_block_type`?",
        ),
    ],
)
def test_where_the_kind_is_told(
    run: Run,
    project: Project,
    tmp_path: Path,
    tier: str,
    keys: tuple[str, ...],
    wrong: str,
    what: str,
    hint: str,
) -> None:
    project.change(SPEC, *keys, to=wrong)
    (found,) = findings(run, project, tmp_path, "--tier", tier)
    assert what in found["what"]
    assert found["mend"] == hint
    assert wrong in found["text"]


def test_a_path_below_a_module(run: Run, project: Project, tmp_path: Path) -> None:
    project.change(SPEC, *LATENT[:-1], "path", to="fc1_latent_prj")
    (found,) = findings(run, project, tmp_path)
    assert found["what"] == "HF has no module fc1_latent_prj for mlp.latent_in"
    # Below the path of the kind, which is written once, with the kind.
    assert found["mend"] == "did you mean `fc1_latent_proj`?"
    assert "fc1_latent_prj" in found["text"]


def test_a_condition(run: Run, project: Project, tmp_path: Path) -> None:
    project.change(SPEC, *LATENT, to="moe_latent_sise")
    (found,) = findings(run, project, tmp_path)
    assert "has no attribute 'moe_latent_sise'" in found["what"]
    assert found["mend"] == "did you mean `moe_latent_size`?"
    assert "moe_latent_sise" in found["text"]


def test_fields_of_the_tiny_model(run: Run, project: Project, tmp_path: Path) -> None:
    project.change(SPEC, "tiny", "config", "hidden_sise", to=32)
    project.change(SPEC, "tiny", "config", "hidden_size")
    project.change(SPEC, "tiny", "branches", "latent_experts", "moe_latent_sise", to=16)
    size, latent = findings(run, project, tmp_path)
    assert size["what"] == "`NemotronHConfig` has no field `hidden_sise`"
    assert size["mend"] == "did you mean `hidden_size`?"
    assert "hidden_sise" in size["text"]
    assert latent["what"] == "`NemotronHConfig` has no field `moe_latent_sise`"
    assert "moe_latent_sise" in latent["text"]


def test_a_value_that_hf_refuses(run: Run, project: Project, tmp_path: Path) -> None:
    project.change(SPEC, "tiny", "config", "n_groups", to="two")
    first, *_ = findings(run, project, tmp_path)
    assert "n_groups" in first["what"]
    assert "look at what this message names" in first["mend"]


@pytest.mark.parametrize(
    ("flag", "wrong", "expected"),
    [
        ("normalization_type", "RSM", "`RMS` or `RMSPre`"),
        ("uses_rms_norm", False, "`True`"),
        ("final_rms", False, "`True`"),
        ("positional_embedding_type", "rotary", "`none` or `alibi`"),
        ("positional_embedding_type", "standard", "`none` or `alibi`"),
    ],
)
def test_flags(
    run: Run, project: Project, tmp_path: Path, flag: str, wrong: object, expected: str
) -> None:
    project.change(SPEC, "config", "flags", flag, to=wrong)
    project.change(SPEC, "tiny", "branches")
    # With another flag TransformerLens may offer other hooks too.
    every = findings(run, project, tmp_path)
    (found,) = [one for one in every if one["check"] == "flags"]
    assert found["file"].endswith(SPEC)
    assert f"cfg.{flag} is not what the model has" in found["what"]
    assert (found["expected"], found["measured"]) == (expected, str(wrong))
    assert flag in found["text"]
