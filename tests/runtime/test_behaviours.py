"""The components of each behaviour keep the contract on a tiny model that has them."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs torch: pip install 'adaptergen[verify]'")

from adaptergen.contract import ModelReport
from adaptergen.contract.checks import checks_of_branch
from adaptergen.contract.models import ModelUnderTest, undisturbed
from adaptergen.generate import plan
from adaptergen.render.tables import adapter_tables

ROOT = Path(__file__).parents[2]
#: With rotation; latent attention and mixtures; state spaces and kinds; gated delta nets.
FAMILIES = ("helium", "deepseek_v2", "nemotron_h", "qwen3_next")
_FOLDER = TemporaryDirectory(prefix="adaptergen-tests-")


@cache
def specs() -> Path:
    """A folder with all specs, and the shapes of both places beside them."""
    for place in (ROOT / "specs", ROOT / "tests" / "verify" / "families"):
        ignored = shutil.ignore_patterns("*.lock.json")
        shutil.copytree(place, _FOLDER.name, ignore=ignored, dirs_exist_ok=True)
    return Path(_FOLDER.name)


@cache
def tables(module: str) -> Any:
    return adapter_tables(plan(specs() / f"{module}.yaml"))


@pytest.fixture
def model(module: str) -> ModelUnderTest:
    return made(module)


@cache
def made(module: str) -> ModelUnderTest:
    from adaptergen.verify.target import load_target

    adapter = load_target(specs() / f"{module}.yaml").adapter
    return ModelUnderTest.tiny(tables(module), adapter, "default", ModelReport("default"))


@pytest.mark.parametrize(
    ("module", "check"),
    [
        (module, check)
        for module in FAMILIES
        for check in checks_of_branch(tables(module), "default")
    ],
)
def test_contract(module: str, check: str, model: ModelUnderTest) -> None:
    with undisturbed():
        found = list(checks_of_branch(tables(module), "default")[check](model))
    assert not found, "\n".join(map(str, found))
