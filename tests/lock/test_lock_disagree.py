"""Builds of real specs that disagree with their locks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from adaptergen.cli import main
from adaptergen.observe.commands import with_lock
from adaptergen.problems import Failed

SPECS = Path(__file__).parents[2] / "specs"


@pytest.fixture
def specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(SPECS, tmp_path / "specs")
    monkeypatch.chdir(tmp_path)
    return Path("specs")


def cut(path: Path, start: str) -> None:
    lines = path.read_text("utf-8").splitlines(keepends=True)
    (line,) = [line for line in lines if line.startswith(start)]
    path.write_text("".join(one for one in lines if one != line), "utf-8")


@pytest.mark.parametrize(
    ("start", "told"),
    [
        ("  embed:", "nothing is bound to `model.embeddings` of HF (Embedding)"),
        ("  unembed:", "nothing is bound to `lm_head` of HF (Linear)"),
        ("  ln_final:", "nothing is bound to `model.norm_f` of HF (NemotronHRMSNorm)"),
        ("cache:", "the cache of HF, `DynamicCache`, keeps `conv_states` and `recurrent_states`"),
    ],
)
def test_what_is_left_out_is_told(
    specs: Path, capsys: pytest.CaptureFixture[str], start: str, told: str
) -> None:
    path = specs / "nemotron_h.yaml"
    cut(path, start)
    assert main(["build", path.as_posix()]) == 2
    assert told in capsys.readouterr().err
    assert not Path("generated").exists()


def test_a_lock_of_another_class(specs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = specs / "helium.yaml"
    shutil.copy(specs / "nemotron_h.lock.json", specs / "helium.lock.json")
    assert main(["build", path.as_posix()]) == 2
    errors = capsys.readouterr().err
    assert "lock-class" in errors and "1 problem." in errors
    arguments = ["drift", path.as_posix(), "--from", "5.12.1", "--to", "5.13.0"]
    assert main(arguments) == 2
    assert "the lock is of `NemotronHForCausalLM`" in capsys.readouterr().err


def test_an_empty_release_is_none(specs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = specs / "helium.yaml"
    assert main(["drift", path.as_posix(), "--from", "", "--to", ""]) == 2
    assert "the lock has no release" in capsys.readouterr().err
    with pytest.raises(Failed) as raised:
        with_lock(path, "")
    assert [problem.code for problem in raised.value.problems] == ["lock-release"]
