"""`adaptergen inspect`: targets, output, and everything that can go wrong."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from adaptergen import resources
from adaptergen.cli import main
from adaptergen.facts import Facts
from adaptergen.problems.inspect_codes import INSPECT_CODES

heavy = pytest.mark.heavy

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 2048,
    "num_attention_heads": 32, "num_key_value_heads": 8, "attention_bias": True,
    "tie_word_embeddings": True, "torch_dtype": "bfloat16", "num_hidden_layers": 16,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return tmp_path


def valid(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(path.read_text())
    description = json.loads(resources.schema("inspect").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(description).validate(record)
    return record


@heavy
def test_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(folder.iterdir())
    assert main(["inspect", str(folder), "--json", str(folder / "facts.json")]) == 0
    out = capsys.readouterr().out
    assert "q_proj: LlamaAttention" not in out and "LlamaAttention" in out
    assert "tied: lm_head.weight = model.embed_tokens.weight" in out
    record = valid(folder / "facts.json")
    assert record["outcome"] == "fine" and record["target"] == str(folder)
    branch = Facts.model_validate(record["facts"]).branch()
    (kind,) = branch.kinds
    (k_proj,) = [m for m in kind.modules if m.path == "self_attn.k_proj"]
    # The values of the folder: a bias, and fewer heads for keys than for queries.
    assert set(k_proj.parameters) == {"weight", "bias"}
    assert k_proj.parameters["weight"].sizes[0] != k_proj.parameters["weight"].sizes[1]
    assert sorted(folder.iterdir()) == sorted([*before, folder / "facts.json"])


@heavy
def test_a_spec_and_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    spec = resources.specs() / "deepseek_v2.yaml"
    assert main(["inspect", str(spec), "--json", "-"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["facts"]["architecture"] == "DeepseekV2ForCausalLM"
    assert "layer[mlp=DeepseekV2Moe]" in captured.err


def fails(code: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, *args: str) -> str:
    """The command fails with this code alone, says how to mend it, and tells it in the record."""
    out = tmp_path / "failed.json"
    assert main(["inspect", *args, "--json", str(out)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"error[{code}]: " in captured.err and "= hint: " in captured.err
    assert "1 problem." in captured.err and "Traceback" not in captured.err
    (problem,) = valid(out)["problems"]
    assert problem["code"] == code
    return captured.err


@heavy
def test_no_such_class(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "did you mean `LlamaForCausalLM`?" in fails(
        "hf-class", capsys, tmp_path, "LamaForCausalLM"
    )


@heavy
def test_no_model_class(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    fails("hf-class", capsys, tmp_path, "DynamicCache")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read: No such file"),
        ("{", "cannot be read"),
        ("[]", "holds no object"),
        ("{}", "names no architecture"),
        ('{"architectures": [7]}', "names no architecture"),
        ("\xff", "cannot be read"),
    ],
)
@heavy
def test_no_folder_of_a_checkpoint(
    text: str | None, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / "config.json").write_text(text, encoding="latin-1")
    assert said in fails("hf-folder", capsys, tmp_path, str(tmp_path))


REMOTE = """
from pathlib import Path
Path(__file__).with_name("was_run").touch()
from transformers import LlamaConfig, LlamaForCausalLM

class OwnConfig(LlamaConfig):
    model_type = "own"

class OwnForCausalLM(LlamaForCausalLM):
    config_class = OwnConfig
"""


@pytest.fixture
def remote(folder: Path) -> Path:
    mapped = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnForCausalLM"}
    config = {**CONFIG, "architectures": ["OwnForCausalLM"], "auto_map": mapped}
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "own"}))
    (folder / "own.py").write_text(REMOTE)
    return folder


@heavy
def test_code_of_a_folder_is_not_run(remote: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--trust-remote-code" in fails("remote-code", capsys, remote, str(remote))
    assert not list(remote.rglob("was_run"))


@heavy
def test_a_class_of_transformers_needs_no_code(folder: Path) -> None:
    mapped = {"AutoModelForCausalLM": "evil.LlamaForCausalLM"}
    (folder / "config.json").write_text(json.dumps({**CONFIG, "auto_map": mapped}))
    (folder / "evil.py").write_text(REMOTE)
    assert main(["inspect", str(folder)]) == 0
    assert not list(folder.rglob("was_run"))


@heavy
def test_code_of_a_folder_that_is_trusted(
    remote: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(remote / "modules"))
    assert main(["inspect", str(remote), "--trust-remote-code"]) == 0
    assert "OwnForCausalLM" in capsys.readouterr().out


def sleeps(self: Any, *args: Any, **kwargs: Any) -> Any:
    time.sleep(600)


def raises(self: Any, *args: Any, **kwargs: Any) -> Any:
    raise ArithmeticError("the forward of a test")


def crashes(self: Any, *args: Any, **kwargs: Any) -> Any:
    os._exit(3)


@pytest.mark.parametrize(
    ("code", "forward", "said"),
    [
        ("hf-time", sleeps, "took longer than 3 seconds"),
        ("hf-forward", raises, "ArithmeticError: the forward of a test"),
        ("hf-crash", crashes, "`LlamaForCausalLM` ended the process"),
    ],
)
@heavy
def test_a_forward_that_hangs_raises_or_crashes(
    code: str, forward: Callable[..., Any], said: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    import transformers

    monkeypatch.setattr(transformers.LlamaForCausalLM, "forward", forward)
    limit = "3" if forward is sleeps else "60"
    assert said in fails(code, capsys, tmp_path, "LlamaForCausalLM", "--time-limit", limit)


@heavy
def test_an_optional_package_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers
    from transformers.utils.import_utils import DummyObject

    class NeedsForCausalLM(metaclass=DummyObject):
        _backends = ("mamba_ssm_of_a_test",)

    class LateForCausalLM(transformers.LlamaForCausalLM):
        def __init__(self, config: Any) -> None:
            import mamba_ssm_of_a_test  # noqa: F401

    for cls in (NeedsForCausalLM, LateForCausalLM):
        monkeypatch.setattr(transformers, cls.__name__, cls, raising=False)
    fails("hf-import", capsys, tmp_path, "LateForCausalLM")
    import_error = fails("hf-import", capsys, tmp_path, "NeedsForCausalLM")
    assert "mamba_ssm_of_a_test" in import_error or "NeedsForCausalLM" in import_error


@heavy
def test_a_config_that_raises(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    class RaisingConfig(transformers.LlamaConfig):
        def __post_init__(self, **kwargs: Any) -> None:
            raise LookupError("the config of a test")

    class RaisingForCausalLM(transformers.LlamaForCausalLM):
        config_class = RaisingConfig

    monkeypatch.setattr(transformers, "RaisingForCausalLM", RaisingForCausalLM, raising=False)
    err = fails("hf-config", capsys, tmp_path, "RaisingForCausalLM")
    assert "LookupError: the config of a test" in err


@heavy
def test_a_config_that_raises_on_hasattr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    class ShyConfig(transformers.LlamaConfig):
        @property
        def layer_words(self) -> list[str]:
            raise RuntimeError("ask a layer")

    class ShyForCausalLM(transformers.LlamaForCausalLM):
        config_class = ShyConfig

    monkeypatch.setattr(transformers, "ShyForCausalLM", ShyForCausalLM, raising=False)
    assert main(["inspect", "ShyForCausalLM"]) == 0
    assert "ShyForCausalLM" in capsys.readouterr().out


def test_each_code_is_tested_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert not [code for code in INSPECT_CODES if f'"{code}"' not in text]
