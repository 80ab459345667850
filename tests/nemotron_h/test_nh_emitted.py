"""The emitted tests: they are green, they see the adapter beside them, and upstream's way suits."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from nemotron_h_support import ADAPTER, GENERATED, copy_generated, run_pytest, save_checkpoint

UPSTREAM = "--jaxtyping-packages=transformer_lens,beartype.beartype"


def outcome(text: str) -> dict[str, int]:
    return {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error)", text)}


def assert_green(result: subprocess.CompletedProcess[str]) -> None:
    assert result.returncode == 0, result.stdout
    assert outcome(result.stdout).keys() == {"passed"}


def test_are_green(tmp_path: Path) -> None:
    """With the one that needs a checkpoint, which finds one in a single file."""
    assert save_checkpoint(tmp_path) == ["model.safetensors"]
    result = run_pytest(GENERATED, env={"NEMOTRON_H_CHECKPOINT": str(tmp_path)})
    assert_green(result)
    assert "deselected" not in result.stdout


@pytest.mark.long
def test_are_green_as_upstream_runs_them(tmp_path: Path) -> None:
    """Under types checked at run time, which takes its time: one of the two tiny models.

    Here the checkpoint is in shards.
    """
    assert len(save_checkpoint(tmp_path, max_shard_size="40KB")) > 3
    options = (UPSTREAM, "-k", "not latent_experts")
    assert_green(run_pytest(GENERATED, *options, env={"NEMOTRON_H_CHECKPOINT": str(tmp_path)}))


def test_use_the_adapter_beside_them_and_not_the_installed_one(tmp_path: Path) -> None:
    """One number of a copy is wrong: that copy's tests fail, and only where the number matters."""
    folder = copy_generated(tmp_path)
    adapter = folder / ADAPTER
    right, wrong = "+ 2 * cfg.n_groups", "+ 3 * cfg.n_groups"
    text = adapter.read_text(encoding="utf-8")
    assert text.count(right) == 1
    adapter.write_text(text.replace(right, wrong), encoding="utf-8")

    result = run_pytest(folder / "tests" / "unit", "-m", "not slow", cwd=tmp_path)

    assert result.returncode == 1, result.stdout
    failed = set(re.findall(r"^FAILED .*::(\w+)", result.stdout, re.MULTILINE))
    assert failed == {"test_structure"}
    told = re.findall(r"cfg of an adapter (.*): (\w+)$", result.stdout, re.MULTILINE)
    assert sorted(set(told)) == [
        ("that is bound to a model", "conv_dim"),
        ("whose cfg has HF's fields", "conv_dim"),
    ]
