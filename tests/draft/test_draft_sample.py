"""What holds of the draft of any class: it is short, in the order of specs, and quickly made."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.heavy

ROOT = Path(__file__).parents[2]

#: Rotary and learned positions; norms in places of their own; MLPs without a gate; mixtures of
#: experts, alone and beside dense layers; latent attention; state-space layers beside attention.
SAMPLE = (
    "LlamaForCausalLM",
    "GPT2LMHeadModel",
    "OPTForCausalLM",
    "Olmo2ForCausalLM",
    "ArceeForCausalLM",
    "MixtralForCausalLM",
    "DeepseekV2ForCausalLM",
    "BambaForCausalLM",
    "FalconH1ForCausalLM",
)


@dataclass(frozen=True)
class Drafted:
    """The files of a draft, and what a process took for them beyond imports."""

    files: dict[str, str]
    seconds: float
    bytes: int

    @property
    def spec(self) -> str:
        (name,) = (name for name in self.files if "/" not in name)
        return self.files[name]

    @property
    def data(self) -> Any:
        from ruamel.yaml import YAML

        return YAML(typ="safe").load(self.spec)


def drafted(name: str) -> Drafted:
    """The draft of a class, made in a process of its own."""
    import torch
    import transformers

    # What is measured is beyond imports.
    from adaptergen.draft.draft import measured_draft, small_model

    cls = getattr(transformers, name)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            torch.set_num_threads(1)
            files = measured_draft(*small_model(cls, {})).files()
            os.write(writing, json.dumps(files).encode())
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read()
    _, status, used = os.wait4(child, 0)
    assert status == 0
    return Drafted(json.loads(text), used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


@pytest.fixture(scope="module")
def sample() -> dict[str, Drafted]:
    """The drafts of the sample."""
    if not hasattr(os, "fork"):
        pytest.skip("processes are forked to measure what each takes")
    return {name: drafted(name) for name in SAMPLE}


@pytest.mark.long
def test_a_draft_is_short(sample: dict[str, Drafted]) -> None:
    assert {name: n for name, one in sample.items() if (n := one.spec.count("\n")) > 90} == {}


@pytest.mark.long
def test_a_draft_takes_little_time_and_memory(sample: dict[str, Drafted]) -> None:
    # Of the processor, so that whatever else runs on the machine counts for nothing.
    seconds = sorted(one.seconds for one in sample.values())
    assert seconds[len(seconds) // 2] < 6 and seconds[-1] < 30, seconds
    assert max(one.bytes for one in sample.values()) < 2 * 2**30


@pytest.mark.long
def test_todo_marks_what_no_machine_knows(sample: dict[str, Drafted]) -> None:
    for name, one in sample.items():
        marked = [line.split(":")[0] for line in one.spec.splitlines() if "TODO" in line]
        assert marked == ["authors", "checkpoints"], name
        assert not any("TODO" in text for file, text in one.files.items() if "/" in file), name


@pytest.mark.long
def test_a_draft_has_the_order_of_committed_specs(sample: dict[str, Drafted]) -> None:
    from ruamel.yaml import YAML

    committed = [YAML(typ="safe").load(path) for path in (ROOT / "specs").glob("*.yaml")]
    for name, one in sample.items():
        for spec in committed:
            for part in (None, "config", "blocks", "tiny"):
                ours, theirs = (of if part is None else of[part] for of in (one.data, spec))
                shared = ours.keys() & theirs.keys()
                order = [[key for key in of if key in shared] for of in (ours, theirs)]
                assert order[0] == order[1], (name, part)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is forked to measure what it takes")
def test_the_draft_of_a_usual_class_takes_little() -> None:
    one = drafted("LlamaForCausalLM")
    assert one.seconds < 6 and one.bytes < 2 * 2**30


def uses(value: Any) -> Iterator[dict[str, Any]]:
    """Every use of a shape, at any depth."""
    if isinstance(value, dict):
        if "shape" in value and isinstance(value["shape"], str):
            yield value
        for one in value.values():
            yield from uses(one)


@pytest.mark.long
def test_no_default_is_written(sample: dict[str, Drafted]) -> None:
    from ruamel.yaml import YAML

    from adaptergen.spec.architecture import Spec

    shapes = {path.stem: YAML(typ="safe").load(path) for path in (ROOT / "specs/shapes").glob("*")}
    for name, one in sample.items():
        for use in uses(one.data):
            parameters = shapes.get(use["shape"], {}).get("parameters", {})
            defaults = {key: value for key, value in use.get("with", {}).items()
                        if parameters[key] == value}  # fmt: skip
            assert defaults == {}, (name, use)
        default = {field.alias or key: field.default for key, field in Spec.model_fields.items()}
        assert [key for key, value in one.data.items() if default[key] == value] == [], name


@pytest.mark.long
def test_no_shape_is_one_of_a_single_family(sample: dict[str, Drafted]) -> None:
    from ruamel.yaml import YAML

    users: dict[str, set[str]] = {}
    committed = [YAML(typ="safe").load(path) for path in (ROOT / "specs").glob("*.yaml")]
    for data in (*committed, *(one.data for one in sample.values())):
        for use in uses(data):
            users.setdefault(use["shape"], set()).add(data["architecture"])
    for name, one in sample.items():
        own = {Path(file).stem for file in one.files if "/" in file}
        used = {use["shape"] for use in uses(one.data)} - own
        assert {shape for shape in used if len(users[shape]) < 2} == set(), name


@pytest.mark.long
def test_a_draft_reads_shapes_and_no_other_file_of_the_project(
    sample: dict[str, Drafted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adaptergen import resources

    shutil.copytree(ROOT / "specs" / "shapes", tmp_path / "specs" / "shapes")
    monkeypatch.setattr(resources, "specs", lambda: tmp_path / "specs")
    monkeypatch.chdir(tmp_path)
    for name in ("LlamaForCausalLM", "DeepseekV2ForCausalLM"):
        assert drafted(name).files == sample[name].files


def test_the_text_says_what_the_data_does() -> None:
    from ruamel.yaml import YAML

    from adaptergen.draft.text import as_yaml

    words = {f"field_{number}": f"a text, with commas: {number}" for number in range(20)}
    data = {"hooks": {"hook_in": {"shape": ["batch", "pos"], "tensor": ", ".join(words.values())}},
            "config": words}  # fmt: skip
    text = as_yaml(data)
    assert YAML(typ="safe").load(text) == data
    assert max(map(len, text.splitlines())) <= 100 and re.search(r"hook_in: \{shape", text)
