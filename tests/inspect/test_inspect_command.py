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
from adaptergen.error_codes import error_codes
from adaptergen.facts import Facts

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
    branch = Facts.model_validate(record["facts"]).branches[0]
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
    said = fails("hf-class", capsys, tmp_path, "LamaForCausalLM")
    assert "did you mean `LlamaForCausalLM`, " in said
    # The families decide, since all names end alike.
    assert "XmodForCausalLM" not in said


@heavy
def test_a_name_like_none_has_a_short_hint(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said = fails("hf-class", capsys, tmp_path, "Qqqqqqq")
    assert "hint: name a class such as `LlamaForCausalLM`, a spec, or a folder" in said


@heavy
def test_a_config_class_stands_for_its_causal_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "LlamaConfig"]) == 0
    assert capsys.readouterr().out.startswith("LlamaForCausalLM, transformers ")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("T5Config", "name a model class: `T5ForConditionalGeneration`, "),
        ("ViTConfig", "name a class such as `LlamaForCausalLM`"),
        ("PreTrainedConfig", "name a class such as `LlamaForCausalLM`"),
    ],
)
@heavy
def test_a_config_class_without_a_causal_model(
    name: str, hint: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said = fails("hf-class", capsys, tmp_path, name)
    assert f"`{name}` is a config class" in said and f"hint: {hint}" in said
    assert said.count("Config`") == 1


@heavy
def test_the_causal_model_of_another_config(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    class BorrowingConfig(transformers.LlamaConfig):
        model_type = "borrowing"

    monkeypatch.setattr(transformers, "BorrowingConfig", BorrowingConfig, raising=False)
    monkeypatch.setitem(CONFIG_MAPPING_NAMES, "borrowing", "BorrowingConfig")
    monkeypatch.setitem(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, "borrowing", "LlamaForCausalLM")
    said = fails("hf-class", capsys, tmp_path, "BorrowingConfig")
    assert "hint: name a model class: `LlamaForCausalLM`" in said


@heavy
def test_a_config_class_in_a_folder_is_no_architecture(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "config.json").write_text(json.dumps({**CONFIG, "architectures": ["LlamaConfig"]}))
    said = fails("hf-class", capsys, folder, str(folder))
    assert "`LlamaConfig` is a config class, not a model class" in said
    assert "`LlamaForCausalLM`" in said


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
        ("[" * 200_000, "cannot be read: it is nested too deeply"),
        (" " * 1024 * 1024 + "{}", "cannot be read: the file is larger than 1 MiB"),
    ],
)
@heavy
def test_no_folder_of_a_checkpoint(
    text: str | None, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / "config.json").write_text(text, encoding="latin-1")
    assert said in fails("hf-folder", capsys, tmp_path, str(tmp_path))


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without pipes in folders")
@pytest.mark.parametrize(
    ("make", "said"),
    [(pipe, "a pipe"), (device, "a device"), (Path.mkdir, "a folder")],
)
@heavy
def test_what_is_no_file_is_not_read(
    make: Callable[[Path], None], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    make(folder / "config.json")
    assert f"cannot be read: this is {said}, not a file" in fails(
        "hf-folder", capsys, tmp_path, str(folder)
    )


@pytest.mark.parametrize(
    ("code", "values", "default"),
    [
        ("hf-config", {"hidden_size": "wide"}, "4096"),
        ("hf-config", {"num_attention_heads": 0}, "32"),
        ("hf-forward", {"hidden_act": "none_of_a_test"}, '"silu"'),
    ],
)
@heavy
def test_values_with_which_no_model_runs(
    code: str,
    values: dict[str, Any],
    default: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**CONFIG, **values}))
    said = fails(code, capsys, folder, str(folder))
    assert said.startswith(f"{file.as_posix()}:1:1: ")
    (field,) = values
    assert f"hint: change `{field}` in `config.json`; the default, {default}, works" in said


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
    auto_map = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnForCausalLM"}
    config = {**CONFIG, "architectures": ["OwnForCausalLM"], "auto_map": auto_map}
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "own"}))
    (folder / "own.py").write_text(REMOTE)
    return folder


@heavy
def test_code_of_a_folder_is_not_run(remote: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--trust-remote-code" in fails("remote-code", capsys, remote, str(remote))
    assert not list(remote.rglob("was_run"))


def mapped(folder: Path, architecture: str, auto_map: dict[str, Any]) -> None:
    config = {**CONFIG, "architectures": [architecture], "auto_map": auto_map}
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("trust", [(), ("--trust-remote-code",)])
@pytest.mark.parametrize("value", [None, "", ["own.OwnForCausalLM"]])
@heavy
def test_a_folder_whose_code_has_no_causal_model(
    value: Any, trust: tuple[str, ...], remote: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    auto_map = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": value}
    mapped(remote, "OwnForCausalLM", {k: v for k, v in auto_map.items() if v is not None})
    said = fails("remote-code", capsys, remote, str(remote), *trust)
    assert "no class `OwnForCausalLM`, and `auto_map` names `AutoConfig` but no " in said
    assert '"AutoModelForCausalLM": "FILE.CLASS"' in said
    assert not list(remote.rglob("was_run"))


@pytest.mark.parametrize(
    ("name", "trust", "hint"),
    [
        ("OwnForCausalLM", (), "put the code of `other/repo` into the folder"),
        ("OwnForCausalLM", ("--trust-remote-code",), "write `own.OwnForCausalLM` instead"),
        ("LlamaForCausalLM", ("--trust-remote-code",), "leave out --trust-remote-code"),
    ],
)
@heavy
def test_code_of_another_repository_is_never_run(
    name: str, trust: tuple[str, ...], hint: str, remote: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from transformers import dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "get_class_from_dynamic_module", None)
    mapped(remote, name, {"AutoModelForCausalLM": "other/repo--own.OwnForCausalLM"})
    said = fails("remote-code", capsys, remote, str(remote), *trust)
    assert "`other/repo--own.OwnForCausalLM` is code of another repository" in said
    assert hint in said and not list(remote.rglob("was_run"))


@heavy
def test_a_class_that_is_no_causal_model_of_transformers_needs_no_code(folder: Path) -> None:
    mapped(folder, "LlamaModel", {"AutoModel": "evil.LlamaModel"})
    assert main(["inspect", str(folder)]) == 0


@heavy
def test_a_class_of_transformers_needs_no_code(folder: Path) -> None:
    mapped(folder, "LlamaForCausalLM", {"AutoModelForCausalLM": "evil.LlamaForCausalLM"})
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
    assert not [code for code in error_codes("Models of transformers") if f'"{code}"' not in text]
