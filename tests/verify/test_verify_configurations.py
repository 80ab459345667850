"""The tiers on the configurations of real checkpoints."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from verify_support import ROOT, SPEC, Result, read

from adaptergen.generate import plan
from adaptergen.verify.environment import configs

pytestmark = pytest.mark.heavy

Run = Callable[..., Result]
NAMES = plan(SPEC).spec.checkpoints
#: Processor seconds and bytes that the full tier may take for all four.
FULL_SECONDS, FULL_BYTES = 10.0, 1e9


def test_whole_configurations(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    command = [sys.executable, "-m", "adaptergen", "verify", str(SPEC), "--tier", "full"]
    result = subprocess.run(
        [*command, "--json", str(file)], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stdout + result.stderr
    found = read(file)
    models = {model["model"]: model for model in found["specs"][0]["models"]}
    assert {name: round(model["parameters"] / 1e9, 2) for name, model in models.items()} == {
        "nvidia/NVIDIA-Nemotron-Nano-9B-v2": 8.89,
        "nvidia/Nemotron-H-8B-Base-8K": 8.10,
        "nvidia/NVIDIA-Nemotron-Nano-12B-v2-Base": 12.31,
        "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": 31.58,
    }
    assert found["peak_memory_bytes"] is None or found["peak_memory_bytes"] < FULL_BYTES
    dimensions = found["dimensions"]["nemotron_h"]
    assert dimensions["nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16"]["conv_dim"]["measured"] == 6144
    assert dimensions["nvidia/NVIDIA-Nemotron-Nano-9B-v2"]["conv_dim"]["measured"] == 12288
    for model in models.values():
        assert (
            min(model["measured"][name] for name in ("paths", "weights", "hooks", "aliases")) > 99
        )


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not count so")
def test_the_peak_of_memory_is_that_of_the_process_itself() -> None:
    """Linux counts what a process held that starts another one as that other's too."""
    from adaptergen.verify.environment import peak_memory

    command = "from adaptergen.verify.environment import peak_memory; print(peak_memory())"
    held = bytearray(300 * 1024**2)
    held[::4096] = b"x" * len(held[::4096])
    told = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    own = peak_memory()
    assert own is not None and int(told.stdout) < len(held) < own


def test_whole_configurations_are_quick() -> None:
    from adaptergen.verify.target import load_target
    from adaptergen.verify.tiers import full

    target = load_target(SPEC)
    began = time.process_time()
    full(target, configs(target.plan.spec.architecture, []))
    assert time.process_time() - began < FULL_SECONDS


def test_a_configuration_of_the_user(run: Run, tmp_path: Path) -> None:
    known = configs("NemotronHForCausalLM", [])[0].fields
    pattern = {"hybrid_override_pattern": "M*E-", "num_hidden_layers": 4, "moe_latent_size": 64}
    (tmp_path / "config.json").write_text(json.dumps({**known, **pattern}))
    file = tmp_path / "found.json"
    assert run(SPEC, "--tier", "full", "--config", tmp_path, "--json", file).code == 0
    found = read(file)
    assert found["specs"][0]["models"][-1]["model"] == tmp_path.as_posix()
    assert "mlp.latent_in.hook_out" in found["hooks"]["declared"]["nemotron_h"]["moe"]


def test_a_kind_that_the_spec_does_not_know(run: Run, tmp_path: Path) -> None:
    known = configs("NemotronHForCausalLM", [])[0].fields
    (tmp_path / "config.json").write_text(json.dumps({**known, "hybrid_override_pattern": "M?"}))
    file = tmp_path / "found.json"
    result = run(SPEC, "--tier", "full", "--config", tmp_path, "--json", file)
    assert result.code == 1
    (failure,) = read(file)["failures"]
    assert (failure["check"], failure["model"]) == ("full tier", tmp_path.as_posix())


def width_of(name: str) -> Any:
    """The report of one configuration."""
    from adaptergen.verify.target import load_target
    from adaptergen.verify.tiers import width

    target = load_target(SPEC)
    chosen = [known for known in configs(target.plan.spec.architecture, []) if known.name == name]
    (report,) = width(target, chosen)
    return report


#: Runs always: a mixture of experts. The other three have an MLP instead, and wider layers.
QUICKEST = "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name == QUICKEST else pytest.mark.long) for name in NAMES],
)
def test_real_widths(name: str) -> None:
    report = width_of(name)
    assert not report.findings
    assert report.dtype == "bfloat16"
    assert set(report.parity.values()) == {0.0}
    assert report.generation == {"with_cache": True, "without_cache": True}
    assert report.reduced["layers"].startswith("3 of ")
    assert report.reduced["vocab_size"].startswith("512 of ")
    assert report.reduced.get("n_routed_experts", "8 of 128") == "8 of 128"
    assert report.measured["edits"] > 40
