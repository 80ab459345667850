"""`adaptergen init FOLDER` on config files of published models."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from adaptergen.cli import main

pytestmark = pytest.mark.heavy

CONFIGS = Path(__file__).parents[1] / "inspect" / "checkpoints"
FILES = {path.stem: path for path in sorted(CONFIGS.glob("*.json"))}


@pytest.mark.parametrize("name", FILES)
def test_the_spec_follows_the_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model").mkdir()
    shutil.copy(FILES[name], "model/config.json")
    assert main(["init", "model", "--no-verify"]) == 0, capsys.readouterr().err
    assert "Traceback" not in capsys.readouterr().err
    (path,) = Path("specs").glob("*.yaml")
    spec = yaml.safe_load(path.read_text("utf-8"))
    real = json.loads(FILES[name].read_text("utf-8"))
    assert [spec["architecture"]] == real["architectures"]
    chosen = spec["tiny"]["config"]
    for field, value in real.items():
        if field in chosen and not re.search(r"layers$|_id$|position|vocab", field):
            if isinstance(value, float):
                # Specs are YAML 1.2, where 1e-06 is a number.
                assert float(chosen[field]) == value, field
            elif isinstance(value, (bool, str)) or (type(value) is int and value <= 2):
                assert chosen[field] == value, field


@pytest.mark.long
@pytest.mark.parametrize("name", ["moonshotai--Kimi-K2-Instruct", "openai--gpt-oss-120b"])
def test_the_spec_is_built_verified_and_tested(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model").mkdir()
    shutil.copy(FILES[name], "model/config.json")
    assert main(["init", "model"]) == 0
    lines = capsys.readouterr().out.splitlines()
    starts = ["spec", "hooks", "built", "verified", "emitted tests"]
    assert [line.partition(":")[0] for line in lines] == starts
