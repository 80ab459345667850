"""Commands run in process, on small made-up specs or on the real one."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from adaptergen.cli import main
from adaptergen.output.tree import OutputTree
from adaptergen.problems import Failed, Problem, SourceLocation

ROOT = Path(__file__).parents[2]
# Lets the modules in this folder import each other, however pytest was started.
sys.path.insert(0, str(Path(__file__).parent))


@dataclass(frozen=True)
class Result:
    """What came of a command."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs one command line."""

    def command(*arguments: str | Path) -> Result:
        code = main([str(argument) for argument in arguments])
        return Result(code, *capsys.readouterr())

    return command


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with the specs and shapes of this project."""
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where the first line of a spec is a module, or `bad`, and the rest its code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("adaptergen.generate.generate", generate)
    for name in ("a", "b"):
        Path(f"{name}.yaml").write_text(f"{name}\ncode of {name}\n", encoding="utf-8")
    Path("bad.yaml").write_text("bad\n", encoding="utf-8")
    Path("worse.yaml").write_text("bad\n", encoding="utf-8")
    return tmp_path


def generate(path: Path) -> OutputTree:
    """Stands in for the generator."""
    name, _, code = path.read_text(encoding="utf-8").partition("\n")
    if name == "bad":
        place = SourceLocation(path.as_posix(), 1, 1, 3)
        raise Failed([Problem("bad-value", "this is bad", "make it good", place, "bad\x1b")])
    return OutputTree(name, path.name, {"code.py": code.encode()}, {"adaptergen": "0"})
