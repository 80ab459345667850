"""Wrong targets of `inspect` and `init`: a sentence, what works instead, nothing written."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adaptergen.cli import main

pytestmark = pytest.mark.heavy

CONFIGS = Path(__file__).parent / "checkpoints"
LLAMA = json.loads((CONFIGS / "meta-llama--Meta-Llama-3.1-8B.json").read_text("utf-8"))
OSS = json.loads((CONFIGS / "openai--gpt-oss-120b.json").read_text("utf-8"))

commands = pytest.mark.parametrize("command", [["inspect"], ["init", "--no-verify"]])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `model` in the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    return tmp_path / "model"


def refused(
    command: list[str], target: str, capsys: pytest.CaptureFixture[str], *options: str
) -> str:
    """What the command says of a target that it refuses; it writes nothing."""
    before = sorted(Path().rglob("*"))
    assert main([*command, target, *options]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and "Traceback" not in captured.err
    assert captured.err.count("error[") == 1 and captured.err.count("= hint: ") == 1
    assert sorted(Path().rglob("*")) == before
    return captured.err


@commands
@pytest.mark.parametrize(
    ("config", "said", "hint"),
    [
        # A class without a causal model.
        (
            {"architectures": ["ViTForImageClassification"]},
            "`ViTForImageClassification` takes no tokens", "such as `LlamaForCausalLM`",
        ),
        # Classes that transformers does not have.
        (
            {"architectures": ["MiniMaxM3ForCausalLM"]},
            "no model class `MiniMaxM3ForCausalLM`", "did you mean `MiniMaxM3VLForCausalLM`",
        ),
        (
            {"architectures": ["DeciLMForCausalLM"],
             "auto_map": {"AutoModelForCausalLM": "modeling_decilm.DeciLMForCausalLM"}},
            "`modeling_decilm.py`, its code, is not in the folder", "put `modeling_decilm.py`",
        ),
        # A class that cannot be built, and one whose import fails.
        (
            {"architectures": ["CohereCompassForCausalLM"]},
            "no tiny `CohereCompassForCausalLM` runs: KeyError", "check the values",
        ),
        # Holes.
        (
            {**OSS, "layer_types": OSS["layer_types"][:10]},
            "`num_hidden_layers` (36) must be equal", "change `layer_types` in `config.json`",
        ),
        (
            {**LLAMA, "num_hidden_layers": None}, "expected int, got NoneType",
            "change `num_hidden_layers` in `config.json`; the default, 32, works",
        ),
        (
            {**LLAMA, "rope_scaling": {"rope_type": "llama3"}},
            "Missing required keys in `rope_parameters`", "change `rope_scaling`",
        ),
        # A model that cannot run.
        (
            {**LLAMA, "num_key_value_heads": -8}, "no tiny `LlamaForCausalLM` runs",
            "change `num_key_value_heads` in `config.json`; the default, 32, works",
        ),
    ],
)  # fmt: skip
def test_a_folder_that_is_no_use(
    config: dict[str, Any], said: str, hint: str, command: list[str], folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    text = refused(command, "model", capsys)
    assert text.startswith("model/config.json:1:1: error[")
    assert said in text and hint in text.partition("= hint: ")[2]


@commands
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read: Expecting value"),
        ("hello", "cannot be read: Expecting value"),
        ("[1, 2]", "holds no object"),
        ("{}", "names no architecture"),
    ],
)
def test_no_config_in_the_file(
    text: str, said: str, command: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "config.json").write_text(text, "utf-8")
    assert said in refused(command, "model", capsys)


@pytest.mark.parametrize("name", ["BertModel", "LlamaModel", "LlamaForSequenceClassification"])
def test_no_draft_of_a_model_without_logits(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(["init"], name, capsys)
    assert f"`{name}` has no output embeddings" in said
    assert f"`{'BertLMHeadModel' if 'Bert' in name else 'LlamaForCausalLM'}`" in said


@commands
def test_an_import_that_fails(
    command: list[str], folder: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    # The package is another one once something of it was imported.
    from transformers import LlamaForCausalLM

    import transformers  # isort: skip

    class LateForCausalLM(LlamaForCausalLM):
        def __init__(self, config: Any) -> None:
            import mamba_ssm_of_a_test  # noqa: F401

    monkeypatch.setattr(transformers, "LateForCausalLM", LateForCausalLM, raising=False)
    said = refused(command, "LateForCausalLM", capsys)
    assert "error[hf-import]" in said and "pip install mamba_ssm_of_a_test" in said


@commands
def test_a_forward_that_hangs(
    command: list[str], folder: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    import transformers

    monkeypatch.setattr(
        transformers.LlamaForCausalLM, "forward", lambda self, **kwargs: time.sleep(600)
    )
    said = refused(command, "LlamaForCausalLM", capsys, "--time-limit", "4")
    assert "took longer than 4 seconds" in said and "raise --time-limit" in said


@commands
def test_an_id_that_the_hub_does_not_answer_for(
    command: list[str], folder: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    import transformers.utils

    def cached_file(*_: Any, **__: Any) -> str:
        raise OSError("We couldn't connect to 'https://huggingface.co'")

    monkeypatch.setattr(transformers.utils, "cached_file", cached_file)
    said = refused(command, "owner/some-model", capsys)
    assert "`owner/some-model` is no folder here" in said and "couldn't connect" in said
    assert "check the id and the network" in said and "put its config.json into a folder" in said


class Hub(http.server.BaseHTTPRequestHandler):
    """A Hub with the config.json of one model."""

    body = json.dumps(LLAMA).encode()

    def do_HEAD(self) -> None:
        found = self.path.endswith("/owner/some-model/resolve/main/config.json")
        self.send_response(200 if found else 404)
        if found:
            self.send_header("ETag", '"0123456789abcdef0123456789abcdef01234567"')
            self.send_header("X-Repo-Commit", "89abcdef0123456789abcdef0123456789abcdef")
        else:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", str(len(self.body) if found else 0))
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(self.body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a command that asks a Hub of its own."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    home = {"HF_HOME": str(tmp_path / "hub"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    yield {**os.environ, **home, "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}"}
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_id_on_the_hub(folder: Path, hub: dict[str, str]) -> None:
    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "adaptergen", *arguments]
        return subprocess.run(command, env=hub, capture_output=True, text=True, check=False)

    done = call("inspect", "owner/some-model")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("LlamaForCausalLM, transformers ")
    done = call("init", "owner/some-model", "--no-verify")
    assert done.returncode == 0, done.stderr
    assert "rope_type: llama3" in Path("specs/llama.yaml").read_text("utf-8")
    done = call("inspect", "owner/no-model")
    assert done.returncode == 2 and "`owner/no-model` is no folder here" in done.stderr
    assert "Traceback" not in done.stderr
