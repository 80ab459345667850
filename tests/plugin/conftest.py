"""Packages made by `adaptergen export --plugin`, in a folder that has the specs of this project."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from adaptergen.cli import main

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Result:
    """What came of a command."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with the specs and shapes of this project."""
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def export(project: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Makes a package of specs, by default of Helium's; the last argument is its folder."""

    def command(*arguments: str | Path) -> Result:
        *specs, folder = arguments or ("tl-helium",)
        names = specs or ["specs/helium.yaml"]
        code = main(["export", *map(str, names), "--plugin", str(folder)])
        return Result(code, *capsys.readouterr())

    return command
