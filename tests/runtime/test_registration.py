"""What a local adapter calls: the runtime is new enough, or says what builds a newer one."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import sys
from pathlib import Path
from shutil import copytree
from types import ModuleType

import pytest

from adaptergen import runtime
from adaptergen.cli import main

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "generated" / "_runtime"
BUILD = re.escape("run `adaptergen build specs/helium.yaml`")
COMPONENTS = "transformer_lens.model_bridge.generalized_components"


@pytest.fixture
def registration() -> ModuleType:
    """The module as a build writes it, under a name of its own."""
    path = SHIPPED / "registration.py"
    spec = importlib.util.spec_from_file_location("runtime_registration_of_a_test", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders in which TransformerLens' components are searched, put back afterwards."""
    components = importlib.import_module(COMPONENTS)
    folders = list(components.__path__)
    monkeypatch.setattr(components, "__path__", folders)
    return folders


def test_older_version_is_refused_with_the_command(
    registration: ModuleType, searched: list[str]
) -> None:
    before, needed = list(searched), registration.VERSION + 1
    expected = f"needs version {needed} .* has version {needed - 1}: run `adaptergen build a.yaml`"
    with pytest.raises(RuntimeError, match=expected):
        registration.install(needed, "adaptergen build a.yaml")
    assert searched == before


def test_twice_is_as_once(registration: ModuleType, searched: list[str]) -> None:
    shipped = str(SHIPPED.joinpath(*COMPONENTS.split(".")))
    for _ in range(2):
        registration.install(registration.VERSION, "adaptergen build a.yaml")
    assert searched.count(shipped) == 1


def test_version_is_that_of_the_source(registration: ModuleType) -> None:
    assert runtime.version() == registration.VERSION
    manifest = json.loads((SHIPPED / "manifest.json").read_text())
    assert manifest["version"] == runtime.version()


def test_generated_register_refuses_an_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user's way: one adapter was built by a newer adaptergen than the folder beside it."""
    copytree(ROOT / "specs", tmp_path / "specs")
    monkeypatch.chdir(tmp_path)
    assert main(["build", "specs/helium.yaml"]) == 0
    path = tmp_path / "generated" / "helium" / "register.py"
    text, number = re.subn(r"\.install\(\d+, BUILD\)", ".install(99, BUILD)", path.read_text())
    assert number == 1
    path.write_text(text)
    spec = importlib.util.spec_from_file_location("register_of_a_test", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.delitem(sys.modules, "adaptergen_runtime", raising=False)
    with pytest.raises(RuntimeError, match=BUILD):
        module.register()
    (tmp_path / "generated" / "_runtime" / "registration.py").unlink()
    monkeypatch.delitem(sys.modules, "adaptergen_runtime", raising=False)
    with pytest.raises(ImportError, match=BUILD):
        module.register()
