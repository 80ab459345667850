"""The checkpoint tier, on tiny models that are saved first: a file or shards, memory or disk."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from verify_support import SPEC, Result, read

pytestmark = pytest.mark.heavy

Run = Callable[..., Result]
OFFLOADED = ("--device-map", "auto", "--max-memory", "cpu=60KB")
#: Doubles the output of every mixer of a kind.
TWICE = """
class TwiceStateSpaceMixerBridge(StateSpaceMixerBridge):
    def forward(self, *args, **kwargs):
        return 2 * super().forward(*args, **kwargs)
"""


@pytest.fixture(scope="module")
def folders(
    tmp_path_factory: pytest.TempPathFactory, saved_config: Callable[..., Any]
) -> dict[str, Path]:
    """A model saved as one file in float32, and in shards in bfloat16."""
    around = tmp_path_factory.mktemp("checkpoints")
    whole, shards = around / "whole", around / "shards"
    saved_config("float32").save_pretrained(whole)
    # HF's grouped experts take sizes in bfloat16 that are multiples of 8 only: these are.
    saved_config("bfloat16").save_pretrained(shards, max_shard_size="40KB")
    assert len(list(whole.glob("*.safetensors"))) == 1
    assert len(list(shards.glob("*.safetensors"))) > 1
    return {"whole": whole, "shards": shards}


@pytest.mark.parametrize("held", [(), OFFLOADED], ids=["memory", "disk"])
@pytest.mark.parametrize(("name", "dtype"), [("whole", "float32"), ("shards", "bfloat16")])
def test_what_was_saved_is_as_promised(
    run: Run, folders: dict[str, Path], tmp_path: Path, name: str, dtype: str, held: tuple[str, ...]
) -> None:
    file = tmp_path / "found.json"
    where = ("--checkpoint", folders[name], "--tier", "checkpoint")
    result = run(SPEC, *where, *held, "--json", file)
    assert result.code == 0, result.out + result.err
    found = read(file)
    (model,) = found["specs"][0]["models"]
    assert model["dtype"] == dtype
    assert model["prompt"] == "random token ids"
    assert ("disk" in model["placement"]) == bool(held)
    (parity,) = found["parity"]["nemotron_h"].values()
    assert parity == dict.fromkeys(
        ("plain", "with_cache", "run_with_cache", "run_with_cache_uncached"), 0.0
    )
    (generation,) = found["generation"]["nemotron_h"].values()
    assert generation == {"with_cache": True}
    assert model["measured"]["generated tokens"] == 8
    assert "mixer.conv1d.hook_out" in found["hooks"]["fired"]["nemotron_h"]["linear_attention"]


def test_another_dtype_than_that_of_the_weights(
    run: Run, folders: dict[str, Path], tmp_path: Path
) -> None:
    file = tmp_path / "found.json"
    options = ("--dtype", "bfloat16", "--device", "cpu", "--offload-folder", tmp_path)
    where = ("--tier", "checkpoint", "--checkpoint", folders["whole"])
    assert run(SPEC, *where, *options, *OFFLOADED, "--json", file).code == 0
    assert read(file)["specs"][0]["models"][0]["dtype"] == "bfloat16"


def test_a_mistake_shows_on_real_weights(folders: dict[str, Path]) -> None:
    from adaptergen.generate import plan
    from adaptergen.render.adapter import render_adapter
    from adaptergen.verify.checkpoint import Placement, checkpoint
    from adaptergen.verify.target import load_target

    text = render_adapter(plan(SPEC))
    old = "class NemotronHArchitectureAdapter("
    new = f"{TWICE}\n\n{old}"
    mixer = "StateSpaceMixerBridge("
    assert text.count(old) == text.count(mixer) == 1
    text = text.replace(mixer, f"Twice{mixer}")
    target = load_target(SPEC, text.replace(old, new))
    (report,) = checkpoint(target, Placement(str(folders["whole"])))
    assert {"parity", "generation"} <= {finding.check for finding in report.findings}
    assert report.parity["plain"] > 0
    assert report.generation == {"with_cache": False}


#: Code as checkpoints bring it, where transformers looks for it.
BROUGHT = """
from pathlib import Path
Path({folder!r}, "was_run").touch()
from transformers import PreTrainedTokenizerFast

class OwnTokenizer(PreTrainedTokenizerFast):
    pass

class OwnConfig:
    pass
"""


@pytest.fixture
def with_code(tmp_path: Path, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint with code for everything; whoever asks whether to run it is told to."""
    from transformers import dynamic_module_utils

    cache = tmp_path / "modules"
    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(cache))
    monkeypatch.setattr(sys, "path", [*sys.path, str(cache)])
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 9))
    folder = tmp_path / "with_code"
    copytree(folders["whole"], folder)
    for name in ("own.py", "custom_generate/generate.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(BROUGHT.format(folder=str(folder)))
    classes = {
        "AutoConfig": "own.OwnConfig",
        "AutoModelForCausalLM": "own.OwnForCausalLM",
        "AutoTokenizer": [None, "own.OwnTokenizer"],
    }
    config = {**json.loads((folder / "config.json").read_text()), "auto_map": classes}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(json.dumps({"auto_map": classes}))
    return folder


def test_code_of_a_checkpoint_is_not_run(run: Run, with_code: Path, tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    result = run(SPEC, "--tier", "checkpoint", "--checkpoint", with_code, "--json", file)
    assert not (with_code / "was_run").exists()
    assert "Do you wish" not in result.out + result.err
    assert result.code == 0, result.out + result.err
    assert read(file)["specs"][0]["models"][0]["prompt"] == "random token ids"


def test_code_of_a_checkpoint_is_run_when_it_is_trusted(run: Run, with_code: Path) -> None:
    """Else the test above would say little: the code is where transformers looks for it."""
    where = ("--tier", "checkpoint", "--checkpoint", with_code, "--trust-remote-code")
    result = run(SPEC, *where)
    assert (with_code / "was_run").exists()
    assert "Do you wish" not in result.out + result.err


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "cannot be loaded"),
        ({"architectures": ["LlamaForCausalLM"], "model_type": "llama"}, "is of LlamaForCausalLM"),
        ({"model_type": "nemotron_h"}, "is of no known architecture"),
    ],
)
def test_what_cannot_be_loaded(
    run: Run, tmp_path: Path, config: dict[str, Any] | None, message: str
) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(json.dumps(config))
    result = run(SPEC, "--tier", "checkpoint", "--checkpoint", tmp_path)
    assert result.code == 2
    assert message in result.err
    assert "hint: " in result.err
    assert "Traceback" not in result.err
