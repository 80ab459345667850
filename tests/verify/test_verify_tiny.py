"""The tiny tier on the spec as it is."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from verify_support import ROOT, SPEC, read

from adaptergen.generate import generate, plan
from adaptergen.plan.model import layer_tables
from adaptergen.render.adapter import render_adapter
from adaptergen.render.templates import format_python

pytestmark = pytest.mark.heavy

#: Processor seconds for both branches; a mistake that costs much shows, a busy machine does not.
SECONDS = 8.0


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the command writes, run in a process of its own, and its table."""
    file = tmp_path_factory.mktemp("verify") / "found.json"
    command = [sys.executable, "-m", "adaptergen", "verify", "specs/nemotron_h.yaml"]
    result = subprocess.run(
        [*command, "--json", str(file)], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return {**read(file), "table": result.stdout}


def test_all_is_as_promised(found: dict[str, Any]) -> None:
    assert (found["outcome"], found["failures"]) == ("fine", [])
    branches = found["parity"]["nemotron_h"]
    assert set(branches) == {"default", "latent_experts"}
    for parity in branches.values():
        assert parity.pop("with eager_scan", 0.0) < 1e-3
        assert parity.pop("with set_use_attn_result", 0.0) < 1e-5
        assert parity.pop("in compatibility mode", 0.0) < 1e-5
        assert set(parity.values()) == {0.0}
    generation = found["generation"]["nemotron_h"]
    assert generation["default"] == dict.fromkeys(
        ("with_cache", "without_cache", "left_padded"), True
    )
    assert generation["latent_experts"]["with_cache"]


def test_every_hook_of_the_plan_is_counted(found: dict[str, Any]) -> None:
    made = plan(SPEC)
    expected = {kind: {row.name for row in rows} for kind, rows in layer_tables(made)}
    hooks = {
        state: {kind: set(names) for kind, names in by_kind["nemotron_h"].items()}
        for state, by_kind in found["hooks"].items()
    }
    assert hooks["declared"] == {**expected, "model": {row.name for row in made.model_hooks}}
    assert not any(hooks["undeclared"].values())
    for kind, names in hooks["declared"].items():
        assert hooks["fired"][kind] | hooks["silent"][kind] == names
    asked = {"mixer.hook_ssm_state", "mixer.hook_ssm_write"}
    assert hooks["silent"]["linear_attention"] == asked


def test_dimensions_are_those_of_hf(found: dict[str, Any]) -> None:
    dimensions = found["dimensions"]["nemotron_h"]["default"]
    assert dimensions["mamba_intermediate_size"] == {"expected": 48, "measured": 48}
    assert dimensions["conv_dim"] == {"expected": 112, "measured": 112}
    assert dimensions["n_groups"]["measured"] == 2


def test_nothing_was_passed_over(found: dict[str, Any]) -> None:
    (spec,) = found["specs"]
    first, second = (model["measured"] for model in spec["models"])
    looked_at = (
        "paths", "dimensions", "weights", "hooks", "aliases", "shapes", "residuals", "edits",
        "generated tokens", "hooks on request", "state-space analyses", "runs of HF alone",
        "tokens of a call", "gradients", "copies", "threads", "products", "components alone",
    )  # fmt: skip
    assert all(first[name] > 0 for name in looked_at)
    # Rows of 16 tokens: two prompts of two rows, one chain over nine lengths, nine padded rows.
    assert first["generated tokens"] == 16 * 2 * 2 + 24 * 2 + 16 * 9
    assert 0 < second["edits"] < first["edits"]


def test_the_table_says_it_for_people(found: dict[str, Any]) -> None:
    table = found["table"]
    assert "NemotronHForCausalLM (specs/nemotron_h.yaml), tiny tier" in table
    assert "linear_attention        19     17       2           0" in table
    assert table.rstrip().splitlines()[-1].startswith("Fine: all as promised on 2 models")


def test_it_measures_what_a_build_writes() -> None:
    files = {name: text.decode() for name, text in generate(SPEC).files.items()}
    (adapter,) = (text for name, text in files.items() if name.startswith("transformer_lens/"))
    assert format_python(render_adapter(plan(SPEC))) == adapter


def test_it_is_quick_and_leaves_the_installed_adapter_alone() -> None:
    import time

    import torch

    from adaptergen.verify.target import load_target
    from adaptergen.verify.tiers import tiny
    from transformer_lens.factories import architecture_adapter_factory as factory

    registered = dict(factory.SUPPORTED_ARCHITECTURES)
    loaded = {name for name in sys.modules if "nemotron_h" in name and "transformer_lens" in name}
    target = load_target(SPEC)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    began = time.process_time()
    reports = tiny(target)
    assert time.process_time() - began < SECONDS
    assert not [finding for report in reports for finding in report.findings]
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    assert registered == factory.SUPPORTED_ARCHITECTURES
    assert target.adapter not in registered.values()
    now = {name for name in sys.modules if "nemotron_h" in name and "transformer_lens" in name}
    assert now == loaded
