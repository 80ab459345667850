"""`adaptergen schema`, and the committed JSON Schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from adaptergen import resources
from adaptergen.cli.schema import NAMES
from adaptergen.schemas import MODELS, make_schema

UPDATE = "stale: run `adaptergen schema --write`"
SHAPES = sorted(resources.shapes().glob("*.yaml"))
SPECS = sorted(resources.specs().glob("*.yaml"))


def test_there_is_one_for_each_name_and_no_other() -> None:
    committed = {path.name.partition(".")[0] for path in resources.DATA.glob("*.schema.json")}
    assert committed == set(NAMES) == set(MODELS)


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_one_is_what_is_made(run: Any, name: str) -> None:
    result = run("schema", name)
    assert result.code == 0 and result.err == ""
    assert resources.schema(name).read_text(encoding="utf-8") == result.out, UPDATE
    jsonschema.Draft202012Validator.check_schema(json.loads(result.out))


def test_without_a_name_it_is_of_specs(run: Any) -> None:
    assert run("schema").out == run("schema", "spec").out


def test_check_and_write(run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert run("schema", "--check").code == 0
    monkeypatch.setattr("adaptergen.resources.DATA", tmp_path)
    stale = run("schema", "--check")
    assert stale.code == 1 and stale.out == ""
    assert "stale: spec.schema.json" in stale.err and "adaptergen schema --write" in stale.err
    assert run("schema", "shape", "--write").code == 0
    assert run("schema", "shape", "--check").code == 0
    assert run("schema", "--check").code == 1
    assert run("schema", "--write").code == 0
    assert run("schema", "--check").code == 0
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.schema.json" for name in MODELS}


@pytest.mark.parametrize("path", [*SPECS, *SHAPES], ids=lambda path: path.stem)
def test_every_file_we_have_fits(path: Path) -> None:
    data = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    name = "shape" if path in SHAPES else "spec"
    jsonschema.validate(data, make_schema(name), jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    "change", [{"extra": 1}, {"module": "Nemotron"}, {"components": {"1": {}}}]
)
def test_what_a_build_refuses_an_editor_marks(change: dict[str, Any]) -> None:
    data = YAML(typ="safe", pure=True).load(SPECS[0].read_text(encoding="utf-8"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**data, **change}, make_schema("spec"))
