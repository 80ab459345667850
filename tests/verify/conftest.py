"""Specs that are changed on purpose, and what verification makes of them. Nothing may connect."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from adaptergen.cli import main

# For what these tests share and is no fixture.
sys.path.insert(0, str(Path(__file__).parent))

from verify_support import ROOT, SPEC, Project, Result


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection is an error."""

    def refuse(*_args: object) -> None:
        raise AssertionError("a test of verify opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Runs `adaptergen verify` in process."""

    def command(*arguments: str | Path) -> Result:
        capsys.readouterr()
        code = main(["verify", *map(str, arguments)])
        return Result(code, *capsys.readouterr())

    return command


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The specs in a folder of this test's own."""
    folder = tmp_path / "specs"
    copytree(ROOT / "specs", folder)
    return Project(folder)


@pytest.fixture(scope="session")
def saved_config() -> Callable[..., Any]:
    """Makes the tiny model of the spec, for tests that save it."""

    def make(dtype: str, **changes: Any) -> Any:
        from adaptergen.contract.models import hf_config, random_model
        from adaptergen.verify.target import load_target

        target = load_target(SPEC)
        fields = {**target.plan.spec.tiny.config, **changes}
        return random_model(target.architecture, hf_config(target.architecture, fields), dtype)

    return make
