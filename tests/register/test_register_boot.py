"""`register()`, then `boot_transformers` of a folder: what a user of a generated adapter does."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adaptergen.generate import plan

ROOT = Path(__file__).parents[2]
REFUSED = "Could not determine supported architecture"

#: Goes into a copy of Helium's folder, among its emitted tests.
EMITTED = """
import os

from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.supported_architectures.helium import HeliumArchitectureAdapter


def test_boot():
    bridge = TransformerBridge.boot_transformers(os.environ["TINY_HELIUM"], device="cpu")
    assert type(bridge.adapter) is HeliumArchitectureAdapter
"""


class Family:
    """What was generated for one architecture, and a tiny model of it in a folder."""

    def __init__(self, module: str, folder: Path) -> None:
        import torch
        import transformers
        from tokenizers import Tokenizer
        from tokenizers.models import WordLevel

        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(ROOT)
            self.register: Any = importlib.import_module(f"generated.{module}.register")
        self.architecture: str = self.register.ARCHITECTURE
        self.spec = plan(ROOT / "specs" / f"{module}.yaml").spec
        self.folder = folder

        hf_class = getattr(transformers, self.architecture)
        torch.manual_seed(0)
        hf_class(hf_class.config_class(**self.spec.tiny.config)).save_pretrained(folder)
        words = {"<pad>": 0, "<s>": 1, "</s>": 2} | {f"w{i}": i for i in range(3, 64)}
        tokenizer = Tokenizer(WordLevel(words, unk_token="<pad>"))
        names = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
        transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(
            folder
        )
        self.hf = hf_class.from_pretrained(folder, attn_implementation="eager").eval()

    def boot(self) -> Any:
        from transformer_lens.model_bridge import TransformerBridge

        return TransformerBridge.boot_transformers(str(self.folder), device="cpu")

    def assert_boots(self) -> None:
        """With the adapter in the folder, whose logits are those of Hugging Face."""
        import torch

        bridge, tokens = self.boot(), torch.arange(3, 12)[None]
        assert type(bridge.adapter).__module__ == f"generated_{self.spec.module}"
        with torch.no_grad():
            away = (bridge(tokens) - self.hf(tokens).logits).abs().max()
        assert away == 0


@pytest.fixture(scope="module")
def helium(tmp_path_factory: pytest.TempPathFactory) -> Family:
    """For which TransformerLens has no adapter."""
    return Family("helium", tmp_path_factory.mktemp("helium"))


@pytest.fixture(scope="module")
def nemotron_h(tmp_path_factory: pytest.TempPathFactory) -> Family:
    """For which TransformerLens has one of its own."""
    return Family("nemotron_h", tmp_path_factory.mktemp("nemotron_h"))


@pytest.fixture(params=["helium", "nemotron_h"])
def family(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def tables() -> tuple[dict[str, Any], dict[str, Any]]:
    """What TransformerLens reads."""
    from transformer_lens.factories import architecture_adapter_factory as factory

    return factory.SUPPORTED_ARCHITECTURES, factory.ArchitectureAdapterFactory._adapters


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Whatever a test does, everything is as it was in the end."""
    before = [dict(table) for table in tables()]
    yield
    after = [dict(table) for table in tables()]
    for table, kept in zip(tables(), before, strict=True):
        table.clear()
        table.update(kept)
    assert after == before


def test_boot_from_a_folder(family: Family) -> None:
    assert family.register.register() is tables()[0][family.architecture]
    family.assert_boots()
    family.register.unregister()


def test_without_an_adapter(helium: Family) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match=REFUSED):
            helium.boot()
        helium.register.register()
        helium.register.unregister()


def test_with_one_of_its_own(nemotron_h: Family) -> None:
    nemotron_h.register.register()
    nemotron_h.register.unregister()
    native = type(nemotron_h.boot().adapter).__module__
    assert native == "transformer_lens.model_bridge.supported_architectures.nemotron_h"


def test_two_families_in_one_process(helium: Family, nemotron_h: Family) -> None:
    helium.register.register()
    nemotron_h.register.register()
    helium.assert_boots()
    nemotron_h.assert_boots()
    helium.register.unregister()
    nemotron_h.assert_boots()
    with pytest.raises(ValueError, match=REFUSED):
        helium.boot()
    nemotron_h.register.unregister()


def test_twice_is_as_once(family: Family) -> None:
    before = [table.get(family.architecture) for table in tables()]
    first = family.register.register()
    assert family.register.register() is first
    assert [table[family.architecture] for table in tables()] == [first, first]
    for _ in range(2):
        family.register.unregister()
        assert [table.get(family.architecture) for table in tables()] == before


@pytest.mark.parametrize("number", [0, 1], ids=["SUPPORTED_ARCHITECTURES", "_adapters"])
def test_what_another_has_registered_stays(family: Family, number: int) -> None:
    name, theirs, ours = family.architecture, tables()[number], tables()[1 - number]
    before, other = ours.get(name), type("Other", (), {})
    family.register.register()
    theirs[name] = other
    for _ in range(2):
        family.register.unregister()
        assert (theirs[name], ours.get(name)) == (other, before)

    # Registered anew, it is the other one that comes back.
    adapter = family.register.register()
    assert [table[name] for table in tables()] == [adapter, adapter]
    family.register.unregister()
    assert (theirs[name], ours.get(name)) == (other, before)
    del theirs[name]
    if before is not None:
        theirs[name] = before


def test_an_installed_package_is_not_passed_over(
    helium: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that has the architecture too, and that TransformerLens had not looked for yet."""
    from transformer_lens.factories import architecture_adapter_factory as factory

    other = type("Other", (), {})
    point = SimpleNamespace(name=helium.architecture, dist=None, load=lambda: other)
    monkeypatch.setattr(factory, "entry_points", lambda group: [point])
    monkeypatch.setattr(factory.ArchitectureAdapterFactory, "_entry_points_discovered", False)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Custom architecture adapter")
        helium.register.register()
        helium.assert_boots()
        helium.register.unregister()
    assert tables()[1].pop(helium.architecture) is other


@pytest.mark.slow
@pytest.mark.parametrize("table", [None, "SUPPORTED_ARCHITECTURES", "_adapters"])
def test_emitted_tests_see_what_a_user_sees(
    helium: Family, table: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where `register()` would forget a table, a test beside the emitted ones cannot boot."""
    folder = tmp_path / "helium"
    for name in ("helium", "_runtime"):
        shutil.copytree(ROOT / "generated" / name, tmp_path / name)
    (folder / "tests" / "test_boot.py").write_text(EMITTED, encoding="utf-8")
    if table:
        path = tmp_path / "_runtime" / "registration.py"
        text = path.read_text(encoding="utf-8")
        first, second = "SUPPORTED_ARCHITECTURES", "ArchitectureAdapterFactory._adapters"
        both, kept = f"return {first}, {second}", second if table == first else first
        assert text.count(both) == 1
        path.write_text(text.replace(both, f"return {kept}, {{}}"), encoding="utf-8")
    monkeypatch.setenv("TINY_HELIUM", str(helium.folder))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_boot.py"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert result.returncode == bool(table), result.stdout[-3000:]
    if table:
        said = REFUSED if table == "SUPPORTED_ARCHITECTURES" else "Unsupported architecture"
        assert said in result.stdout
