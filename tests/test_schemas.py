"""What an editor sees: the committed JSON Schemas, by a validator that is none of ours.

They take every spec and shape, and mark a mistake where a build names it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from jsonschema.exceptions import ValidationError, best_match
from ruamel.yaml import YAML

from adaptergen import resources
from adaptergen.problems import Failed, Problem
from adaptergen.schemas import MODELS
from adaptergen.source.read import read_source
from adaptergen.source.source import Source
from adaptergen.source.validate import validate

SPECS = sorted(resources.specs().glob("*.yaml"))
SHAPES = sorted(resources.shapes().glob("*.yaml"))
SPEC = resources.specs() / "nemotron_h.yaml"
SHAPE = resources.shapes() / "mamba2_mixer.yaml"

Path_ = tuple["str | int", ...]

#: What is replaced in a file, and the path at which the validator marks it.
MISTAKES: dict[str, tuple[str, Path, str, str, Path_]] = {
    "unknown key": ("unknown-key", SPEC, "notes:", "note:", ()),
    "unknown key of a section": (
        "unknown-key", SPEC, "  from_hf:", "  from_hg:", ("config",),
    ),
    "unknown key of a use": (
        "unknown-key", SPEC, "path: model.norm_f}", "path: model.norm_f, pth: x}",
        ("components", "ln_final"),
    ),
    "unknown key of a kind": (
        "unknown-key", SPEC, "      formerly: [mamba]", "      former: [mamba]",
        ("blocks", "kinds", "linear_attention"),
    ),
    "unknown key deep in a union": (
        "unknown-key", SPEC, "latent_in: {shape:", "latent_in: {hook: 1, shape:",
        ("blocks", "kinds", "moe", "add", "latent_in"),
    ),
    "wrong type: a number for text": (
        "wrong-type", SPEC, "title: Nemotron-H", "title: 7", ("title",),
    ),
    "wrong type: text for a list": (
        "wrong-type", SPEC, "authors: [nvidia]", "authors: nvidia", ("authors",),
    ),
    "wrong type: a list for a mapping": (
        "wrong-type", SPEC, "  kind: {attribute: block_type, listed_in: layers_block_type}",
        "  kind: [block_type]", ("blocks", "kind"),
    ),
    "wrong type: text in a list": (
        "wrong-type", SPEC, "authors: [nvidia]", "authors: [nvidia, 7]", ("authors", 1),
    ),
    "wrong type in a shape": ("wrong-type", SHAPE, "config: true", "config: 1", ("config",)),
    "unknown choice": (
        "unknown-choice", SHAPE, "alone\n    contract: {is: on_request",
        "alone\n    contract: {is: on_demand", ("hooks", "hook_ssm_state", "contract", "is"),
    ),
    "unknown choice of a class": (
        "unknown-choice", SPEC, "cache: DynamicCache", "cache: StaticCache", ("cache",),
    ),
    "unknown version": ("file-newer", SPEC, "spec: 1", "spec: 2", ("spec",)),
    "missing key": ("missing-key", SPEC, "architecture: NemotronHForCausalLM\n", "", ()),
    "missing key of a kind": (
        "missing-key", SPEC, "      formerly: [mamba]\n      slot: mixer\n",
        "      formerly: [mamba]\n", ("blocks", "kinds", "linear_attention"),
    ),
    "missing key of a use": (
        "missing-key", SPEC, "{shape: rms_norm, path: model.norm_f}", "{shape: rms_norm}",
        ("components", "ln_final"),
    ),
    "unknown choice of a tap": (
        "unknown-choice", SHAPE, "config: true\n",
        "config: true\ntaps: {hook_in: {torch: log_softmax}}\n", ("taps", "hook_in", "torch"),
    ),
    "wrong type: text for the functions of a tap": (
        "wrong-type", SHAPE, "config: true\n",
        "config: true\ntaps: {hook_in: {function: scan}}\n", ("taps", "hook_in", "function"),
    ),
    "missing key of a shape": ("missing-key", SHAPE, "component: StateSpaceMixerBridge\n", "", ()),
}  # fmt: skip


def kind_of(path: Path) -> str:
    return "shape" if path in SHAPES else "spec"


@cache
def checker(name: str) -> Any:
    """A validator for the committed schema of that name."""
    schema = json.loads(resources.schema(name).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def load(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def marked(name: str, data: Any) -> set[tuple[str, Path_]]:
    """Keyword and path of every error, with those inside unions."""

    def leaves(error: ValidationError) -> Iterator[ValidationError]:
        if error.context:
            for inner in error.context:
                yield from leaves(inner)
        else:
            yield error

    errors = checker(name).iter_errors(data)
    return {(str(e.validator), tuple(e.absolute_path)) for top in errors for e in leaves(top)}


def told(path: Path, text: str, folder: Path) -> tuple[Problem, Source]:
    """The one problem that a build finds, and the file with the places of its values."""
    copy = folder / path.name
    copy.write_text(text, encoding="utf-8")
    source = read_source(copy, path.name)
    with pytest.raises(Failed) as failed:
        validate(source, MODELS[kind_of(path)])
    (problem,) = failed.value.problems
    return problem, source


@pytest.mark.parametrize("path", [*SPECS, *SHAPES], ids=lambda path: path.stem)
def test_every_file_is_taken(path: Path) -> None:
    error = best_match(checker(kind_of(path)).iter_errors(load(path.read_text("utf-8"))))
    assert error is None, f"{error.json_path}: {error.message}"


@pytest.mark.parametrize("path", [*SPECS, *SHAPES], ids=lambda path: path.stem)
def test_the_first_line_names_the_schema(path: Path) -> None:
    (first, *_) = path.read_text("utf-8").splitlines()
    match = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert match, first
    if resources.checkout():
        named = (path.parent / match[1]).resolve()
        assert named == resources.schema(kind_of(path)).resolve() and named.is_file()


@pytest.mark.parametrize(
    ("code", "path", "old", "new", "at"), MISTAKES.values(), ids=list(MISTAKES)
)
def test_an_editor_marks_what_a_build_names(
    code: str, path: Path, old: str, new: str, at: Path_, tmp_path: Path
) -> None:
    text = path.read_text("utf-8")
    assert text.count(old) == 1
    text = text.replace(old, new)
    data, errors = load(text), marked(kind_of(path), load(text))
    problem, source = told(path, text, tmp_path)
    assert problem.code == code
    if code == "unknown-key":
        assert ("additionalProperties", at) in errors
        (key,) = {str(key) for key in _below(data, at)} & set(
            re.findall(r"`(\w+)` is", problem.message)
        )
        assert problem.location == source.place((*at, key), key=True)
    elif code == "missing-key":
        assert ("required", at) in errors
        assert problem.location == source.place(at, key=True)
    else:
        assert {"type", "const", "enum"} & {word for word, where in errors if where == at}
        assert problem.location == source.place(at)


def _below(data: Any, path: Path_) -> Any:
    for part in path:
        data = data[part]
    return data


@pytest.mark.parametrize(
    ("code", "path", "old", "new", "at"), MISTAKES.values(), ids=list(MISTAKES)
)
def test_nothing_but_the_mistake_is_marked(
    code: str, path: Path, old: str, new: str, at: Path_, tmp_path: Path
) -> None:
    # An editor shows every top-level error; each must lie on the way to the mistake.
    text = path.read_text("utf-8").replace(old, new)
    for error in checker(kind_of(path)).iter_errors(load(text)):
        where = tuple(error.absolute_path)
        assert where == at[: len(where)]
