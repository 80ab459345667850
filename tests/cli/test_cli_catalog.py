"""`adaptergen catalog`: the catalogue of a TransformerLens, put where builds find it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adaptergen.catalogue.library import find_installed, installed_version
from adaptergen.catalogue.store import committed_versions, dumps, path_of, read

COMPONENTS = "transformer_lens/model_bridge/generalized_components"
BASE = """
class GeneralizedComponent:
    hook_aliases = {}

    def __init__(self, name, config=None, submodules=None, optional=False):
        pass
"""


@pytest.fixture
def catalogues(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder in the place of the committed catalogues."""
    folder = tmp_path / "catalogues"
    monkeypatch.setattr("adaptergen.catalogue.store._FOLDER", folder)
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A TransformerLens with next to nothing in it."""
    folder = tmp_path / "TransformerLens"
    (folder / COMPONENTS).mkdir(parents=True)
    (folder / COMPONENTS / "base.py").write_text(BASE, encoding="utf-8")
    (folder / COMPONENTS / "__init__.py").write_text("", encoding="utf-8")
    return folder


def test_of_a_checkout(run: Any, catalogues: Path, checkout: Path) -> None:
    unknown = run("catalog", "--tl", checkout)
    assert unknown.code == 2 and "cannot be determined" in unknown.err and "hint: " in unknown.err
    made = run("catalog", "--tl", checkout, "--tl-version", "9.9.0")
    assert (made.code, made.out) == (0, "")
    assert "not understood: " in made.err and "TransformerLens 9.9.0, 1 components" in made.err
    assert committed_versions() == ("9.9.0",)
    again = run("catalog", "--tl", checkout, "--tl-version", "9.9.0")
    assert again.code == 0 and "up to date" in again.err


def test_of_what_is_not_transformerlens(run: Any, catalogues: Path, tmp_path: Path) -> None:
    result = run("catalog", "--tl", tmp_path)
    assert result.code == 2 and "is not TransformerLens" in result.err and "hint: " in result.err


def test_of_none(run: Any, catalogues: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adaptergen.catalogue.library.find_installed", lambda: None)
    result = run("catalog")
    assert result.code == 2 and "--tl PATH" in result.err


@pytest.mark.skipif(find_installed() is None, reason="no TransformerLens is installed")
def test_observations_are_kept(run: Any, catalogues: Path) -> None:
    version = installed_version() or ""
    made = run("catalog")
    assert made.code == 0 and f"TransformerLens {version}, " in made.err
    fresh = path_of(version).read_text(encoding="utf-8")
    assert '"observed"' not in fresh
    # As if someone had observed one component.
    observed = fresh.replace('"hooks": [', '"hooks_source": "observed",\n"hooks": [', 1)
    path_of(version).write_text(observed, encoding="utf-8")
    observed = dumps(read(path_of(version)))
    path_of(version).write_text(observed, encoding="utf-8")
    again = run("catalog")
    assert again.code == 0 and "up to date" in again.err
    text = path_of(version).read_text(encoding="utf-8")
    assert text == observed and '"observed"' in text
