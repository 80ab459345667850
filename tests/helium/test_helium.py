"""The generated Helium adapter, for an architecture that TransformerLens has no adapter for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "specs" / "helium.yaml"


def bridge_and_logits(dtype: str):
    """A bridge around a tiny model in this type, tokens, and what HF makes of them."""
    import torch

    from adaptergen.contract.models import hf_config, random_model, wrap
    from adaptergen.verify.target import load_target

    target = load_target(SPEC)
    model = random_model(
        target.architecture, hf_config(target.architecture, target.plan.spec.tiny.config), dtype
    )
    tokens = torch.randint(3, 64, (2, 17), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = model(tokens).logits
    return wrap(target.architecture, target.adapter, model, "tiny"), tokens, expected


def test_transformer_lens_has_no_adapter():
    from transformer_lens.factories import architecture_adapter_factory as factory

    assert "HeliumForCausalLM" not in factory.SUPPORTED_ARCHITECTURES


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_logits_are_those_of_hf(dtype):
    """TransformerLens' own attention rotates otherwise, which coarser types show."""
    import torch

    bridge, tokens, expected = bridge_and_logits(dtype)
    with torch.no_grad():
        assert torch.equal(bridge(tokens), expected)
        logits, cache = bridge.run_with_cache(tokens)
    assert torch.equal(logits, expected)
    assert "blocks.0.attn.hook_rot_q" in cache


def test_emitted_tests_are_green():
    command = [sys.executable, "-m", "pytest", "-q", "--import-mode=importlib", "-m", "not slow"]
    command += ["-p", "no:cacheprovider", "."]
    folder = ROOT / "generated" / "helium"
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-3000:]


def test_published_configuration():
    from adaptergen.verify.environment import configs
    from adaptergen.verify.target import load_target
    from adaptergen.verify.tiers import full

    target = load_target(SPEC)
    (report,) = full(target, configs(target.plan.spec.architecture, []))
    assert report.findings == []
    # The file of its weights has 4.35 GB, in two bytes each.
    assert (report.model, report.parameters) == ("kyutai/helium-1-preview-2b", 2_172_643_840)
