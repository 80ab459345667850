"""The emitted test on a checkpoint, with accelerate spreading it, and with a wrong adapter.

On a single file and on shards in memory it runs with the other tests, in `test_nh_emitted.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nemotron_h_support import GENERATED, RUNTIME, copy_generated, run_pytest, save_checkpoint
from safetensors.torch import load_file, save_file

CHECKPOINT_TEST = GENERATED / "tests/integration/model_bridge/test_nemotron_h_adapter.py"
# Notes, in the process of the emitted test, where the weights are when the model is there.
WITNESS = """
import json, os, pytest

@pytest.fixture(autouse=True)
def witness(model):
    places = {}
    for weight in model.parameters():
        places[weight.device.type] = places.get(weight.device.type, 0) + 1
    with open(os.environ["WITNESS"], "w") as file:
        json.dump({"weights": places, "map": getattr(model, "hf_device_map", {})}, file)
"""


def check(folder: Path, **env: str) -> dict[str, Any]:
    """Run the emitted test on a folder; what its process saw of the weights' places."""
    (folder / "witness.py").write_text(WITNESS, encoding="utf-8")
    seen = folder / "seen.json"
    result = run_pytest(
        *("-p", "witness", CHECKPOINT_TEST),
        env={
            "NEMOTRON_H_CHECKPOINT": str(folder),
            "PYTHONPATH": str(folder),
            "WITNESS": str(seen),
            **env,
        },
    )
    assert result.returncode == 0, result.stdout
    assert "2 passed" in result.stdout
    made: dict[str, Any] = json.loads(seen.read_text())
    return made


def test_shards_dispatched_over_memory_and_disk(tmp_path: Path) -> None:
    assert len(save_checkpoint(tmp_path, max_shard_size="40KB")) > 3
    seen = check(tmp_path, NEMOTRON_H_CPU_MEMORY="120KB")
    assert seen["weights"].keys() == {"cpu", "meta"}
    assert set(seen["map"].values()) == {"cpu", "disk"}


def test_a_wrong_adapter_fails_it(tmp_path: Path) -> None:
    """Else the above would prove little: this one forgets an activation while hooks are there."""
    folder = copy_generated(tmp_path / "generated")
    (taps,) = folder.parent.joinpath(RUNTIME).rglob("tapped_call.py")
    text = taps.read_text(encoding="utf-8")
    right, wrong = "activate(result) if activate else result", "result"
    assert text.count(right) == 1
    taps.write_text(text.replace(right, wrong), encoding="utf-8")
    checkpoint = tmp_path / "checkpoint"
    save_checkpoint(checkpoint)
    result = run_pytest(
        folder / CHECKPOINT_TEST.relative_to(GENERATED),
        env={"NEMOTRON_H_CHECKPOINT": str(checkpoint)},
        cwd=tmp_path,
    )
    assert result.returncode == 1, result.stdout
    assert re.findall(r"^FAILED .*::(\w+)", result.stdout, re.MULTILINE) == ["test_logits"]


def cut_expert(weights: dict[str, Any]) -> None:
    name = "backbone.layers.2.mixer.experts.0.up_proj.weight"
    weights[name] = weights[name][:-1].clone()


def drop_and_rename(weights: dict[str, Any]) -> None:
    del weights["backbone.layers.4.mixer.A_log"]
    weights["backbone.words.weight"] = weights.pop("backbone.embeddings.weight")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (cut_expert, ["model.layers.2.mixer.experts.up_proj: not converted: "]),
        (
            drop_and_rename,
            [
                "model.embeddings.weight: missing in the checkpoint",
                "model.layers.4.mixer.A_log: missing in the checkpoint",
                "model.words.weight: unexpected: ",
            ],
        ),
    ],
)
def test_weights_that_did_not_load_fail_it(
    tmp_path: Path, edit: Callable[[dict[str, Any]], None], said: list[str]
) -> None:
    assert save_checkpoint(tmp_path) == ["model.safetensors"]
    file = tmp_path / "model.safetensors"
    weights = load_file(file)
    edit(weights)
    save_file(weights, file, metadata={"format": "pt"})
    result = run_pytest(CHECKPOINT_TEST, env={"NEMOTRON_H_CHECKPOINT": str(tmp_path)})
    assert result.returncode == 1, result.stdout
    assert "2 errors" in result.stdout
    for line in said:
        # As what was asserted, not as a line of the log.
        assert re.search(rf"^E +(AssertionError: )?{re.escape(line)}", result.stdout, re.MULTILINE)


def test_code_of_the_checkpoint_is_not_run(tmp_path: Path) -> None:
    """Not even when whoever would be asked said yes beforehand."""
    save_checkpoint(tmp_path)
    file = tmp_path / "tokenizer_config.json"
    config = json.loads(file.read_text())
    del config["tokenizer_class"]
    config["auto_map"] = {"AutoTokenizer": [None, "own.OwnTokenizer"]}
    file.write_text(json.dumps(config))
    (tmp_path / "own.py").write_text(f"open({str(tmp_path / 'was_run')!r}, 'w')")
    result = run_pytest(
        *("-s", "--tb=line", CHECKPOINT_TEST),
        env={"NEMOTRON_H_CHECKPOINT": str(tmp_path), "HF_MODULES_CACHE": str(tmp_path / "cache")},
        stdin="y\n" * 9,
    )
    assert not (tmp_path / "was_run").exists()
    assert "Do you wish" not in result.stdout
    assert "trust_remote_code=True" in result.stdout
