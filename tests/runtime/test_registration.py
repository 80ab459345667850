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
    expected = f"needs version {needed} .* has version {needed - 1}: run `adaptergen build a.yaml`$"
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


def test_an_adapter_is_entered_once_and_taken_back(registration: ModuleType) -> None:
    from transformer_lens.factories import architecture_adapter_factory as factory

    tables = (factory.SUPPORTED_ARCHITECTURES, factory.ArchitectureAdapterFactory._adapters)
    known = next(iter(tables[0]))
    before = [dict(table) for table in tables]
    mine, other = type("Mine", (), {}), type("Other", (), {})
    for architecture in ("NewForCausalLM", known):
        for _ in range(2):
            registration.enter(architecture, mine)
        assert all(table[architecture] is mine for table in tables)
        for _ in range(2):
            registration.leave(architecture)
        assert [dict(table) for table in tables] == before
    registration.enter(known, mine)
    try:
        tables[0][known] = other
        registration.leave(known)
        # What another has entered by now stays.
        assert tables[0][known] is other
        assert tables[1][known] is before[1][known]
    finally:
        for table, held in zip(tables, before, strict=True):
            table[known] = held[known]


def test_a_module_is_loaded_once_under_its_name(registration: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "adapter_of_a_test.py"
    path.write_text("class Adapter:\n    pass\n")
    module = registration.load(path, "loaded_by_a_test")
    assert module.Adapter.__module__ == "loaded_by_a_test"
    assert sys.modules.pop("loaded_by_a_test") is module
    assert registration.load(path, "loaded_by_a_test") is module
