"""What the README shows is what happens."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CHECKPOINT = "nvidia/NVIDIA-Nemotron-Nano-9B-v2"


def blocks(language: str) -> list[str]:
    fenced = README.split("\n```")[1::2]
    return [
        text for first, _, text in (block.partition("\n") for block in fenced) if first == language
    ]


def test_mistake_and_its_mend(tmp_path):
    (shown,) = (block for block in blocks("") if "error[" in block)
    command, expected = shown.split("\n", 1)
    assert command == "$ adaptergen build specs/nemotron_h.yaml"
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    spec = tmp_path / "specs" / "nemotron_h.yaml"
    text = spec.read_text(encoding="utf-8")
    text = text.replace("module: nemotron_h", "module: Nemotron-H").replace("title:", "titel:")
    spec.write_text(text, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-m", "adaptergen", "build", "specs/nemotron_h.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert result.stderr.rstrip() == expected.rstrip()
    assert not (tmp_path / "generated").exists()


@pytest.mark.parametrize("command", [pytest.param("verify", marks=pytest.mark.heavy), "drift"])
def test_what_a_command_prints(command):
    """Line by line, apart from times and from what depends on the processor."""

    def plain(line):
        return re.sub(r"\d+\.\d+ s$|\d\.\d+e-\d+", "N", line.rstrip())

    (shown,) = (block for block in blocks("") if block.startswith(f"$ adaptergen {command} "))
    first, *lines = shown.splitlines()
    result = subprocess.run(
        [sys.executable, "-m", *first.removeprefix("$ ").split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    printed = iter([plain(line) for line in result.stdout.splitlines()])
    for line in lines:
        assert line == "…" or plain(line) in printed, line


def test_rows_of_the_hook_page():
    page = (ROOT / "generated" / "nemotron_h" / "HOOKS.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(?:mixer|attn)\..*$", README, re.MULTILINE)
    assert len(rows) == 2
    assert all(row in page.splitlines() for row in rows)


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def run_with_tiny_model(code, module, folder):
    """Run code of the README on a tiny model that is saved with a tokenizer to a folder."""
    import torch
    import transformers
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    from adaptergen.generate import plan

    spec = plan(ROOT / "specs" / f"{module}.yaml").spec
    model_class = getattr(transformers, spec.architecture)
    torch.manual_seed(0)
    model_class(model_class.config_class(**spec.tiny.config)).save_pretrained(folder)
    words = {"<pad>": 0, "<s>": 1, "</s>": 2} | {f"w{i}": i for i in range(3, 64)}
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel(words, unk_token="<pad>")),
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
    ).save_pretrained(folder)
    (checkpoint,) = [name for name in spec.checkpoints if name in code]
    command = [sys.executable, "-c", code.replace(checkpoint, str(folder))]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout.splitlines()


@pytest.mark.heavy
def test_the_first_lines_boot_a_model(tmp_path):
    first, _, _ = blocks("python")
    assert run_with_tiny_model(f"{first}\nprint(type(bridge).__name__)", "helium", tmp_path)[
        -1
    ] == ("TransformerBridge")


@pytest.mark.heavy
def test_a_model_is_read_with_an_unmodified_transformer_lens(tmp_path):
    _, _, code = blocks("python")
    layers, convolution, state = run_with_tiny_model(code, "nemotron_h", tmp_path)[-3:]
    assert layers == "[0, 4]"
    assert re.fullmatch(r"torch\.Size\(\[1, 112, \d+\]\)", convolution)
    assert state == "torch.Size([1, 6, 8, 16])"


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ("causal-lm", "of the {} of transformers {}, {} stand and {} are green"),
        ("masked-lm", "of the {} that fill in masks {} and {}"),
        ("seq2seq-lm", "of the {} from sequence to sequence {} and {}"),
    ],
)
def test_how_many_classes_stand(task, told):
    tables = json.loads((ROOT / "docs" / "coverage.json").read_text("utf-8"))["tables"]
    (table,) = (one for one in tables if one["task"] == task)
    drafts = [one["draft"] for one in table["classes"] if one["draft"]]
    figures = [sum(draft[word] for draft in drafts) for word in ("stands", "green")]
    release = [table["transformers"]] if task == "causal-lm" else []
    text = " ".join(README.split())
    assert told.format(len(table["classes"]), *release, *figures) in text
