"""`adaptergen init` in an empty folder: a spec that builds, verifies and passes its tests."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.heavy

ROOT = Path(__file__).parents[2]


def init(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "adaptergen", "init", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where Llama was drafted."""
    folder = tmp_path_factory.mktemp("drafted")
    done = init(folder, "LlamaForCausalLM", "--no-verify")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.long
def test_it_says_what_the_readme_shows(tmp_path: Path) -> None:
    def plain(text: str) -> list[str]:
        return re.sub(r"\(.*at most\)", "", text).strip().splitlines()

    readme = (ROOT / "README.md").read_text("utf-8")
    shown = readme.split("$ adaptergen init LlamaForCausalLM\n")[1].split("```")[0]
    done = init(tmp_path, "LlamaForCausalLM")
    assert done.returncode == 0, done.stdout + done.stderr
    assert plain(done.stdout) == plain(shown)


def test_the_draft_reads_as_written_by_hand(folder: Path) -> None:
    text = (folder / "specs" / "llama.yaml").read_text("utf-8")
    assert len(text.splitlines()) <= 90
    assert [line.split(":")[0] for line in text.splitlines() if "TODO" in line] == [
        "authors",
        "checkpoints",
    ]
    assert "    ln1: {shape: rms_norm, path: input_layernorm}\n" in text
    assert "    mlp: {shape: gated_mlp, path: mlp}\n" in text
    assert not (folder / "specs" / "shapes").exists()


def test_nothing_is_overwritten_unasked(folder: Path) -> None:
    spec = folder / "specs" / "llama.yaml"
    before = spec.read_text("utf-8")
    done = init(folder, "LlamaForCausalLM", "--no-verify")
    assert done.returncode == 2 and "--force overwrites the file" in done.stderr
    done = init(folder, "LlamaForCausalLM", "--compare")
    assert (done.returncode, done.stdout) == (0, "")
    spec.write_text(before.replace("title: Llama\n", "title: Lama\n"), "utf-8")
    done = init(folder, "LlamaForCausalLM", "--compare")
    assert done.returncode == 1 and "-title: Lama\n+title: Llama\n" in done.stdout
    assert "title: Lama\n" in spec.read_text("utf-8")
    assert init(folder, "LlamaForCausalLM", "--no-verify", "--force").returncode == 0
    assert spec.read_text("utf-8") == before


def test_compare_writes_nothing(tmp_path: Path) -> None:
    done = init(tmp_path, "FalconH1ForCausalLM", "--compare")
    assert done.returncode == 1 and "+architecture: FalconH1ForCausalLM\n" in done.stdout
    assert not list(tmp_path.iterdir())


def write_and_die(files: dict[Path, str], replaced: int, after: bool) -> None:
    """Write files in a process that is killed before or after it replaces one of them."""
    from adaptergen.draft.command import write

    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL
        return
    replace, left = os.replace, [None] * replaced

    def replace_or_die(*paths: Path) -> None:
        if left or after:
            replace(*paths)
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        left.pop()

    os.replace = replace_or_die
    write(files, force=True)
    os._exit(1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="what is killed is a fork")
@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize(("replaced", "after"), [(0, False), (0, True), (1, False), (1, True)])
def test_killed_it_leaves_the_old_file_or_the_new_one(
    is_there: bool, replaced: int, after: bool, tmp_path: Path
) -> None:
    from adaptergen.draft.command import write

    spec, shape = tmp_path / "specs" / "x.yaml", tmp_path / "specs" / "shapes" / "x.yaml"
    old, new = dict.fromkeys((spec, shape), "old\n"), dict.fromkeys((spec, shape), "new\n" * 999)
    if is_there:
        write(old, force=False)
    write_and_die(new, replaced, after)
    whole = {path: path.read_text("utf-8") for path in tmp_path.rglob("*.yaml")}
    assert whole.items() <= {*old.items(), *new.items()}
    # A spec is there once all that it uses is, and as many files are new as were replaced.
    assert list(whole.values()).count(new[spec]) == replaced + after
    assert not is_there or whole.keys() == {spec, shape}
    assert is_there or spec not in whole or shape in whole
    write(new, force=True)
    assert spec.read_text("utf-8") == shape.read_text("utf-8") == new[spec]


def test_a_folder_with_a_config(tmp_path: Path) -> None:
    config = {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 48,
              "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 8}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    done = init(tmp_path, ".", "--no-verify", "--out", "qwen3.yaml")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "qwen3.yaml").read_text("utf-8")
    assert yaml.safe_load(text)["tiny"]["config"]["num_key_value_heads"] == 2
    assert "shape: attention" in text


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("LlamaForCausalLMM", "did you mean `LlamaForCausalLM`"),
        ("BertTokenizer", "transformers has no model class `BertTokenizer`"),
        ("./nowhere", "cannot be read"),
    ],
)
def test_a_target_that_is_none(target: str, said: str, tmp_path: Path) -> None:
    done = init(tmp_path, target)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
